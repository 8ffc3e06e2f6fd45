import type { Bytes, Jwk, OkpJwk, Random } from "../../crypto.ts";
import { base64, concat, equalBytes, fromBase64, fromBase64url, utf8 } from "../../bytes.ts";
import { sameKey } from "../../jose/jwk.ts";
import { Refusal } from "../../refusal.ts";
import { blobOfJwk, readKeyBlob, readKeyMembers } from "./key.ts";
import { SshReader, sshString, sshUint32 } from "./wire.ts";

/** A private key from a file. `seedOrScalar` is the Ed25519 seed or the P-256 scalar, 32 octets: a secret. */
export interface OpensshPrivateKey {
  readonly kind: "ed25519" | "ecdsa-p256";
  readonly jwk: Jwk;
  readonly seedOrScalar: Bytes;
  readonly comment: string;
}

const BEGIN = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: Bytes = concat(utf8("openssh-key-v1"), Uint8Array.of(0));
const MAX_FILE_LENGTH = 16_384;
const COLUMNS = 70;
const BLOCK_BYTES = 8;
const SECRET_BYTES = 32;
const USE_THE_AGENT = "Load it with ssh-add and sign through the ssh-agent.";

function fail(why: string): never {
  throw new Refusal("invalid_key", why);
}

function unarmor(text: string): Bytes {
  const lines = text.slice(0, MAX_FILE_LENGTH).trim().split(/\r?\n/);
  if (text.length > MAX_FILE_LENGTH || lines.at(0) !== BEGIN || lines.at(-1) !== END)
    return fail("not an OpenSSH private key file");
  try {
    return fromBase64(lines.slice(1, -1).join(""));
  } catch {
    return fail("the private key file is not base64");
  }
}

/** The public blob and the section that an encrypted file would hide. */
function openContainer(data: Bytes): { readonly blob: Bytes; readonly section: Bytes } {
  const reader = new SshReader(data, "invalid_key");
  if (!equalBytes(reader.take(MAGIC.length), MAGIC)) reader.fail("another private key format");
  const cipher = reader.text();
  const kdf = reader.text();
  const kdfOptions = reader.string();
  if (cipher !== "none" || kdf !== "none" || kdfOptions.length !== 0)
    throw new Refusal("key_unsupported", "the private key is encrypted", USE_THE_AGENT);
  if (reader.uint32() !== 1) reader.fail("the file holds more than one key");
  const blob = reader.string();
  const section = reader.string();
  reader.end();
  return { blob, section };
}

function checkPadding(reader: SshReader): void {
  for (let i = 1; !reader.isAtEnd(); i += 1)
    if (i >= BLOCK_BYTES || reader.uint8() !== i) reader.fail("bad padding");
}

function readSecret(reader: SshReader, jwk: Jwk): Bytes {
  if (jwk.kty === "EC") return reader.mpint(SECRET_BYTES);
  const both = reader.string(2 * SECRET_BYTES);
  const isWhole = both.length === 2 * SECRET_BYTES;
  if (!isWhole || !equalBytes(both.subarray(SECRET_BYTES), fromBase64url(jwk.x)))
    reader.fail("the halves of the key differ");
  return both.subarray(0, SECRET_BYTES);
}

/**
 * Reads an unencrypted OpenSSH private key file of an Ed25519 or P-256 key (PROTOCOL.key). That the secret belongs
 * to the public key is proved by the first signature made with it.
 * @throws Refusal `key_unsupported` (encrypted, `sk-`, RSA and others), `invalid_key`
 */
export function parseOpensshPrivateKey(text: string): OpensshPrivateKey {
  const { blob, section } = openContainer(unarmor(text));
  const outer = readKeyBlob(blob);
  if (outer.app !== undefined)
    throw new Refusal(
      "key_unsupported",
      "the file only points to a security key",
      "Sign with ssh-keygen -Y sign, or load it with ssh-add: the security key does the rest.",
    );
  const reader = new SshReader(section, "invalid_key");
  if (reader.uint32() !== reader.uint32()) reader.fail("the check numbers differ");
  const { kind, jwk } = readKeyMembers(reader, reader.text());
  if (!sameKey(jwk, outer.jwk)) reader.fail("the private key is another one than the public key");
  if (kind !== "ed25519" && kind !== "ecdsa-p256")
    throw new Refusal("key_unsupported", `private keys of ${kind} are not taken`);
  const seedOrScalar = readSecret(reader, jwk);
  const comment = reader.text(1024);
  checkPadding(reader);
  return { kind, jwk, seedOrScalar, comment };
}

/**
 * Writes an unencrypted OpenSSH private key file of an Ed25519 key. The file is a secret: mode 0600.
 */
export function writeOpensshPrivateKey(
  random: Random,
  key: { readonly jwk: OkpJwk; readonly seed: Bytes; readonly comment?: string },
): string {
  const publicOctets = fromBase64url(key.jwk.x);
  const check = random(4);
  const section = concat(
    check,
    check,
    sshString("ssh-ed25519"),
    sshString(publicOctets),
    sshString(concat(key.seed, publicOctets)),
    sshString(key.comment ?? ""),
  );
  const padding = Uint8Array.from(
    { length: (BLOCK_BYTES - (section.length % BLOCK_BYTES)) % BLOCK_BYTES },
    (_, i) => i + 1,
  );
  const file = concat(
    MAGIC,
    sshString("none"),
    sshString("none"),
    sshString(""),
    sshUint32(1),
    sshString(blobOfJwk(key.jwk)),
    sshString(concat(section, padding)),
  );
  const lines = base64(file).match(new RegExp(`.{1,${COLUMNS}}`, "g")) ?? [];
  return `${[BEGIN, ...lines, END].join("\n")}\n`;
}
