import { createPrivateKey } from "node:crypto";
import type { JsonWebKey } from "node:crypto";
import { readJwk } from "@countersign/core";
import type { Json, Jwk, SignatureAlgorithm, Signer, WitTrust } from "@countersign/core";
import { signerOf } from "../../packages/node/src/crypto.ts";

/** A JWK as vectors print it: with `kid`, `alg` or a private part beside the public members. */
export type PrintedJwk = Readonly<Record<string, string>>;

/** The public key of a printed JWK. */
export function publicOf(printed: PrintedJwk): Jwk {
  const names = printed["kty"] === "EC" ? ["kty", "crv", "x", "y"] : ["kty", "crv", "x"];
  return readJwk(Object.fromEntries(names.map((name) => [name, printed[name] as Json]))); // readJwk judges what is missing
}

/** A signer over a printed private JWK, naming its own `alg` where it has one. */
export function signerFor(printed: PrintedJwk): Signer {
  const signer = signerOf(createPrivateKey({ key: printed as JsonWebKey, format: "jwk" }));
  return { ...signer, alg: (printed["alg"] as SignatureAlgorithm | undefined) ?? signer.alg }; // vectors name algorithms of ours
}

/** Trust in one issuer key for one origin, under the `kid` that is printed with it. */
export function trustIn(origin: string, printed: PrintedJwk, kid = printed["kid"] ?? ""): WitTrust {
  return new Map([[origin, { keys: [{ kid, key: publicOf(printed) }] }]]);
}
