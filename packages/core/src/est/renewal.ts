import type { Bytes, Crypto, Digest, Jwk, Seconds } from "../crypto.ts";
import { digestOf, open } from "../jose/signed.ts";
import type { Signed, SignedType } from "../jose/signed.ts";
import { Members } from "../json/read.ts";
import { Refusal } from "../refusal.ts";

/** The header that a renewal through a gateway carries: a compact JWS of `RENEWAL`, beside the CSR in the body. */
export const RENEWAL_HEADER = "countersign-renewal";
const LIFE_SECONDS = 300;
const SKEW_SECONDS = 60;
const NONCE = /^[A-Za-z0-9_-]{8,128}$/;

/**
 * A proxy's word that its next key is the one of a CSR. Where mutual TLS ends at a gateway, it stands in place of the
 * handshake: without it, the gateway could have a key of its own certified under the proxy's name.
 */
export interface RenewalClaims {
  /** Issuer of the server. */
  readonly aud: string;
  readonly iat: Seconds;
  /** The server's, for this proxy through this gateway. */
  readonly nonce: string;
  /** Digest of the CSR's DER. */
  readonly csr: Digest;
}

export const RENEWAL: SignedType<RenewalClaims> = {
  typ: "proxy-renewal+jwt",
  key: "given",
  algs: ["ES256"],
  maxBytes: 4096,
  invalid: "renewal_invalid",
  read: (payload) => {
    const members = new Members(payload, "renewal_invalid", "renewal");
    const claims: RenewalClaims = {
      aud: members.text("aud", { maxLength: 512 }),
      iat: members.integer("iat"),
      nonce: members.text("nonce", { pattern: NONCE }),
      csr: members.digest("csr"),
    };
    members.end();
    return claims;
  },
  write: (claims) => claims,
};

/**
 * Opens a renewal and checks that the proxy's present key signed it, now, for this server and this CSR. Whether its
 * nonce was spent is for the commit.
 * @throws Refusal `renewal_invalid`, and those of `checkNonce`
 */
export async function checkRenewal(
  c: Crypto,
  octets: string | undefined,
  of: {
    /** The key that the proxy's certificate holds. */
    readonly key: Jwk;
    readonly csr: Bytes;
    readonly issuer: string;
    readonly checkNonce: (nonce: string) => void;
  },
  now: Seconds,
): Promise<Signed<RenewalClaims>> {
  const wrong = (why: string): never => {
    throw new Refusal("renewal_invalid", why);
  };
  if (octets === undefined) return wrong("nothing is signed");
  const renewal = await open(c, RENEWAL, octets, [of.key]).catch((error: unknown) => {
    if (error instanceof Refusal) return wrong(error.code);
    throw error;
  });
  const { aud, csr, iat, nonce } = renewal.claims;
  if (aud !== of.issuer) return wrong("aud is another server");
  if (csr !== digestOf(c, of.csr)) return wrong("for another CSR");
  if (iat > now + SKEW_SECONDS || now - iat > LIFE_SECONDS + SKEW_SECONDS)
    return wrong("is not fresh");
  of.checkNonce(nonce);
  return renewal;
}
