import type { Bytes, EcJwk, Jwk } from "../../crypto.ts";
import { base64, base64url, concat, fromBase64, fromBase64url } from "../../bytes.ts";
import { Refusal } from "../../refusal.ts";
import { SshReader, sshString } from "./wire.ts";

/** Kinds of SSH keys whose signatures we can check. P-384 and P-521 do not enrol. */
export type SshKeyKind =
  "ed25519" | "ecdsa-p256" | "ecdsa-p384" | "ecdsa-p521" | "sk-ed25519" | "sk-ecdsa-p256";

/** Kinds of SSH keys that an owner may enrol. */
export type OwnerKeyKind = Exclude<SshKeyKind, "ecdsa-p384" | "ecdsa-p521">;

/** An SSH public key. `app` is the FIDO application of an `sk-` key and is there exactly for those. */
export interface SshKey<K extends SshKeyKind = SshKeyKind> {
  readonly kind: K;
  readonly jwk: Jwk;
  /** RFC 4253 key blob, as it was read. */
  readonly blob: Bytes;
  readonly app?: string;
}
export type OwnerKey = SshKey<OwnerKeyKind>;

interface KeyType {
  readonly kind: SshKeyKind;
  readonly crv: Jwk["crv"];
  /** Name of the curve inside the blob, where the format has one. */
  readonly curve?: string;
  readonly width: number;
  readonly hasApp: boolean;
}

const TYPES: Readonly<Record<string, KeyType>> = {
  "ssh-ed25519": { kind: "ed25519", crv: "Ed25519", width: 32, hasApp: false },
  "ecdsa-sha2-nistp256": {
    kind: "ecdsa-p256",
    crv: "P-256",
    curve: "nistp256",
    width: 32,
    hasApp: false,
  },
  "ecdsa-sha2-nistp384": {
    kind: "ecdsa-p384",
    crv: "P-384",
    curve: "nistp384",
    width: 48,
    hasApp: false,
  },
  "ecdsa-sha2-nistp521": {
    kind: "ecdsa-p521",
    crv: "P-521",
    curve: "nistp521",
    width: 66,
    hasApp: false,
  },
  "sk-ssh-ed25519@openssh.com": { kind: "sk-ed25519", crv: "Ed25519", width: 32, hasApp: true },
  "sk-ecdsa-sha2-nistp256@openssh.com": {
    kind: "sk-ecdsa-p256",
    crv: "P-256",
    curve: "nistp256",
    width: 32,
    hasApp: true,
  },
};

const ENROLLED: readonly SshKeyKind[] = ["ed25519", "ecdsa-p256", "sk-ed25519", "sk-ecdsa-p256"];
const MAX_LINE_LENGTH = 2048;
const MAX_BLOB_BYTES = 1024;
const MAX_APP_BYTES = 255;
const APPLICATION = /^[\x21-\x7e]+$/;
const UNCOMPRESSED = 4;

/** The name that SSH gives to keys of this kind: first word of a public key line, first string of a blob. */
export function sshTypeOf(kind: SshKeyKind): string {
  const found = Object.entries(TYPES).find(([, type]) => type.kind === kind);
  return found === undefined ? "" : found[0];
}

function unsupported(name: string): never {
  const shown = /^[a-z0-9@.-]{1,64}$/.test(name) ? name : "an unknown type";
  throw new Refusal("key_unsupported", `SSH keys of ${shown} are not taken`);
}

function readPoint(reader: SshReader, type: KeyType): Jwk {
  if (type.crv === "Ed25519") {
    const x = reader.string(type.width);
    if (x.length !== type.width) return reader.fail("key has a bad length");
    return { kty: "OKP", crv: type.crv, x: base64url(x) };
  }
  if (reader.text() !== type.curve) return reader.fail("the curve differs from the key's type");
  const point = reader.string(2 * type.width + 1);
  if (point.length !== 2 * type.width + 1 || point[0] !== UNCOMPRESSED)
    return reader.fail("the point is not uncompressed");
  return {
    kty: "EC",
    crv: type.crv,
    x: base64url(point.subarray(1, 1 + type.width)),
    y: base64url(point.subarray(1 + type.width)),
  };
}

/**
 * Reads the members of a key that follow its type name, up to and with the application of an `sk-` key.
 * @throws Refusal `key_unsupported`, `invalid_key`
 */
export function readKeyMembers(
  reader: SshReader,
  name: string,
): { readonly kind: SshKeyKind; readonly jwk: Jwk; readonly app?: string } {
  const type = Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
  if (type === undefined) return unsupported(name);
  const jwk = readPoint(reader, type);
  if (!type.hasApp) return { kind: type.kind, jwk };
  const app = reader.text(MAX_APP_BYTES);
  if (!APPLICATION.test(app)) reader.fail("the FIDO application is not printable");
  return { kind: type.kind, jwk, app };
}

/**
 * Reads a public key blob. Whether the point lies on its curve is for `Crypto.isValidKey`.
 * @throws Refusal `key_unsupported` (RSA, DSA, certificates), `invalid_key`
 */
export function readKeyBlob(blob: Bytes): SshKey {
  if (blob.length > MAX_BLOB_BYTES) throw new Refusal("key_unsupported", "SSH key over its limit");
  const reader = new SshReader(blob, "invalid_key");
  const members = readKeyMembers(reader, reader.text());
  reader.end();
  return { ...members, blob };
}

/**
 * Reads one line of a `.pub` file, of any kind whose signatures we can check.
 * @throws Refusal `key_unsupported`, `invalid_key`
 */
export function readPublicKeyLine(line: string): SshKey & { readonly comment: string } {
  const [name = "", body = "", ...comment] = line
    .slice(0, MAX_LINE_LENGTH + 1)
    .trim()
    .split(/ +/);
  if (line.length > MAX_LINE_LENGTH || /[\r\n]/.test(line.trim()))
    throw new Refusal("invalid_key", "not one line of a public key file");
  if (!Object.hasOwn(TYPES, name)) return unsupported(name);
  let blob: Bytes;
  try {
    blob = fromBase64(body);
  } catch {
    throw new Refusal("invalid_key", "the key is not base64");
  }
  const key = readKeyBlob(blob);
  if (sshTypeOf(key.kind) !== name) throw new Refusal("invalid_key", "the line and the key differ");
  return { ...key, comment: comment.join(" ") };
}

/**
 * Reads the public key line of a key that an owner may enrol.
 * @throws Refusal `key_unsupported`, `invalid_key`
 */
export function parsePublicKeyLine(line: string): OwnerKey & { readonly comment: string } {
  const key = readPublicKeyLine(line);
  return isOwnerKey(key) ? { ...key, comment: key.comment } : unsupported(sshTypeOf(key.kind));
}

/** Whether a key is of a kind that enrols. */
export function isOwnerKey<K extends SshKey>(key: K): key is K & OwnerKey {
  return ENROLLED.includes(key.kind);
}

/** One line of a `.pub` or `allowed_signers` file: type and base64 of the blob. */
export function writePublicKeyLine(key: SshKey, comment = ""): string {
  return `${sshTypeOf(key.kind)} ${base64(key.blob)}${comment === "" ? "" : ` ${comment}`}`;
}

function pointOf(key: EcJwk): Bytes {
  return concat(Uint8Array.of(UNCOMPRESSED), fromBase64url(key.x), fromBase64url(key.y));
}

/**
 * The SSH form of a public key: an `sk-` key when `app` is given.
 * @throws Refusal `key_unsupported` for an `app` beside a key that no authenticator makes
 */
export function sshKeyOf(jwk: Jwk, app?: string): SshKey {
  const found = Object.entries(TYPES).find(
    ([, type]) => type.crv === jwk.crv && type.hasApp === (app !== undefined),
  );
  if (found === undefined) throw new Refusal("key_unsupported", `no sk- key of ${jwk.crv}`);
  const [name, type] = found;
  const point =
    jwk.kty === "OKP"
      ? sshString(fromBase64url(jwk.x))
      : concat(sshString(type.curve ?? ""), sshString(pointOf(jwk)));
  const tail = app === undefined ? new Uint8Array(0) : sshString(app);
  const blob = concat(sshString(name), point, tail);
  return { kind: type.kind, jwk, blob, ...(app === undefined ? {} : { app }) };
}

/** The key blob of a public key, as `sshKeyOf`. */
export function blobOfJwk(jwk: Jwk, app?: string): Bytes {
  return sshKeyOf(jwk, app).blob;
}
