import { nodeCrypto as c, randomName } from "../../../node/src/crypto.ts";
import { base64, base64url, fromUtf8, utf8 } from "../bytes.ts";
import { writeBundle } from "../credential/bundle.ts";
import type { Bundle } from "../credential/bundle.ts";
import type { Signer } from "../crypto.ts";
import { canonicalJson } from "../json/canonical.ts";
import { audienceOf } from "../proof/audience.ts";
import type { HeaderLines } from "../proof/headers.ts";
import { hashOf, sealWpt } from "../proof/wpt.ts";
import type { WptClaims } from "../proof/wpt.ts";
import { writeTrustBundle } from "../trust/bundle.ts";
import type { Story } from "./story.testing.ts";

/** The relying party's file, as `readTrust` takes it. */
export function trustFileOf(...stories: readonly Story[]): string {
  return canonicalJson({
    v: 1,
    domains: stories.map(({ domain }) => ({
      origin: domain.origin,
      trust_bundle: JSON.parse(fromUtf8(writeTrustBundle(domain.bundle))) as object, // the writer makes an object
      owner_pins: domain.ownerPins,
      attestation_roots: domain.attestationRoots?.map(base64),
      inside: domain.isInside,
      evidence_origin: domain.evidenceOrigin,
      witnesses: domain.witnesses,
      insecureAcceptServerEnrolment: domain.insecureAcceptServerEnrolment,
      insecureAcceptDevelopment: domain.insecureAcceptDevelopment,
    })),
  });
}

/** The value of `Agent-Owner-Evidence`. */
export function evidenceOf(bundle: Bundle): string {
  return base64url(utf8(canonicalJson(writeBundle(bundle))));
}

/** How a request's proof differs from a plain one. */
export interface RequestOptions {
  /** Default: the bundle of the story; `null` sends none. */
  readonly evidence?: string | null;
  readonly proof?: (claims: WptClaims) => WptClaims;
  /** Default: the credential's key. */
  readonly provedBy?: Signer;
  /** More headers, covered by the proof. */
  readonly context?: Readonly<Record<string, string>>;
  readonly txnToken?: string;
  /** Default: the story's. */
  readonly wit?: string;
}

/** Header lines of a request to `url` by the agent of the story, with a fresh proof. */
export async function requestHeaders(
  story: Story,
  url: string,
  options: RequestOptions = {},
): Promise<HeaderLines> {
  const wit = options.wit ?? story.presented.wit;
  const evidence = options.evidence === undefined ? evidenceOf(story.bundle) : options.evidence;
  const context: [string, string][] = Object.entries(options.context ?? {});
  if (evidence !== null) context.push(["agent-owner-evidence", evidence]);
  const claims: WptClaims = {
    aud: audienceOf(url),
    exp: story.now + 30,
    jti: randomName(),
    wth: hashOf(c, wit),
    ...(options.txnToken === undefined ? {} : { tth: hashOf(c, options.txnToken) }),
    ...(context.length === 0
      ? {}
      : { oth: Object.fromEntries(context.map(([name, value]) => [name, hashOf(c, value)])) }),
  };
  const proof = await sealWpt(
    c,
    options.proof?.(claims) ?? claims,
    options.provedBy ?? story.keys.credential,
  );
  return [
    ["Workload-Identity-Token", wit],
    ["Authorization", `WPT ${proof.octets}`],
    ...(options.txnToken === undefined ? [] : [["Txn-Token", options.txnToken] as const]),
    ...context,
  ];
}
