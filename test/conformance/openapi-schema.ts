import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** A part of a description, as YAML gives it. */
export type Node = Readonly<Record<string, unknown>>;

/** One description; references lead to its neighbours too. */
export interface Description {
  readonly file: string;
  readonly root: Node;
}

const files = new Map<string, Node>();

export function describeFile(file: string): Description {
  const known = files.get(file);
  if (known !== undefined) return { file, root: known };
  const text = readFileSync(new URL(`../../docs/api/${file}`, import.meta.url), "utf8");
  const root = parse(text, { version: "1.2", uniqueKeys: true }) as Node; // of this tree
  files.set(file, root);
  return { file, root };
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A place in a description. */
export interface Place {
  readonly in: Description;
  readonly node: Node;
}

/** Follows references, whatever stands beside them being words. */
export function resolve(place: Place): Place {
  const { $ref: reference } = place.node;
  if (typeof reference !== "string") return place;
  const [file = "", pointer = ""] = reference.split("#");
  const target = file === "" ? place.in : describeFile(file.replace("./", ""));
  let node: unknown = target.root;
  for (const escaped of pointer.split("/").slice(1)) {
    const name = decodeURI(escaped).replaceAll("~1", "/").replaceAll("~0", "~"); // RFC 6901
    node = isNode(node) ? node[name] : undefined;
  }
  if (!isNode(node)) throw new Error(`${place.in.file}: ${reference} leads nowhere`);
  return resolve({ in: target, node });
}

/** What stands under a name. */
export function under(place: Place, ...names: readonly string[]): Place | undefined {
  let at: Place | undefined = place;
  for (const name of names) {
    const node: unknown = at === undefined ? undefined : at.node[name];
    at = at !== undefined && isNode(node) ? resolve({ in: at.in, node }) : undefined;
  }
  return at;
}

const TYPES: Readonly<Record<string, ((value: unknown) => boolean) | undefined>> = {
  object: isNode,
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: Number.isSafeInteger,
  boolean: (value) => typeof value === "boolean",
};

const wordOf = (value: unknown): string => (typeof value === "string" ? value : "");
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function wrongScalar(node: Node, value: unknown): boolean {
  const least = node["minimum"] ?? node["minLength"] ?? node["minItems"] ?? 0;
  const most = node["maximum"] ?? node["maxLength"] ?? node["maxItems"] ?? Infinity;
  const size = typeof value === "string" || Array.isArray(value) ? value.length : value;
  return (
    (typeof size === "number" && (size < Number(least) || size > Number(most))) ||
    (typeof node["pattern"] === "string" && !new RegExp(node["pattern"]).test(String(value)))
  );
}

function wrongMembers(place: Place, value: Node, at: string): readonly string[] {
  const additional = place.node["additionalProperties"];
  const missing = listOf(place.node["required"]).filter(
    (name) => !Object.hasOwn(value, String(name)),
  );
  return [
    ...missing.map((name) => `${at}.${String(name)} is missing`),
    ...Object.entries(value).flatMap(([name, member]) => {
      const schema = under(place, "properties", name);
      if (schema !== undefined) return mismatches(schema, member, `${at}.${name}`);
      if (isNode(additional))
        return mismatches(resolve({ in: place.in, node: additional }), member, `${at}.${name}`);
      return additional === true ? [] : [`${at}.${name} is not described`];
    }),
  ];
}

/**
 * Where a value differs from a schema. Of JSON Schema only what the descriptions use; and stricter: a member that is
 * not described differs also where a schema leaves room for further ones.
 */
export function mismatches(place: Place, value: unknown, at = "$"): readonly string[] {
  const { node } = place;
  const choices = listOf(node["oneOf"]).filter(isNode);
  if (choices.length > 0) {
    const tried = choices.map((choice) =>
      mismatches(resolve({ in: place.in, node: choice }), value, at),
    );
    const fitting = tried.filter((found) => found.length === 0).length;
    return fitting === 1 ? [] : [`${at} fits ${fitting} choices: ${tried.flat().join("; ")}`];
  }
  if (Object.hasOwn(node, "const") && node["const"] !== value) return [`${at} is not the constant`];
  const type = node["type"];
  const isType = typeof type === "string" ? TYPES[type] : undefined;
  if (isType !== undefined && !isType(value)) return [`${at} is no ${wordOf(type)}`];
  if (Array.isArray(node["enum"]) && !node["enum"].includes(value))
    return [`${at} is another word`];
  if (wrongScalar(node, value)) return [`${at} is out of bounds`];
  const items = under(place, "items");
  if (Array.isArray(value) && items !== undefined)
    return value.flatMap((item, i) => mismatches(items, item, `${at}[${i}]`));
  return isNode(value) ? wrongMembers(place, value, at) : [];
}

/** One call that is described. */
export interface Operation {
  readonly tag: string;
  /** `GET /v1/entries/{name}` */
  readonly what: string;
  readonly at: Place;
}

const METHODS: ReadonlySet<string> = new Set(["get", "post", "put", "patch", "delete"]);

export function operationsOf(description: Description): readonly Operation[] {
  const paths = description.root["paths"];
  return Object.entries(isNode(paths) ? paths : {}).flatMap(([path, item]) =>
    Object.entries(isNode(item) ? item : {})
      .filter(([method]) => METHODS.has(method))
      .map(([method, node]) => {
        if (!isNode(node)) throw new Error(`${path} ${method} is empty`);
        const [tag] = listOf(node["tags"]);
        return {
          tag: String(tag),
          what: `${method.toUpperCase()} ${path}`,
          at: { in: description, node },
        };
      }),
  );
}
