import { join } from "node:path";
import { fromUtf8 } from "@countersign/core";
import { parseConfig, printConfig, readPrivateFile } from "@countersign/node";
import type { ConfigSchema } from "@countersign/node";
import { say } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

const MAX_CONFIG_BYTES = 65_536;

function defaultsOf<T extends object>(schema: ConfigSchema<T>): Partial<T> {
  const rows = Object.entries<{ readonly default?: unknown }>(schema);
  const values = rows.flatMap(([name, row]) =>
    row.default === undefined ? [] : [[name, row.default] as const],
  );
  return Object.fromEntries(values) as Partial<T>; // each value is its row's own default
}

/**
 * Prints every setting of a daemon with what it decides, unit and default: as its file says, or the defaults where
 * there is none yet.
 * @throws Refusal `configuration_invalid`, `private_mode`
 */
export async function printSettings<T extends object>(
  cli: Cli,
  folder: string,
  file: string,
  schema: ConfigSchema<T>,
): Promise<void> {
  const path = join(folder, file);
  const octets = await readPrivateFile(path, MAX_CONFIG_BYTES);
  say(cli, octets === undefined ? `No ${path} yet: these are the defaults.` : `Read ${path}.`);
  const values = octets === undefined ? defaultsOf(schema) : parseConfig(fromUtf8(octets), schema);
  const text = printConfig(schema, values as T); // members that are missing are printed as unset
  cli.stdout.write(cli.isJson ? `${JSON.stringify(values, undefined, 2)}\n` : text);
}
