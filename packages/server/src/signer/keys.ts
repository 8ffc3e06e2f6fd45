import { createHmac } from "node:crypto";
import { join } from "node:path";
import { Members, parseJson, Refusal, vkeyOf } from "@countersign/core";
import type { Bytes, Crypto, Json, Random, Seconds, Signer } from "@countersign/core";
import {
  loadOrCreateSigner,
  privateDirectory,
  readPrivateFile,
  writePrivateFile,
} from "@countersign/node";
import type { ServerConfig } from "../config.ts";
import type { ServerKeys, WitSigner } from "../world.ts";
import { createHierarchy, loadHierarchy } from "./hierarchy.ts";

const WIT_LIFE_SECONDS: Seconds = 30 * 86_400;
/** Octets of the key that nonces are authenticated with. */
export const NONCE_KEY_BYTES = 32;
const EARLIER_SECONDS = 300;
const MAX_WIT_KEYS = 16;

/** Folders below the data directory. The root keys lie apart: a running server does not need them. */
export function foldersOf(data: string): { readonly keys: string; readonly roots: string } {
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
  for (const hierarchy of ["infrastructure", "agents"] as const)
    await createHierarchy(folders, hierarchy, { ...given, origin: config.origin });
  await loadOrCreateSigner(folders.keys, "wit-1", "P-256");
  await loadOrCreateSigner(folders.keys, "log", "Ed25519");
  await writePrivateFile(join(folders.keys, "nonce.key"), given.random(NONCE_KEY_BYTES));
  const wit = [
    { name: "wit-1", nbf: given.now - EARLIER_SECONDS, exp: given.now + WIT_LIFE_SECONDS },
  ];
  await writePrivateFile(join(folders.keys, "wit.json"), `${JSON.stringify(wit, undefined, 2)}\n`);
}

async function loadWit(keys: string): Promise<readonly WitSigner[]> {
  const octets = await readPrivateFile(join(keys, "wit.json"));
  if (octets === undefined) throw new Refusal("signer_unsuitable", "wit.json is missing");
  const list: Json = parseJson(octets, { maxBytes: 65_536, maxDepth: 3 });
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_WIT_KEYS)
    throw new Refusal("signer_unsuitable", "wit.json is not a list of keys");
  const signers: WitSigner[] = [];
  for (const item of list as readonly Json[]) {
    const members = new Members(item, "signer_unsuitable", "wit.json");
    const name = members.text("name", { pattern: /^wit-[0-9]{1,6}$/ });
    signers.push({
      signer: await loadOrCreateSigner(keys, name, "P-256"),
      nbf: members.integer("nbf"),
      exp: members.integer("exp"),
    });
  }
  return signers.toSorted((a, b) => a.nbf - b.nbf);
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

/**
 * Loads what a running server signs with. The log named is the first one; a store that has gone on to another says so.
 * @throws Refusal `signer_unsuitable`, `private_mode`
 */
export async function loadKeys(
  data: string,
  config: ServerConfig,
  c: Crypto,
  now: Seconds,
): Promise<{ readonly keys: ServerKeys; readonly logSigner: Signer }> {
  const folder = foldersOf(data).keys;
  await privateDirectory(folder);
  const agents = await loadHierarchy(folder, "agents", c, now);
  const infrastructure = await loadHierarchy(folder, "infrastructure", c, now);
  const logSigner = await loadFirstLogSigner(folder);
  const keys: ServerKeys = {
    agents,
    infrastructure,
    agentsRoot: agents.root,
    infrastructureRoot: infrastructure.root,
    wit: await loadWit(folder),
    logVkey: vkeyOf(c, config.logOrigin, logSigner.key),
    mac: await loadMac(folder),
  };
  return { keys, logSigner };
}
