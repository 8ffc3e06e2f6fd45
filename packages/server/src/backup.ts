import { lstat, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  createPrivateFile,
  privateDirectory,
  readPrivateFile,
  writePrivateFile,
} from "@countersign/node";
import { Refusal } from "@countersign/core";
import { foldersOf } from "./signer/keys.ts";
import { Sqlite } from "./store/sqlite.ts";

const CONFIG_FILE = "server.yaml";
const DATABASE = "store.db";
const MAX_KEY_FILES = 1000;

/** What a copy holds, in the order of its making. */
export interface BackedUp {
  /** File names below the folder. */
  readonly files: readonly string[];
}

async function copyPrivate(from: string, to: string): Promise<void> {
  const octets = await readPrivateFile(from);
  if (octets === undefined) throw new Refusal("not_found", `${basename(from)} is not there`);
  await writePrivateFile(to, octets);
}

/** One state of the database, also while a server writes: SQLite copies inside of a reading transaction. */
async function copyDatabase(from: string, to: string): Promise<void> {
  await createPrivateFile(to, ""); // SQLite takes an empty file, and its mode
  const db = new Sqlite(from);
  try {
    db.exec("PRAGMA busy_timeout = 10000");
    db.run("VACUUM INTO :to", { to });
  } finally {
    db.close();
  }
}

/**
 * Copies what a server is made of into a new folder (mode 0700): database, configuration and keys, in this order, so
 * that the keys are never older than what names them. Not copied: the roots' keys, which lie elsewhere, and the last
 * checkpoint, without which a restored server holds until a person has recovered it: a copy is always older than what
 * was issued.
 * @throws Refusal `name_taken` where the folder is there already, `private_mode`, `not_found`
 */
export async function backupServer(data: string, target: string): Promise<BackedUp> {
  if ((await lstat(target).catch(() => undefined)) !== undefined)
    throw new Refusal("name_taken", `${target} is there already`, "Name a folder that is new.");
  if ((await lstat(join(data, DATABASE)).catch(() => undefined))?.isFile() !== true)
    throw new Refusal(
      "not_found",
      `no database in ${data}`,
      "Run the server once, then repeat it; or say where it is with --data DIR.",
    );
  const keys = foldersOf(data).keys;
  await privateDirectory(join(target, "keys"));
  await copyDatabase(join(data, DATABASE), join(target, DATABASE));
  await copyPrivate(join(data, CONFIG_FILE), join(target, CONFIG_FILE));
  const names = (await readdir(keys)).toSorted();
  if (names.length > MAX_KEY_FILES) throw new Refusal("too_large", "too many files in keys");
  for (const name of names) await copyPrivate(join(keys, name), join(target, "keys", name));
  return { files: [DATABASE, CONFIG_FILE, ...names.map((name) => join("keys", name))] };
}
