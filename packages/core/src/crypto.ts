/** Octets. Core never uses Node's Buffer. */
export type Bytes = Uint8Array;
/** Seconds since the epoch (an instant) or a number of seconds (a duration). Always an integer. */
export type Seconds = number;
/** A hash value as it stands in JSON: `sha-256:` and 43 base64url characters. */
export type Digest = `sha-256:${string}`;

/** Public EC key, exactly the members of RFC 7517; coordinates are base64url of the full field width. */
export interface EcJwk {
  readonly kty: "EC";
  readonly crv: "P-256" | "P-384" | "P-521";
  readonly x: string;
  readonly y: string;
}
/** Public Edwards key, RFC 8037. */
export interface OkpJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly x: string;
}
/** A public key. Private members are refused by every reader. */
export type Jwk = EcJwk | OkpJwk;

/** JWS algorithm names (RFC 7518, RFC 8037, RFC 9864). `ES512` verifies SSH signatures only. */
export type SignatureAlgorithm = "ES256" | "ES384" | "ES512" | "Ed25519" | "EdDSA";

/**
 * The only door to primitives: `node:crypto` or WebCrypto stands behind it.
 *
 * `verify` takes ECDSA signatures as r ‖ s (never DER) of exactly twice the field width, returns false for any
 * signature or key that does not fit `alg`, and never throws for hostile input.
 */
export interface Crypto {
  sha256(data: Bytes): Bytes;
  sha512(data: Bytes): Bytes;
  verify(alg: SignatureAlgorithm, key: Jwk, data: Bytes, signature: Bytes): Promise<boolean>;
  /**
   * Whether the point lies on its curve and the coordinates are canonical; of Ed25519, what `isSoundEd25519` says.
   * `verify` takes no other key.
   */
  isValidKey(key: Jwk): boolean;
  /**
   * RSASSA-PKCS1-v1_5 with SHA-256 by a key of 2048 to 4096 bits in a DER SubjectPublicKeyInfo: makers of authenticators
   * sign certificates so, and nobody else is believed who does. Returns false, and never throws, as `verify`; where it is
   * absent, no such signature verifies.
   */
  verifyRs256?(spki: Bytes, data: Bytes, signature: Bytes): Promise<boolean>;
  /**
   * What `read` makes of octets: the same for equal octets, whoever asks. One that remembers gives again what it gave
   * before, so nothing that is read is ever changed. Where it is absent, octets are read each time.
   * @param what names the reader
   */
  readOnce?<T>(what: string, data: Bytes, read: (data: Bytes) => T): T;
}

/** Holds a private key. `sign` returns r ‖ s for ECDSA. A file today, a TPM or KMS tomorrow: never call it inside a transaction. */
export interface Signer {
  readonly key: Jwk;
  readonly alg: SignatureAlgorithm;
  sign(data: Bytes): Promise<Bytes>;
}

/** Source of random octets; an argument everywhere, so that tests are repeatable. */
export type Random = (byteCount: number) => Bytes;

/** The algorithm that a key signs with here: one per curve. */
export function algorithmOf(key: Jwk): SignatureAlgorithm {
  if (key.kty === "OKP") return "Ed25519";
  return key.crv === "P-256" ? "ES256" : key.crv === "P-384" ? "ES384" : "ES512";
}
