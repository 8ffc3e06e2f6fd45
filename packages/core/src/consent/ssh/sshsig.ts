import type { Bytes, Crypto, Jwk, Signer } from "../../crypto.ts";
import { algorithmOf } from "../../crypto.ts";
import { base64, concat, equalBytes, fromBase64, utf8 } from "../../bytes.ts";
import { Refusal } from "../../refusal.ts";
import { readKeyBlob, sshKeyOf, sshTypeOf } from "./key.ts";
import type { SshKey, SshKeyKind } from "./key.ts";
import { SshReader, sshMpint, sshString, sshUint32 } from "./wire.ts";

/** The namespace of every consent signature: no signature made for git, a login or a file has it. */
export const CONSENT_NAMESPACE = "agent-consent-v1@countersign";

export type SshHash = "sha256" | "sha512";

/** An SSHSIG blob, split; nothing is verified yet. */
export interface Sshsig {
  readonly publicKey: Bytes;
  readonly namespace: string;
  readonly hash: SshHash;
  readonly signature: Bytes;
}

/** What a verified SSH signature says of its making. `flags` and `counter` are there for `sk-` keys only. */
export interface SshsigFacts {
  readonly kind: SshKeyKind;
  readonly flags?: number;
  readonly counter?: number;
}

const MAGIC: Bytes = utf8("SSHSIG");
const VERSION = 1;
const MAX_SSHSIG_BYTES = 4096;
const MAX_NAMESPACE_BYTES = 128;
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const BEGIN = "-----BEGIN SSH SIGNATURE-----";
const END = "-----END SSH SIGNATURE-----";
const ARMOR_COLUMNS = 70;
const FIELD_BYTES = { "P-256": 32, "P-384": 48, "P-521": 66 } as const;

/**
 * Splits an SSHSIG blob: magic, version 1, key, namespace, empty reserved field, hash, signature, nothing after.
 * @throws Refusal `signature_invalid`
 */
export function readSshsig(blob: Bytes): Sshsig {
  if (blob.length > MAX_SSHSIG_BYTES)
    throw new Refusal("signature_invalid", "SSHSIG over its limit");
  const reader = new SshReader(blob, "signature_invalid");
  if (!equalBytes(reader.take(MAGIC.length), MAGIC)) reader.fail("not an SSHSIG");
  if (reader.uint32() !== VERSION) reader.fail("SSHSIG of another version");
  const publicKey = reader.string();
  const namespace = reader.text(MAX_NAMESPACE_BYTES);
  // ssh-keygen signs an empty field whatever stands here: other octets would be unsigned ones
  if (reader.string().length !== 0) reader.fail("the reserved field is not empty");
  const hash = reader.text();
  if (hash !== "sha256" && hash !== "sha512") return reader.fail("hash is not sha256 or sha512");
  const signature = reader.string();
  reader.end();
  return { publicKey, namespace, hash, signature };
}

/** The octets of an SSHSIG blob. */
export function writeSshsig(sshsig: Sshsig): Bytes {
  return concat(
    MAGIC,
    sshUint32(VERSION),
    sshString(sshsig.publicKey),
    sshString(sshsig.namespace),
    sshString(""),
    sshString(sshsig.hash),
    sshString(sshsig.signature),
  );
}

/**
 * The blob in an armoured signature, as `ssh-keygen -Y sign` writes it.
 * @throws Refusal `signature_invalid`
 */
export function readArmor(text: string): Bytes {
  const lines = text
    .slice(0, 2 * MAX_SSHSIG_BYTES)
    .trim()
    .split(/\r?\n/);
  if (text.length > 2 * MAX_SSHSIG_BYTES || lines.at(0) !== BEGIN || lines.at(-1) !== END)
    throw new Refusal("signature_invalid", "not an armoured SSH signature");
  return fromBlobText(lines.slice(1, -1).join(""));
}

/** The armour that `ssh-keygen -Y verify` reads. */
export function writeArmor(blob: Bytes): string {
  const lines = base64(blob).match(new RegExp(`.{1,${ARMOR_COLUMNS}}`, "g")) ?? [];
  return `${[BEGIN, ...lines, END].join("\n")}\n`;
}

function fromBlobText(text: string): Bytes {
  try {
    return fromBase64(text);
  } catch {
    throw new Refusal("signature_invalid", "the SSH signature is not base64");
  }
}

/** What an SSH key signs for a message: magic, namespace, empty reserved field, hash name, hash of the message. */
export function sshsigSignedData(
  c: Crypto,
  namespace: string,
  hash: SshHash,
  message: Bytes,
): Bytes {
  const digest = hash === "sha256" ? c.sha256(message) : c.sha512(message);
  return concat(MAGIC, sshString(namespace), sshString(""), sshString(hash), sshString(digest));
}

function readEcdsa(data: Bytes, jwk: Jwk): Bytes {
  const reader = new SshReader(data, "signature_invalid");
  const width = jwk.kty === "EC" ? FIELD_BYTES[jwk.crv] : 0;
  const raw = concat(reader.mpint(width), reader.mpint(width));
  reader.end();
  return raw;
}

/** Splits the inner signature: its type must be the key's, and flags and counter follow for `sk-` keys. */
function readInner(
  signature: Bytes,
  key: SshKey,
): { readonly raw: Bytes; readonly flags: number; readonly counter: number } {
  const reader = new SshReader(signature, "signature_invalid");
  if (reader.text() !== sshTypeOf(key.kind)) reader.fail("the signature's type is not the key's");
  const body = reader.string();
  const isSk = key.app !== undefined;
  const flags = isSk ? reader.uint8() : 0;
  const counter = isSk ? reader.uint32() : 0;
  reader.end();
  return { raw: key.jwk.kty === "EC" ? readEcdsa(body, key.jwk) : body, flags, counter };
}

/**
 * Verifies an SSHSIG over a message with the key that is expected. For `sk-` keys the user must have been present
 * **and** verified: `ssh-keygen -Y verify` accepts signatures without either, so only this check demands them.
 * The counter is told, and judged by whoever keeps state.
 * @throws Refusal `namespace_mismatch`, `key_not_enrolled` (made by another key), `signature_invalid`, `user_not_present`, `user_not_verified`
 */
export async function verifySshsig(
  c: Crypto,
  input: {
    /** The blob, or its base64 on one line. */
    readonly signature: Bytes | string;
    readonly message: Bytes;
    readonly namespace: string;
    readonly key: SshKey;
  },
): Promise<SshsigFacts> {
  const { signature, message, namespace, key } = input;
  const sshsig = readSshsig(typeof signature === "string" ? fromBlobText(signature) : signature);
  if (sshsig.namespace !== namespace) throw new Refusal("namespace_mismatch");
  if (!equalBytes(sshsig.publicKey, key.blob))
    throw new Refusal("key_not_enrolled", "signed by another key");
  const { raw, flags, counter } = readInner(sshsig.signature, key);
  const inner = sshsigSignedData(c, namespace, sshsig.hash, message);
  const signed =
    key.app === undefined
      ? inner
      : concat(c.sha256(utf8(key.app)), Uint8Array.of(flags), sshUint32(counter), c.sha256(inner));
  if (!(await c.verify(algorithmOf(key.jwk), key.jwk, signed, raw)))
    throw new Refusal("signature_invalid", "the SSH signature does not verify");
  if (key.app === undefined) return { kind: key.kind };
  if ((flags & USER_PRESENT) === 0) throw new Refusal("user_not_present");
  if ((flags & USER_VERIFIED) === 0) throw new Refusal("user_not_verified");
  return { kind: key.kind, flags, counter };
}

function writeInner(key: SshKey, raw: Bytes): Bytes {
  const half = raw.length / 2;
  const body =
    key.jwk.kty === "OKP"
      ? raw
      : concat(sshMpint(raw.subarray(0, half)), sshMpint(raw.subarray(half)));
  return concat(sshString(sshTypeOf(key.kind)), sshString(body));
}

/**
 * Makes the SSHSIG blob of a message with a plain key, as `ssh-keygen -Y sign` would. The `s` of an owner's
 * signature is its base64.
 */
export async function makeSshsig(
  c: Crypto,
  signer: Signer,
  namespace: string,
  message: Bytes,
): Promise<Bytes> {
  const key = sshKeyOf(signer.key);
  const raw = await signer.sign(sshsigSignedData(c, namespace, "sha512", message));
  return writeSshsig({
    publicKey: key.blob,
    namespace,
    hash: "sha512",
    signature: writeInner(key, raw),
  });
}

/**
 * The key that a signature says it was made by, to find it among those enrolled; proves nothing.
 * @throws Refusal `signature_invalid`, `key_unsupported`, `invalid_key`
 */
export function claimedKeyOf(signature: Bytes | string): SshKey {
  const blob = typeof signature === "string" ? fromBlobText(signature) : signature;
  return readKeyBlob(readSshsig(blob).publicKey);
}
