import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Jwk, Signer } from "@countersign/core";

/** A key of this process: in memory only. */
export interface OwnKey {
  readonly signer: Signer;
  /** PKCS#8 PEM, for a TLS stack. */
  readonly pem: () => string;
}

const PKCS8 = { format: "der", type: "pkcs8" } as const;

/** By way of its encoding: a key that is exported while the job that made it is collected stops the process for ever. */
function freshKey(): KeyObject {
  const { privateKey: der } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: PKCS8,
    publicKeyEncoding: { format: "der", type: "spki" },
  });
  const key = createPrivateKey({ key: der, ...PKCS8 });
  der.fill(0);
  return key;
}

/** A fresh ECDSA P-256 key. */
export function makeKey(): OwnKey {
  const privateKey = freshKey();
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
