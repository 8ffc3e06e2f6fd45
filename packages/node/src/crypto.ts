import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  randomBytes,
  sign,
  verify,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { algorithmOf, base64url, hasFullCoordinates, isSoundEd25519 } from "@countersign/core";
import type { Bytes, Crypto, Jwk, Random, SignatureAlgorithm, Signer } from "@countersign/core";

/** Imported public keys kept at the same time; the oldest leaves first. Importing costs more than verifying. */
const MAX_CACHED_KEYS = 4096;
const cache = new Map<string, KeyObject | false>();
const SPKI = { format: "der", type: "spki" } as const;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;

const CURVE_OF: Readonly<Record<SignatureAlgorithm, string>> = {
  ES256: "P-256",
  ES384: "P-384",
  ES512: "P-521",
  Ed25519: "Ed25519",
  EdDSA: "Ed25519",
};
const HASH_OF: Readonly<Record<SignatureAlgorithm, string | null>> = {
  ES256: "sha256",
  ES384: "sha384",
  ES512: "sha512",
  Ed25519: null,
  EdDSA: null,
};

function imported(key: Jwk): KeyObject | false {
  const name = `${key.crv}.${key.x}.${key.kty === "EC" ? key.y : ""}`;
  const known = cache.get(name);
  if (known !== undefined) return known;
  let made: KeyObject | false = false;
  try {
    if (hasFullCoordinates(key) && (key.kty === "EC" || isSoundEd25519(key)))
      made = createPublicKey({ key: { ...key }, format: "jwk" });
  } catch {
    // a point off its curve, or no base64url: remembered as unusable
  }
  if (cache.size >= MAX_CACHED_KEYS) {
    const oldest = cache.keys().next();
    if (oldest.done !== true) cache.delete(oldest.value);
  }
  cache.set(name, made);
  return made;
}

/** The primitives of core on `node:crypto`. Holds only a bounded cache of imported public keys. */
export const nodeCrypto: Crypto = {
  sha256: (data) => new Uint8Array(hash("sha256", data, "buffer")),
  sha512: (data) => new Uint8Array(hash("sha512", data, "buffer")),
  isValidKey: (key) => imported(key) !== false,
  verify: (alg, key, data, signature) => {
    const object = CURVE_OF[alg] === key.crv ? imported(key) : false;
    if (object === false) return Promise.resolve(false);
    try {
      return Promise.resolve(
        verify(HASH_OF[alg], data, { key: object, dsaEncoding: "ieee-p1363" }, signature),
      );
    } catch {
      return Promise.resolve(false);
    }
  },
  verifyRs256: (spki, data, signature) => {
    try {
      const key = createPublicKey({ key: Buffer.from(spki), ...SPKI });
      const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
      const isFit =
        key.asymmetricKeyType === "rsa" &&
        modulusLength >= MIN_RSA_BITS &&
        modulusLength <= MAX_RSA_BITS;
      return Promise.resolve(isFit && verify("sha256", data, key, signature));
    } catch {
      return Promise.resolve(false);
    }
  },
};

/** Octets fetched at a time: a call for 16 costs as much as one for all. */
const POOL_BYTES = 4096;
let pool = new Uint8Array(0);
let used = 0;

/** Random octets of the operating system. What was given out is wiped here. */
export const nodeRandom: Random = (byteCount) => {
  if (byteCount > POOL_BYTES / 4) return new Uint8Array(randomBytes(byteCount));
  if (used + byteCount > pool.length) {
    pool = new Uint8Array(randomBytes(POOL_BYTES));
    used = 0;
  }
  const taken = pool.slice(used, used + byteCount);
  pool.fill(0, used, used + byteCount);
  used += byteCount;
  return taken;
};

/** The public JWK of a key object, with exactly the members of its type. */
export function publicJwkOf(key: KeyObject): Jwk {
  const jwk = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519" && jwk.x !== undefined)
    return { kty: "OKP", crv: "Ed25519", x: jwk.x };
  if (
    jwk.kty === "EC" &&
    jwk.x !== undefined &&
    jwk.y !== undefined &&
    (jwk.crv === "P-256" || jwk.crv === "P-384" || jwk.crv === "P-521")
  )
    return { kty: "EC", crv: jwk.crv, x: jwk.x, y: jwk.y };
  throw new TypeError("only EC and Ed25519 keys are used here");
}

/** A signer over a private key object that was made once. */
export function signerOf(privateKey: KeyObject): Signer {
  const key = publicJwkOf(privateKey);
  const alg = algorithmOf(key);
  return {
    key,
    alg,
    sign: (data: Bytes) =>
      Promise.resolve(
        new Uint8Array(sign(HASH_OF[alg], data, { key: privateKey, dsaEncoding: "ieee-p1363" })),
      ),
  };
}

const PKCS8 = { format: "der", type: "pkcs8" } as const;

/**
 * A fresh private key: ECDSA P-256, or Ed25519. It is made by way of its encoding: to export a key that shares its lock
 * with the job which made it stops the process for ever when that job is collected in the middle.
 */
export function generatePrivateKey(kind: "P-256" | "Ed25519"): KeyObject {
  const { privateKey: der } =
    kind === "P-256"
      ? generateKeyPairSync("ec", {
          namedCurve: "P-256",
          privateKeyEncoding: PKCS8,
          publicKeyEncoding: SPKI,
        })
      : generateKeyPairSync("ed25519", { privateKeyEncoding: PKCS8, publicKeyEncoding: SPKI });
  const key = createPrivateKey({ key: der, ...PKCS8 });
  der.fill(0);
  return key;
}

/** A fresh signer whose private key lives in memory only. */
export function generateSigner(kind: "P-256" | "Ed25519" = "P-256"): Signer {
  return signerOf(generatePrivateKey(kind));
}

/** Parses an unencrypted PKCS#8 PEM private key. */
export function privateKeyFromPem(pem: string): KeyObject {
  return createPrivateKey(pem);
}

/** A random name of 128 bits in 22 base64url characters. */
export function randomName(): string {
  return base64url(nodeRandom(16));
}
