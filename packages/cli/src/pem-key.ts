import { createPrivateKey, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { basename } from "node:path";
import { makeOwnerJws, Refusal } from "@countersign/core";
import type { OwnerPublicKey } from "@countersign/core";
import { publicJwkOf, signerOf } from "@countersign/node";
import type { OwnerSigner } from "./signing.ts";

const BLOCK = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n[^]*?^-----END \1-----/gm;
const PRIVATE = ["PRIVATE KEY", "EC PRIVATE KEY"];
const PUBLIC = ["PUBLIC KEY", "CERTIFICATE"];
const ENCRYPTED = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;
const OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----";

const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", P256: "P-256" };

/** Whether a key file is PEM as OpenSSL writes it; OpenSSH's own form is not. */
export function isPem(text: string): boolean {
  return /^-----BEGIN /m.test(text) && !text.startsWith(OPENSSH);
}

/** The first block with one of these labels. Blocks of parameters before a key, and text between blocks, are passed over. */
function blockOf(text: string, labels: readonly string[]): string | undefined {
  for (const [block, label = ""] of text.matchAll(BLOCK)) if (labels.includes(label)) return block;
  return undefined;
}

/** The key that a block holds, of a kind that signs here; its words are ours: OpenSSL's could quote the file. */
function keyIn(path: string, block: string, read: (block: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read(block);
  } catch {
    throw new Refusal("invalid_key", `${path} holds no key that OpenSSL can read`, betterKey(path));
  }
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details } = key;
  const curve = details?.namedCurve ?? "unnamed curve";
  if (type === "ed25519" || (type === "ec" && CURVES[curve] === "P-256")) return key;
  const what = type === "ec" ? `a key on ${curve}` : `a key of type ${type}`;
  throw new Refusal("key_unsupported", `${path} holds ${what}`, betterKey(path));
}

const betterKey = (path: string): string =>
  `Make one that signs here: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ${path.replace(/(\.pem|\.key)?$/, "-p256.pem")} (or -algorithm ed25519).`;

function refuseEncrypted(path: string, text: string): void {
  if (!ENCRYPTED.test(text)) return;
  throw new Refusal(
    "key_unsupported",
    `${path} is encrypted`,
    `Let openssl ask for its passphrase: openssl pkey -in ${path} -pubout -out ${path}.pub, then this command with --key ${path}.pub --print, which says how to sign with ${path}.`,
  );
}

function refuseOther(path: string, text: string): never {
  const labels = [...text.matchAll(BLOCK)].map(([, label]) => label);
  const isOtherKey = labels.some((label) => /^(RSA|DSA) (PRIVATE|PUBLIC) KEY$/.test(label ?? ""));
  throw new Refusal(
    isOtherKey ? "key_unsupported" : "invalid_key",
    isOtherKey ? `${path} holds a key of type RSA or DSA` : `${path} holds no key`,
    betterKey(path),
  );
}

/** The public key in a PEM file: of its private key, its public key, or its first certificate. @throws Refusal `key_unsupported`, `invalid_key` */
export function readPemKey(path: string, text: string): OwnerPublicKey {
  refuseEncrypted(path, text);
  const own = blockOf(text, PRIVATE);
  const shown = blockOf(text, PUBLIC);
  if (own !== undefined) return { jwk: publicJwkOf(keyIn(path, own, createPrivateKey)) };
  if (shown !== undefined) return { jwk: publicJwkOf(keyIn(path, shown, createPublicKey)) };
  return refuseOther(path, text);
}

/**
 * The signer of a PEM file that holds an unencrypted private key, PKCS#8 or SEC1, P-256 or Ed25519: it signs JWS.
 * @throws Refusal `key_unsupported`, `invalid_key`
 */
export function openPemKey(path: string, text: string): OwnerSigner {
  const key = readPemKey(path, text);
  const own = blockOf(text, PRIVATE);
  if (own === undefined)
    throw new Refusal(
      "key_unsupported",
      "only the public part of the key is here",
      `Name the file of the private key, or sign elsewhere: this command with --key ${path} --print says how.`,
    );
  const signer = signerOf(keyIn(path, own, createPrivateKey));
  return { key, comment: basename(path), sign: (statement) => makeOwnerJws(signer, statement) };
}
