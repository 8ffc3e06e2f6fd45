import type { Bytes, Crypto, Jwk } from "../crypto.ts";
import { base64url, hex } from "../bytes.ts";
import { FLAG, HEAD_BYTES, readAuthenticatorHead } from "../consent/authenticator-data.ts";
import { Refusal } from "../refusal.ts";
import { closedMap, readCborAt } from "./cbor.ts";
import type { Cbor } from "./cbor.ts";

/** What an authenticator says of a credential that it has just made (WebAuthn 6.5.1). */
export interface CredentialData {
  readonly key: Jwk;
  /** Make and model, 16 octets; zeros where it does not tell. */
  readonly aaguid: Bytes;
  readonly credentialId: Bytes;
  /** signCount. */
  readonly counter: number;
  /** BE: the key may be copied to other devices. */
  readonly backupEligible: boolean;
  /** BS: it has been. */
  readonly backedUp: boolean;
}

const AAGUID_BYTES = 16;
const MAX_CREDENTIAL_ID_BYTES = 1023;
/** Labels of a COSE key (RFC 9053 section 7): type, algorithm, curve, coordinates. */
const COSE = { kty: 1, alg: 3, crv: -1, x: -2, y: -3 } as const;
const [OKP, EC2] = [1, 2];
const FIELD_BYTES = 32;

const refuse = (why: string): never => {
  throw new Refusal("malformed_request", why);
};

function coordinate(value: Cbor | undefined): string {
  const isField = value instanceof Uint8Array && value.length === FIELD_BYTES;
  return isField ? base64url(value) : refuse("a coordinate is not of 32 octets");
}

/** ES256 on P-256, or Ed25519: the kinds that enrol. */
function keyOf(value: Cbor): Jwk {
  const { kty, alg, crv, x, y } = COSE;
  const isEc = value instanceof Map && value.get(kty) === EC2;
  const map = closedMap(value, isEc ? [kty, alg, crv, x, y] : [kty, alg, crv, x]);
  const isOf = (type: number, algorithm: number, curve: number): boolean =>
    map.get(kty) === type && map.get(alg) === algorithm && map.get(crv) === curve;
  if (isOf(EC2, -7, 1))
    return { kty: "EC", crv: "P-256", x: coordinate(map.get(x)), y: coordinate(map.get(y)) };
  if (isOf(OKP, -8, 6)) return { kty: "OKP", crv: "Ed25519", x: coordinate(map.get(x)) };
  throw new Refusal("key_unsupported", "a credential key of a kind that does not enrol");
}

/**
 * Reads the authenticator data of a registration: made for this RP ID, user present and verified, one attested key,
 * and after it nothing but the extensions that the flags announce.
 * @throws Refusal `malformed_request`, `key_unsupported`, `signature_invalid`, `origin_mismatch`, `user_not_present`, `user_not_verified`
 */
export function readCredentialData(c: Crypto, data: Bytes, rpId: string): CredentialData {
  const { flags, counter, backupEligible, backedUp } = readAuthenticatorHead(c, data, rpId);
  if ((flags & FLAG.AT) === 0) return refuse("no attested key");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const idAt = HEAD_BYTES + AAGUID_BYTES + 2;
  if (data.length < idAt) return refuse("the attested key ends too early");
  const idLength = view.getUint16(HEAD_BYTES + AAGUID_BYTES);
  if (idLength > MAX_CREDENTIAL_ID_BYTES) return refuse("the credential id is too long");
  const credentialId = data.subarray(idAt, idAt + idLength);
  const key = readCborAt(data, idAt + idLength);
  let { end } = key;
  if ((flags & FLAG.ED) !== 0) {
    const extensions = readCborAt(data, end);
    if (!(extensions.value instanceof Map)) return refuse("the extensions are no map");
    ({ end } = extensions);
  }
  if (end !== data.length) return refuse("octets after the authenticator data");
  const aaguid = data.subarray(HEAD_BYTES, HEAD_BYTES + AAGUID_BYTES);
  return { key: keyOf(key.value), aaguid, credentialId, counter, backupEligible, backedUp };
}

/** An AAGUID as it is written everywhere: 8-4-4-4-12 hexadecimal digits. */
export function aaguidText(aaguid: Bytes): string {
  return hex(aaguid).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
