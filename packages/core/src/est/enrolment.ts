import type { Bytes, Crypto, Jwk, Seconds } from "../crypto.ts";
import { base64url, equalBytes, equalText, fromBase64url } from "../bytes.ts";
import { sameKey } from "../jose/jwk.ts";
import { Members } from "../json/read.ts";
import { parseJsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { verifyPath } from "../x509/path.ts";

const MAX_TOKEN_CHARACTERS = 4096;
const CLOCK_SKEW_SECONDS = 120;

/** Whom a join token enrols: the member that names it is another for each, so that neither is taken for the other. */
export type JoinKind = "proxy" | "gateway";
const NAMED_BY: Readonly<Record<JoinKind, string>> = { proxy: "name", gateway: "gateway" };

/** What a join token says. The secret is sent only over a connection to the server that the token pins. */
export interface JoinToken {
  readonly td: string;
  readonly name: string;
  readonly api: string;
  readonly root: string;
  readonly secret: string;
  readonly exp: Seconds;
}

/** @throws Refusal `join_token_invalid`, for the token of another kind too */
export function readJoinToken(text: string, now: Seconds, kind: JoinKind = "proxy"): JoinToken {
  try {
    const octets = fromBase64url(text.trim().slice(0, MAX_TOKEN_CHARACTERS));
    const members = new Members(
      parseJsonObject(octets, { maxBytes: MAX_TOKEN_CHARACTERS, maxDepth: 2 }),
      "join_token_invalid",
      "token",
    );
    members.integer("v", 1, 1);
    const token: JoinToken = {
      td: members.text("td", { maxLength: 255 }),
      name: members.text(NAMED_BY[kind], { maxLength: 64 }),
      api: members.text("api", { pattern: /^https:\/\/[^\s/?#]+$/ }),
      root: members.thumbprint("root"),
      secret: members.text("secret", { pattern: /^[A-Za-z0-9_-]{22}$/ }),
      exp: members.integer("exp"),
    };
    members.end();
    if (now >= token.exp) throw new Refusal("join_token_invalid", "it has expired");
    return token;
  } catch (error) {
    if (error instanceof Refusal && error.code === "join_token_invalid") throw error;
    throw new Refusal("join_token_invalid", "not a join token");
  }
}

/** The root that a token pins, among CA certificates that were fetched from anybody (bootstrap 8). @throws Refusal `untrusted_chain` */
export function pinnedRoot(
  c: Crypto,
  token: Pick<JoinToken, "root">,
  fetched: readonly Bytes[],
): Bytes {
  const root = fetched.find((der) => equalText(base64url(c.sha256(der)), token.root));
  if (root === undefined)
    throw new Refusal(
      "untrusted_chain",
      "the server's root is not the one in the token",
      "Get a new token from the server that you mean.",
    );
  return root;
}

/** Whether this CA issued that certificate, by name and key: a server that changes its CA offers both. */
function isIssuerOf(ca: Bytes, leaf: Bytes): boolean {
  const { subject, subjectKeyId } = parseCertificate(ca);
  const { issuer, authorityKeyId } = parseCertificate(leaf);
  const isSameKey =
    subjectKeyId === undefined ||
    authorityKeyId === undefined ||
    equalBytes(subjectKeyId, authorityKeyId);
  return equalBytes(subject, issuer) && isSameKey;
}

/**
 * The chain of a certificate that was just issued, without the root, once it is known to be of our name and our key.
 * @throws Refusal `malformed_certificate`, and as `verifyPath`
 */
export async function chainOfIssued(
  c: Crypto,
  issued: readonly Bytes[],
  of: {
    readonly id: string;
    readonly key: Jwk;
    /** CA certificates of the server, its root among them or not. */
    readonly cas: readonly Bytes[];
    readonly root: Bytes;
  },
  now: Seconds,
): Promise<readonly Bytes[]> {
  const [leaf] = issued;
  if (leaf === undefined) throw new Refusal("malformed_certificate", "no certificate came");
  const above = of.cas.filter((der) => !equalBytes(der, of.root) && isIssuerOf(der, leaf));
  const chain = [leaf, ...above];
  const input = { chain, anchors: [of.root], purpose: "client", now } as const;
  await verifyPath(c, { ...input, skewSeconds: CLOCK_SKEW_SECONDS });
  const certificate = parseCertificate(leaf);
  if (certificate.uris[0] !== of.id || !sameKey(certificate.key, of.key))
    throw new Refusal("malformed_certificate", "the certificate is of another name or key");
  return chain;
}
