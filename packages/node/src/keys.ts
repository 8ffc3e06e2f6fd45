import { createPrivateKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { fromUtf8, Refusal } from "@countersign/core";
import type { Signer } from "@countersign/core";
import { generatePrivateKey, signerOf } from "./crypto.ts";
import { createPrivateFile, privateDirectory, readPrivateFile, writePrivateFile } from "./files.ts";

const MAX_KEY_BYTES = 16_384;
const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;

/** PKCS#8 PEM of a private key, unencrypted: for its file and for TLS listeners only. */
export function privateKeyToPem(key: KeyObject): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}

/** Writes a private key, PKCS#8 PEM, mode 0600, atomically. @throws Refusal `private_mode` */
export async function savePrivateKey(path: string, key: KeyObject): Promise<void> {
  await writePrivateFile(path, privateKeyToPem(key));
}

/**
 * The private key in a file, or undefined where there is none.
 * @throws Refusal `private_mode`, `signer_unsuitable` (not an unencrypted private key)
 */
export async function loadPrivateKey(path: string): Promise<KeyObject | undefined> {
  const octets = await readPrivateFile(path, MAX_KEY_BYTES);
  if (octets === undefined) return undefined;
  try {
    return createPrivateKey(fromUtf8(octets));
  } catch {
    // OpenSSL's words could quote the file
    throw new Refusal("signer_unsuitable", `${path} is not an unencrypted private key`);
  }
}

async function loadSigner(path: string, kind: "P-256" | "Ed25519"): Promise<Signer | undefined> {
  const key = await loadPrivateKey(path);
  if (key === undefined) return undefined;
  const type = key.asymmetricKeyType;
  if (type !== "ec" && type !== "ed25519")
    throw new Refusal("signer_unsuitable", `${path} is not a ${kind} key`);
  const signer = signerOf(key); // parsed once: parsing at each signature costs more than signing
  if (signer.key.crv !== kind)
    throw new Refusal("signer_unsuitable", `${path} is not a ${kind} key`);
  return signer;
}

/**
 * The signer whose key lies in `<folder>/<name>.pem`, made on first use. Two processes that start at once get the
 * same key.
 * @throws Refusal `private_mode`, `signer_unsuitable` (another kind of key lies there)
 */
export async function loadOrCreateSigner(
  folder: string,
  name: string,
  kind: "P-256" | "Ed25519",
): Promise<Signer> {
  if (!NAME.test(name)) throw new TypeError("key names are lower-case file names");
  await privateDirectory(folder);
  const path = join(folder, `${name}.pem`);
  const found = await loadSigner(path, kind);
  if (found !== undefined) return found;
  await createPrivateFile(path, privateKeyToPem(generatePrivateKey(kind)));
  const made = await loadSigner(path, kind);
  if (made === undefined) throw new Refusal("signer_unsuitable", `${path} went away`);
  return made;
}
