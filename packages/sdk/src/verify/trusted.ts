import { readTrustBundle, Refusal } from "@countersign/core";
import type { Bytes, Seconds, Trust } from "@countersign/core";
import { inDate } from "./steps.ts";

/** The trust with a newer bundle of one domain. */
export function refreshed(trust: Trust, input: Bytes | string, now: Seconds): Trust {
  const { trustDomain } = readTrustBundle(input, now);
  const domain = trust.get(trustDomain);
  if (domain === undefined) throw new Refusal("unknown_trust_domain", trustDomain);
  const bundle = readTrustBundle(input, now, domain.bundle);
  return new Map([...trust, [trustDomain, { ...domain, bundle }]]);
}

/** Roots of one trust domain. */
export interface TlsRoots {
  /** Scheme and trust domain: `spiffe://example.org`. */
  readonly origin: string;
  /** DER. */
  readonly roots: readonly Bytes[];
}

/**
 * A TLS stack that had the roots of two domains could not say which of them a path ended at.
 * @throws Refusal `configuration_invalid`, `indeterminate`
 */
export function rootsOf(trust: Trust, origin: string | undefined, now: Seconds): TlsRoots {
  const [only, ...others] = origin === undefined ? trust.keys() : [origin];
  const domain = only === undefined || others.length > 0 ? undefined : trust.get(only);
  if (domain === undefined)
    throw new Refusal(
      "configuration_invalid",
      "one configured trust domain for each TLS listener",
      "Name one of the trust file's origins.",
    );
  return { origin: domain.origin, roots: inDate(domain, now).bundle.roots };
}
