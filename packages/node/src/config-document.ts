import { isMap, isNode, isScalar, isSeq } from "yaml";
import type { Document } from "yaml";
import { Refusal } from "@countersign/core";
import type { Json, JsonObject } from "@countersign/core";
import { parseYamlDocument, placeOf, readConfigText } from "./config.ts";

const MAX_DEPTH = 16;

function invalid(why: string): never {
  throw new Refusal("configuration_invalid", why);
}

/** The value as strict JSON: maps with names, lists, texts, safe integers and flags. */
function jsonOf(value: unknown, depth = 1): Json {
  if (depth > MAX_DEPTH) return invalid("nested too deeply");
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number")
    return Number.isSafeInteger(value) ? value : invalid(`${value} is no integer`);
  if (Array.isArray(value)) return value.map((item: unknown) => jsonOf(item, depth + 1));
  if (!(value instanceof Map)) return invalid("a value is empty, or of no kind that is known here");
  const entries = [...value].map(([name, item]: [unknown, unknown]): [string, Json] => [
    typeof name === "string" ? name : invalid("a name is no text"),
    jsonOf(item, depth + 1),
  ]);
  return Object.fromEntries(entries) satisfies JsonObject;
}

function plainOf(document: Document): unknown {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: 0 });
  } catch {
    return invalid("aliases are not allowed");
  }
}

/** Where the member stands that a refusal begins its words with: `policy.rules[0].rate.count`. */
function placeIn(text: string, document: Document, path: string): string {
  let node: unknown = document.contents;
  let place = node;
  let rest = path.replace(/^[a-z]+/, "");
  for (let found = step(node, rest); found !== undefined; found = step(node, rest)) {
    node = found.value;
    place = found.place;
    rest = rest.slice(found.length);
  }
  return placeOf(text, isNode(place) && place.range ? place.range[0] : 0);
}

/** One step of a path down into a node, if it is there: an item of a list, or a member. */
function step(
  node: unknown,
  path: string,
): { readonly value: unknown; readonly place: unknown; readonly length: number } | undefined {
  const [whole = "", index] = /^\[(\d+)\]/.exec(path) ?? [];
  if (index !== undefined && isSeq(node)) {
    const value: unknown = node.items[Number(index)];
    return value === undefined ? undefined : { value, place: value, length: whole.length };
  }
  if (!path.startsWith(".") || !isMap(node)) return undefined;
  // names may hold dots: the longest one that is there
  const [longest] = node.items
    .map(({ key, value }) => ({ key, value, name: isScalar(key) ? String(key.value) : "" }))
    .filter(({ name }) => isBegun(path.slice(1), name))
    .toSorted((a, b) => b.name.length - a.name.length);
  if (longest === undefined) return undefined;
  return { value: longest.value, place: longest.key, length: 1 + longest.name.length };
}

const isBegun = (words: string, name: string): boolean =>
  words.startsWith(name) && /^(?:$|[.[ ])/.test(words.slice(name.length));

/**
 * Reads a document of several levels from YAML.
 * @param read judges it as JSON, and begins the words of a refusal with the path of the member that it is about
 * @throws Refusal as `read`, with line and column in front; `configuration_invalid`
 */
export function parseConfigDocument<T>(text: string, read: (value: Json) => T): T {
  const document = parseYamlDocument(text);
  const value = jsonOf(plainOf(document));
  try {
    return read(value);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "configuration_invalid") throw error;
    const words = error.message.slice("configuration_invalid: ".length);
    const place = placeIn(text, document, words);
    const next = error.next ?? `Correct the file (${place}).`;
    throw new Refusal("configuration_invalid", `${place}: ${words}`, next);
  }
}

/** As `parseConfigDocument`, from a file of at most 64 KiB. @throws Refusal `configuration_invalid` */
export async function readConfigDocument<T>(path: string, read: (value: Json) => T): Promise<T> {
  return parseConfigDocument(await readConfigText(path), read);
}
