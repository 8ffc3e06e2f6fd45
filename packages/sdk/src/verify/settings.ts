import {
  audienceOf,
  bounded,
  memoryReplayStore,
  OWNER_EVIDENCE_HEADER,
  Refusal,
  rememberingCrypto,
} from "@countersign/core";
import type {
  Bounded,
  Bundle,
  Bytes,
  Crypto,
  Demand,
  OwnerProof,
  ReplayStore,
  Seconds,
  Trust,
} from "@countersign/core";
import type { Fetch } from "./evidence.ts";
import { webCrypto } from "./web-crypto.ts";

/** How a service judges its callers. Everything here is configuration; nothing of it ever comes from a request. */
export interface RelyingPartyOptions {
  /** Text or octets of `relying-party.json`, or trust that was read before. */
  readonly trust: Bytes | string | Trust;
  /** The service's own base addresses, aliases included: `https://api.example.com`. `Host` is never asked. */
  readonly resources: readonly string[];
  /** Seconds since the epoch. */
  readonly clock: () => Seconds;
  /** Default: an owner who is `verified`, of any assurance and kind. */
  readonly demand?: Pick<Demand, "proof" | "oa" | "kinds" | "owners">;
  /** Default: in memory, 100,000 proofs. One process only: several instances need a store that they share. */
  readonly replay?: ReplayStore;
  /** Default: `webCrypto()`. */
  readonly crypto?: Crypto;
  /**
   * Where the owner's approval comes from. `header` (default): the caller sends it when asked, and nobody is called.
   * With `fetch` it is also looked for at the `evidence_origin` that the trust file names for the trust domain.
   */
  readonly evidence?: "header" | { readonly fetch: Fetch };
  /** Names of other headers that carry tokens here; each one sent must be covered by the proof. Default none. */
  readonly contextHeaders?: readonly string[];
  /** Clock difference allowed for credentials, 0 to 120; default 60. */
  readonly credentialSkewSeconds?: Seconds;
  /** Clock difference allowed for proofs, 0 to 120; default 10. */
  readonly proofSkewSeconds?: Seconds;
}

const MAX_REPLAY_ENTRIES = 100_000;
const MAX_REMEMBERED_SIGNATURES = 10_000;
const MAX_REMEMBERED_BUNDLES = 1000;

/** Bases without a slash at their end, so that a path follows. @throws Refusal `configuration_invalid` */
function checkedResources(resources: readonly string[]): readonly string[] {
  const isBase = (text: string): boolean => {
    try {
      return !/[?#]/.test(text) && audienceOf(text) !== "";
    } catch {
      return false;
    }
  };
  if (resources.length === 0 || !resources.every(isBase))
    throw new Refusal(
      "configuration_invalid",
      "resources are http or https addresses of this service, without query",
    );
  return resources.map((base) => base.replace(/\/$/, ""));
}

/** Evidence that was verified, by the token it came with: a caller need not send it with every request. */
type Remembered = Bounded<{ readonly bundle: Bundle; readonly until: Seconds }>;

/** The options, read once. */
export interface Settings {
  readonly options: RelyingPartyOptions;
  readonly resources: readonly string[];
  /** Remembers signatures: for what comes with many requests. */
  readonly c: Crypto;
  /** Remembers nothing: for proofs, which are made for one request. */
  readonly plain: Crypto;
  readonly replay: ReplayStore;
  readonly proof: OwnerProof;
  readonly contextHeaders: readonly string[];
  readonly credentialSkew: { readonly skewSeconds?: Seconds };
  readonly proofSkew: { readonly skewSeconds?: Seconds };
  readonly remembered: Remembered;
}

export function settingsOf(options: RelyingPartyOptions): Settings {
  const plain = options.crypto ?? webCrypto();
  const skewOf = (skewSeconds: Seconds | undefined): { readonly skewSeconds?: Seconds } =>
    skewSeconds === undefined ? {} : { skewSeconds };
  return {
    options,
    resources: checkedResources(options.resources),
    c: rememberingCrypto(plain, MAX_REMEMBERED_SIGNATURES),
    plain,
    replay: options.replay ?? memoryReplayStore({ maxEntries: MAX_REPLAY_ENTRIES }),
    proof: options.demand?.proof ?? "verified",
    contextHeaders: [...(options.contextHeaders ?? []), OWNER_EVIDENCE_HEADER],
    credentialSkew: skewOf(options.credentialSkewSeconds),
    proofSkew: skewOf(options.proofSkewSeconds),
    remembered: bounded(MAX_REMEMBERED_BUNDLES),
  };
}
