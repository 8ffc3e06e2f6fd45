import { open } from "node:fs/promises";
import { CST, Lexer, parseDocument } from "yaml";
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

function invalid(name: string, why: string): Refusal {
  return new Refusal("configuration_invalid", `${name} ${why}`, `Correct the setting ${name}.`);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_TEXT_CHARACTERS;
}

function readInteger(
  name: string,
  option: ConfigOption & { type: "integer" },
  value: unknown,
): number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max)
    throw invalid(name, `is not an integer from ${min} to ${max}`);
  return value;
}

function readString(
  name: string,
  option: ConfigOption & { type: "string" },
  value: unknown,
): string {
  if (!isText(value)) throw invalid(name, "is not a text");
  if (option.choices !== undefined && !option.choices.includes(value))
    throw invalid(name, `is not one of ${option.choices.join(", ")}`);
  if (option.pattern !== undefined && !option.pattern.test(value))
    throw invalid(name, "has a bad form");
  return value;
}

function readValue(name: string, option: ConfigOption, value: unknown): ConfigValue {
  switch (option.type) {
    case "boolean":
      if (typeof value !== "boolean") throw invalid(name, "is not true or false");
      return value;
    case "integer":
      return readInteger(name, option, value);
    case "string":
      return readString(name, option, value);
    default:
      if (!Array.isArray(value) || value.length > MAX_LIST_ITEMS || !value.every(isText))
        throw invalid(name, `is not a list of at most ${MAX_LIST_ITEMS} texts`);
      return value;
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

/** The document as a plain map. Aliases, tags and duplicate keys are refused: none has a use here. */
function parseYaml(text: string): ReadonlyMap<string, unknown> {
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
      `not YAML at line ${text.slice(0, problem.pos[0]).split("\n").length}: ${problem.code}`,
    );
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
 * @throws Refusal `configuration_invalid`, naming the setting, for whatever is unknown, missing or not of its type
 */
export function parseConfig<T>(text: string, schema: ConfigSchema<T>): T {
  const table = schema as Table; // the rows of a ConfigSchema are options
  const given = parseYaml(text);
  for (const name of given.keys())
    if (!Object.hasOwn(table, name)) throw invalid(name, "is not a known setting");
  const values: Record<string, ConfigValue> = {};
  for (const [name, option] of Object.entries(table)) {
    const value = given.get(name);
    if (value !== undefined) values[name] = readValue(name, option, value);
    else if (option.default !== undefined) values[name] = option.default;
    else if (option.required === true) throw invalid(name, "is missing");
  }
  return values as T; // one value of the row's type for each member, as ConfigSchema ties them
}

/**
 * Reads a configuration file of at most 64 KiB. Without a path: the defaults.
 * @throws Refusal `configuration_invalid`
 */
export async function readYamlConfig<T>(
  path: string | undefined,
  schema: ConfigSchema<T>,
): Promise<T> {
  if (path === undefined) return parseConfig("", schema);
  let text: string;
  try {
    const file = await open(path, "r");
    try {
      const found = await file.stat();
      if (!found.isFile() || found.size > MAX_CONFIG_BYTES)
        throw new Refusal("configuration_invalid", "not a file of at most 64 KiB");
      text = await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal("configuration_invalid", "the file cannot be read", `Check ${path}.`);
  }
  return parseConfig(text, schema);
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
