import type { Crypto, Jwk, Seconds, SignatureAlgorithm } from "../crypto.ts";
import type { TrustBundle } from "./bundle.ts";

/** Anchor of one trust domain. `nbf` and `exp` bound the `iat` of what it signed, in seconds. */
export interface WitKey {
  readonly kid: string;
  readonly key: Jwk;
  readonly nbf?: Seconds;
  readonly exp?: Seconds;
}

/** What is configured for one origin. Nothing of it ever comes from a token. */
export interface OriginTrust {
  /** Accepted values of `iss`; absent: `iss` is not looked at. A WIT without `iss` passes either way. */
  readonly issuers?: readonly string[];
  /** No keys: every credential of the origin is refused (SPIFFE bundle 4.1.3). */
  readonly keys: readonly WitKey[];
  /** Accepted signature algorithms; default ES256, ES384, Ed25519, EdDSA. */
  readonly algs?: readonly SignatureAlgorithm[];
}

/** Trust by origin (`spiffe://example.org`): the same authority under another scheme is another origin. */
export type WitTrust = ReadonlyMap<string, OriginTrust>;

/**
 * What `verifyWit` needs of the trust bundles configured by origin. Keys that are no points of their curve are
 * left out, which refuses what names them.
 */
export function witTrustOf(
  c: Crypto,
  domains: ReadonlyMap<string, { readonly bundle: TrustBundle }>,
): WitTrust {
  return new Map(
    [...domains].map(([origin, { bundle }]) => [
      origin,
      { issuers: [bundle.issuer], keys: bundle.witKeys.filter(({ key }) => c.isValidKey(key)) },
    ]),
  );
}
