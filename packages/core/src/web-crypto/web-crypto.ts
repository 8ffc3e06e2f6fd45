import type { Bytes, Crypto, Jwk, SignatureAlgorithm } from "../crypto.ts";
import { isSoundEd25519 } from "../jose/ed25519.ts";
import { hasFullCoordinates } from "../jose/jwk.ts";
import { isPoint } from "./curve.ts";
import { sha256, sha512 } from "./hash.ts";

/** What is needed of `crypto.subtle` (W3C Web Cryptography). */
export interface Subtle {
  importKey(
    format: "jwk" | "spki",
    key: object,
    algorithm: object,
    extractable: boolean,
    usages: readonly "verify"[],
  ): Promise<object>;
  verify(algorithm: object, key: object, signature: Bytes, data: Bytes): Promise<boolean>;
}

/** Imported keys kept at the same time; the oldest leaves first. */
const MAX_CACHED_KEYS = 1024;

interface Row {
  readonly crv: Jwk["crv"];
  readonly importAs: object;
  readonly verifyAs: object;
}
const ED25519: Row = {
  crv: "Ed25519",
  importAs: { name: "Ed25519" },
  verifyAs: { name: "Ed25519" },
};

function ecdsa(crv: Jwk["crv"], hash: string): Row {
  return {
    crv,
    importAs: { name: "ECDSA", namedCurve: crv },
    verifyAs: { name: "ECDSA", hash },
  };
}

const ROWS: Readonly<Partial<Record<SignatureAlgorithm, Row>>> = {
  ES256: ecdsa("P-256", "SHA-256"),
  ES384: ecdsa("P-384", "SHA-384"),
  Ed25519: ED25519,
  EdDSA: ED25519,
};

const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;

/** The bits of an imported RSA key, as every runtime tells them. */
function rsaBits(key: object): number {
  const { algorithm } = key as { readonly algorithm?: { readonly modulusLength?: unknown } }; // whatever it is, it is looked at
  const bits = algorithm?.modulusLength;
  return typeof bits === "number" ? bits : 0;
}

/**
 * The primitives of core on WebCrypto: ES256, ES384 and, where the runtime has it, Ed25519. Runs at an edge, in a
 * browser and in Node. Holds only a bounded cache of imported public keys.
 * @param subtle the platform's `crypto.subtle`
 */
export function webCryptoOn(subtle: Subtle): Crypto {
  const imported = new Map<string, Promise<object>>();

  function importOnce(key: Jwk, row: Row): Promise<object> {
    const name = `${key.crv}.${key.x}.${key.kty === "EC" ? key.y : ""}`;
    const known = imported.get(name);
    if (known !== undefined) return known;
    if (!hasFullCoordinates(key)) throw new TypeError("a coordinate that is not of full length");
    const made = subtle.importKey("jwk", { ...key }, row.importAs, false, ["verify"]);
    if (imported.size >= MAX_CACHED_KEYS) {
      const oldest = imported.keys().next();
      if (oldest.done !== true) imported.delete(oldest.value);
    }
    imported.set(name, made);
    return made;
  }

  async function verify(
    alg: SignatureAlgorithm,
    key: Jwk,
    data: Bytes,
    signature: Bytes,
  ): Promise<boolean> {
    const row = ROWS[alg];
    if (row === undefined || row.crv !== key.crv) return false;
    try {
      // EC imports judge the point; those of Ed25519 take keys under which one signature fits every message
      if (key.kty === "OKP" && !isSoundEd25519(key)) return false;
      return await subtle.verify(row.verifyAs, await importOnce(key, row), signature, data);
    } catch {
      return false; // no such algorithm in this runtime, or a key that it does not take
    }
  }

  async function verifyRs256(spki: Bytes, data: Bytes, signature: Bytes): Promise<boolean> {
    try {
      const key = await subtle.importKey("spki", spki, RS256, false, ["verify"]);
      const bits = rsaBits(key);
      if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return false;
      return await subtle.verify(RS256, key, signature, data);
    } catch {
      return false; // no RSA key
    }
  }

  return { sha256, sha512, verify, verifyRs256, isValidKey: isPoint };
}
