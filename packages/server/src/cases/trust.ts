import { fromUtf8, Refusal, readTrustBundle, writeTrustBundle } from "@countersign/core";
import type { DomainTrust, OwnerPin, Seconds, Trust, TrustBundle } from "@countersign/core";
import { thumbprint } from "@countersign/core";
import { KEPT_AFTER_SECONDS } from "../signer/wit-keys.ts";
import type { WitSigner, World } from "../world.ts";

/** How often those who verify look for new keys. */
export const REFRESH_HINT_SECONDS = 300;
const DEFAULT_BUNDLE_LIFE_SECONDS: Seconds = 7 * 86_400;

/** The WIT key that signs now: the newest whose life has begun. @throws Refusal `signer_unsuitable` */
export function activeWit(w: World, now: Seconds): WitSigner {
  const active = w.keys.wit.findLast((key) => key.nbf <= now && now < key.exp);
  if (active === undefined) throw new Refusal("signer_unsuitable", "no WIT key is alive");
  return active;
}

/** The bundle's expiry moves once an hour, so that its text, and all that is cached by it, stays the same in between. */
const BUNDLE_STEP_SECONDS = 3600;

/** The trust bundle as it is now (DESIGN 5.3). */
async function currentBundle(w: World, now: Seconds): Promise<TrustBundle> {
  return {
    issuer: w.config.issuer,
    trustDomain: w.config.origin,
    sequence: await w.store.bundleSequence(),
    refreshHintSeconds: REFRESH_HINT_SECONDS,
    roots: [w.keys.agentsRoot],
    witKeys: w.keys.wit
      .filter((key) => now < key.exp + KEPT_AFTER_SECONDS)
      .map((key) => ({
        kid: thumbprint(w.c, key.signer.key),
        key: key.signer.key,
        nbf: key.nbf,
        exp: key.exp,
      })),
    log: { origin: w.config.logOrigin, vkey: w.keys.logVkey },
    consent: w.config.consent,
    removedOwnerKeys: await w.store.removedOwnerKeys(),
    exp: now - (now % BUNDLE_STEP_SECONDS) + DEFAULT_BUNDLE_LIFE_SECONDS,
  };
}

interface Cached {
  /** Keys that it names: a rotation is seen at once, whether the sequence has moved yet or not. */
  readonly wit: readonly WitSigner[];
  readonly sequence: number;
  readonly step: number;
  readonly bundle: TrustBundle;
  readonly text: string;
}
const cache = new WeakMap<World, Cached>();

async function cached(w: World): Promise<Cached> {
  const now = w.clock();
  const sequence = await w.store.bundleSequence();
  const step = Math.floor(now / BUNDLE_STEP_SECONDS);
  const known = cache.get(w);
  const { wit } = w.keys;
  if (known?.sequence === sequence && known.step === step && known.wit === wit) return known;
  const octets = writeTrustBundle(await currentBundle(w, now));
  const made: Cached = {
    wit,
    sequence,
    step,
    bundle: readTrustBundle(octets, now),
    text: fromUtf8(octets),
  };
  cache.set(w, made);
  return made;
}

/** The trust bundle's JSON text as it is published. */
export async function bundleText(w: World): Promise<string> {
  return (await cached(w)).text;
}

/** The trust bundle as a stranger would read it. */
export async function publishedBundle(w: World): Promise<TrustBundle> {
  return (await cached(w)).bundle;
}

/** Trust in this server's own anchors, with the owners' keys pinned: the eyes of a stranger before release. */
export async function ownTrust(w: World, ownerPins: readonly OwnerPin[]): Promise<Trust> {
  const bundle = await publishedBundle(w);
  const domain: DomainTrust = {
    origin: w.config.origin,
    bundle,
    ownerPins,
    isInside: true,
    insecureAcceptServerEnrolment: false,
    insecureAcceptDevelopment: true, // it judges its own issue, of whatever domain it was configured for
  };
  return new Map([[w.config.origin, domain]]);
}
