import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { Jwk, Signer } from "@countersign/core";

/** A key of this process: in memory only. */
export interface OwnKey {
  readonly signer: Signer;
  /** PKCS#8 PEM, for a TLS stack. */
  readonly pem: () => string;
}

/** A fresh ECDSA P-256 key. */
export function makeKey(): OwnKey {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  const key: Jwk = { kty: "EC", crv: "P-256", x, y };
  return {
    signer: {
      key,
      alg: "ES256",
      sign: (data) =>
        Promise.resolve(
          new Uint8Array(sign("sha256", data, { key: privateKey, dsaEncoding: "ieee-p1363" })),
        ),
    },
    pem: () => privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}
