import { base64url } from "@countersign/core";
import type { EcJwk } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import type { KeyObject } from "./listing.ts";

/** CKA_EC_PARAMS of P-256: the curve's object identifier in DER. */
const P256 = "06082a8648ce3d030107";
/** CKA_EC_POINT, in the OCTET STRING that PKCS#11 asks for, or bare as some modules give it. */
const POINT = /^(?:0441)?04([0-9a-f]{64})([0-9a-f]{64})$/;

const text = (hexadecimal: string): string =>
  base64url(new Uint8Array(Buffer.from(hexadecimal, "hex")));

/** The public key of a token's object; undefined where it is not on P-256, or no point of it. */
export function jwkOfObject({ ecParams, ecPoint }: KeyObject): EcJwk | undefined {
  const [, x, y] = (ecParams === P256 ? POINT.exec(ecPoint) : null) ?? [];
  if (x === undefined || y === undefined) return undefined;
  const jwk = { kty: "EC", crv: "P-256", x: text(x), y: text(y) } as const;
  return nodeCrypto.isValidKey(jwk) ? jwk : undefined;
}
