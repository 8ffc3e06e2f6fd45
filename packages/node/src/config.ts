import { open } from "node:fs/promises";
import { CST, isMap, isNode, isScalar, isSeq, Lexer, parseDocument } from "yaml";
import type { Document } from "yaml";
import { Refusal } from "@countersign/core";

const MAX_CONFIG_BYTES = 65_536;
const MAX_LIST_ITEMS = 1_000;
const MAX_TEXT_CHARACTERS = 4_096;
/** Levels within each other, or markers of levels on one line; settings need two. */
const MAX_NESTING = 64;

interface Described {
  /** One sentence: what it decides. */
  readonly doc: string;
  /** Of a number: `seconds`, `bytes` … Stands in the name, too. */
  readonly unit?: string;
  /** Must stand in the file; a required option has no default. */
  readonly required?: boolean;
}
/** One option: `default` and `required` both absent means that it may be left out and is then undefined. */
export type ConfigOption =
  | (Described & { readonly type: "boolean"; readonly default?: boolean })
  | (Described & {
      readonly type: "integer";
      readonly default?: number;
      /** Default 0. */
      readonly min?: number;
      readonly max?: number;
    })
  | (Described & {
      readonly type: "string";
      readonly default?: string;
      readonly choices?: readonly string[];
      readonly pattern?: RegExp;
    })
  | (Described & { readonly type: "strings"; readonly default?: readonly string[] });

export type ConfigValue = boolean | number | string | readonly string[];

type OptionFor<V> = Extract<
  ConfigOption,
  {
    readonly type: V extends boolean
      ? "boolean"
      : V extends number
        ? "integer"
        : V extends string
          ? "string"
          : "strings";
  }
>;

/**
 * The table of all options of a program, one for each member of its configuration's type, so that the two cannot
 * differ: `const SCHEMA: ConfigSchema<ServerConfig> = { api_port: { type: "integer", default: 8443, doc: "…" } }`.
 * A member that is always there needs `default` or `required` in its row; an optional member has neither.
 */
export type ConfigSchema<T> = { readonly [K in keyof T]-?: OptionFor<Exclude<T[K], undefined>> };

type Table = Readonly<Record<string, ConfigOption>>;

/** A refusal about one setting; in a list, about one item of it. */
type Fail = (why: string, item?: number) => Refusal;

function invalid(name: string, why: string, place?: string): Refusal {
  const where = place === undefined ? "" : `${place}: `;
  return new Refusal(
    "configuration_invalid",
    `${where}${name} ${why}`,
    `Correct the setting ${name}${place === undefined ? "" : ` (${place})`}.`,
  );
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT_CHARACTERS;
}

function readInteger(
  option: ConfigOption & { type: "integer" },
  value: unknown,
  fail: Fail,
): number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max)
    throw fail(`is not an integer from ${min} to ${max}`);
  return value;
}

function readString(option: ConfigOption & { type: "string" }, value: unknown, fail: Fail): string {
  if (!isText(value)) throw fail("is not a text");
  if (option.choices !== undefined && !option.choices.includes(value))
    throw fail(`is not one of ${option.choices.join(", ")}`);
  if (option.pattern !== undefined && !option.pattern.test(value)) throw fail("has a bad form");
  return value;
}

function readStrings(value: unknown, fail: Fail): readonly string[] {
  const why = `is not a list of at most ${MAX_LIST_ITEMS} texts`;
  if (!Array.isArray(value) || value.length > MAX_LIST_ITEMS) throw fail(why);
  return value.map((item: unknown, i) => {
    if (!isText(item)) throw fail(why, i);
    return item;
  });
}

function readValue(option: ConfigOption, value: unknown, fail: Fail): ConfigValue {
  switch (option.type) {
    case "boolean":
      if (typeof value !== "boolean") throw fail("is not true or false");
      return value;
    case "integer":
      return readInteger(option, value, fail);
    case "string":
      return readString(option, value, fail);
    default:
      return readStrings(value, fail);
  }
}

/**
 * The parser goes down a level for a level: far enough down, the stack ends inside of a regular expression, which ends
 * the process and not the call.
 */
function checkNesting(text: string): void {
  let levels = 0;
  let onLine = 0;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token) ?? "";
    if (type === "newline") onLine = 0;
    else if (/^flow-(map|seq)-start$/.test(type)) levels += 1;
    else if (/^flow-(map|seq)-end$/.test(type))
      levels = Math.max(0, levels - 1); // a stray one closes nothing
    else if (type.endsWith("-ind")) onLine += 1;
    if (levels + onLine > MAX_NESTING)
      throw new Refusal("configuration_invalid", "nested too deeply");
  }
}

/** `line 3, column 7`, both from 1. */
export function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split("\n");
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

/** What stood in a file, and where. */
interface Given {
  readonly values: ReadonlyMap<string, unknown>;
  placeOfName(name: string): string;
  /** Of the value, or of one item of it. */
  placeOfValue(name: string, item?: number): string;
}

/** Where a document's outermost names and their values stand. */
function placesIn(text: string, document: Document): Pick<Given, "placeOfName" | "placeOfValue"> {
  const place = (node: unknown): string | undefined =>
    isNode(node) && node.range ? placeOf(text, node.range[0]) : undefined;
  const find = (name: string): { readonly key: unknown; readonly value: unknown } | undefined =>
    isMap(document.contents)
      ? document.contents.items.find(({ key }) => isScalar(key) && key.value === name)
      : undefined;
  const placeOfName = (name: string): string => place(find(name)?.key) ?? "line 1, column 1";
  return {
    placeOfName,
    placeOfValue: (name, item) => {
      const value = find(name)?.value;
      const one = item !== undefined && isSeq(value) ? value.items[item] : undefined;
      return place(one) ?? place(value) ?? placeOfName(name);
    },
  };
}

/**
 * A YAML document; duplicate keys and what the parser warns of are refused.
 * @throws Refusal `configuration_invalid` with line and column
 */
export function parseYamlDocument(text: string): Document {
  if (text.length > MAX_CONFIG_BYTES) throw new Refusal("configuration_invalid", "file too large");
  checkNesting(text);
  // pretty errors take the whole line for each of them: quadratic
  const options = {
    version: "1.2",
    schema: "core",
    uniqueKeys: true,
    prettyErrors: false,
  } as const;
  const document = parseDocument(text, options);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined)
    throw new Refusal(
      "configuration_invalid",
      `not YAML at ${placeOf(text, problem.pos[0])}: ${problem.code}`,
    );
  return document;
}

/** The document as a plain map. Aliases, tags and duplicate keys are refused: none has a use here. */
function parseYaml(text: string): Given {
  const document = parseYamlDocument(text);
  return { values: plainMap(document), ...placesIn(text, document) };
}

function plainMap(document: Document): ReadonlyMap<string, unknown> {
  let value: unknown;
  try {
    value = document.toJS({ mapAsMap: true, maxAliasCount: 0 });
  } catch {
    throw new Refusal("configuration_invalid", "aliases are not allowed");
  }
  if (value === null) return new Map(); // an empty file
  if (!(value instanceof Map)) throw new Refusal("configuration_invalid", "not a list of settings");
  for (const name of value.keys())
    if (typeof name !== "string") throw new Refusal("configuration_invalid", "a name is no text");
  return value as ReadonlyMap<string, unknown>; // every key was looked at
}

/**
 * A configuration from its YAML text.
 * @throws Refusal `configuration_invalid`, naming the setting with line and column, for whatever is unknown, missing
 * or not of its type
 */
export function parseConfig<T>(text: string, schema: ConfigSchema<T>): T {
  const table = schema as Table; // the rows of a ConfigSchema are options
  const given = parseYaml(text);
  for (const name of given.values.keys())
    if (!Object.hasOwn(table, name))
      throw invalid(name, "is not a known setting", given.placeOfName(name));
  const values: Record<string, ConfigValue> = {};
  for (const [name, option] of Object.entries(table)) {
    const value = given.values.get(name);
    const fail: Fail = (why, item) => invalid(name, why, given.placeOfValue(name, item));
    if (value !== undefined) values[name] = readValue(option, value, fail);
    else if (option.default !== undefined) values[name] = option.default;
    else if (option.required === true) throw invalid(name, "is missing");
  }
  return values as T; // one value of the row's type for each member, as ConfigSchema ties them
}

/**
 * The text of a configuration file of at most 64 KiB.
 * @throws Refusal `configuration_invalid`
 */
export async function readConfigText(path: string): Promise<string> {
  try {
    const file = await open(path, "r");
    try {
      const found = await file.stat();
      if (!found.isFile() || found.size > MAX_CONFIG_BYTES)
        throw new Refusal("configuration_invalid", "not a file of at most 64 KiB");
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal("configuration_invalid", "the file cannot be read", `Check ${path}.`);
  }
}

/**
 * Reads a configuration file of at most 64 KiB. Without a path: the defaults.
 * @throws Refusal `configuration_invalid`
 */
export async function readYamlConfig<T>(
  path: string | undefined,
  schema: ConfigSchema<T>,
): Promise<T> {
  return parseConfig(path === undefined ? "" : await readConfigText(path), schema);
}

function defaultWords(option: ConfigOption): string {
  if (option.required === true) return "required";
  return option.default === undefined
    ? "no default"
    : `default ${JSON.stringify(option.default)}${option.unit === undefined ? "" : ` ${option.unit}`}`;
}

/** The configuration as YAML that reads back to the same values, each with what it decides, its unit and default. */
export function printConfig<T extends object>(schema: ConfigSchema<T>, values: T): string {
  const table = schema as Table; // the rows of a ConfigSchema are options
  const given = new Map(Object.entries(values));
  return Object.entries(table)
    .map(([name, option]) => {
      const value: unknown = given.get(name);
      const unit =
        option.unit !== undefined && option.default === undefined ? `, ${option.unit}` : "";
      const line = value === undefined ? `# ${name}:` : `${name}: ${JSON.stringify(value)}`;
      return `# ${option.doc} (${defaultWords(option)}${unit})\n${line}\n`;
    })
    .join("\n");
}
