import { createHmac } from "node:crypto";
import { join } from "node:path";
import { Refusal, vkeyOf } from "@countersign/core";
import type { Bytes, Crypto, Random, Seconds, Signer } from "@countersign/core";
import {
  loadOrCreateSigner,
  privateDirectory,
  readPrivateFile,
  writePrivateFile,
} from "@countersign/node";
import type { ServerConfig } from "../config.ts";
import { createHierarchy, HIERARCHIES, loadHierarchy } from "./hierarchy.ts";
import type { KeyFolders } from "./hierarchy.ts";
import { LiveKeys } from "./live-keys.ts";
import type { LoadedKeys } from "./live-keys.ts";
import { createWit, loadWit } from "./wit-keys.ts";

/** Octets of the key that nonces are authenticated with. */
export const NONCE_KEY_BYTES = 32;

/** Folders below the data directory. The root keys lie apart: a running server does not need them. */
export function foldersOf(data: string): KeyFolders {
  return { keys: join(data, "keys"), roots: join(data, "roots") };
}

/**
 * Makes every key of a new server: both hierarchies, WIT, log and nonce keys.
 * @throws Refusal `private_mode`
 */
export async function createKeys(
  data: string,
  config: ServerConfig,
  given: { readonly c: Crypto; readonly random: Random; readonly now: Seconds },
): Promise<void> {
  const folders = foldersOf(data);
  await privateDirectory(folders.keys);
  await privateDirectory(folders.roots);
  for (const hierarchy of HIERARCHIES)
    await createHierarchy(folders, hierarchy, { ...given, origin: config.origin });
  await createWit(folders.keys, given.now);
  await loadOrCreateSigner(folders.keys, "log", "Ed25519");
  await writePrivateFile(join(folders.keys, "nonce.key"), given.random(NONCE_KEY_BYTES));
}

async function loadMac(keys: string): Promise<(data: Bytes) => Bytes> {
  const key = await readPrivateFile(join(keys, "nonce.key"));
  if (key?.length !== NONCE_KEY_BYTES)
    throw new Refusal("signer_unsuitable", "nonce.key is missing");
  return (data) => new Uint8Array(createHmac("sha256", key).update(data).digest());
}

/** The key of the server's first log. @throws Refusal `signer_unsuitable`, `private_mode` */
export function loadFirstLogSigner(keys: string): Promise<Signer> {
  return loadOrCreateSigner(keys, "log", "Ed25519");
}

/** The key of push messages (RFC 8292), made when the configuration first asks for it. @throws Refusal `signer_unsuitable`, `private_mode` */
export function loadPushSigner(data: string): Promise<Signer> {
  return loadOrCreateSigner(foldersOf(data).keys, "push", "P-256");
}

/**
 * Reads what a running server signs with, but for the log's key.
 * @throws Refusal `signer_unsuitable`, `private_mode`
 */
export async function readKeys(data: string, c: Crypto, now: Seconds): Promise<LoadedKeys> {
  const folder = foldersOf(data).keys;
  await privateDirectory(folder);
  return {
    agents: await loadHierarchy(folder, "agents", c, now),
    infrastructure: await loadHierarchy(folder, "infrastructure", c, now),
    wit: await loadWit(folder),
    mac: await loadMac(folder),
  };
}

/**
 * Loads what a running server signs with. The log named is the first one; a store that has gone on to another says so.
 * @throws Refusal `signer_unsuitable`, `private_mode`
 */
export async function loadKeys(
  data: string,
  config: ServerConfig,
  c: Crypto,
  clock: () => Seconds,
): Promise<{ readonly keys: LiveKeys; readonly logSigner: Signer }> {
  const loaded = await readKeys(data, c, clock());
  const logSigner = await loadFirstLogSigner(foldersOf(data).keys);
  return {
    keys: new LiveKeys(clock, loaded, vkeyOf(c, config.logOrigin, logSigner.key)),
    logSigner,
  };
}
