import type { Seconds } from "@countersign/core";
import type { KeyRing, PreparedKey, RotationOrder } from "../signer/key-ring.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";
import { activeWit, REFRESH_HINT_SECONDS } from "./trust.ts";

/** New keys stand in the trust bundle for twice as long as it may be old, before the first of them signs. */
export const OVERLAP_SECONDS: Seconds = 2 * REFRESH_HINT_SECONDS;
/** How long before its end a key is replaced. */
export const RENEW_BEFORE_SECONDS: Seconds = 10 * 86_400;

/**
 * Tells log and trust bundle of keys that were prepared: now, or by a server that ended before it could. May be told
 * twice after a crash.
 */
export async function announceKeys(w: World, ring: KeyRing): Promise<readonly PreparedKey[]> {
  const prepared = await ring.unannounced();
  if (prepared.length === 0) return prepared;
  await w.store.commit({
    log: logRow(w, {
      type: "admin.keys_prepared",
      t: w.clock(),
      actor: "admin",
      record: { v: 1, keys: prepared },
    }),
    changes: [{ bump: "bundleSequence" }],
  });
  await ring.noteAnnounced();
  return prepared;
}

/**
 * Prepares new signing keys: published now, used after the overlap; the ones before are kept until everything that they
 * signed has expired (DESIGN 3).
 * @throws Refusal `signer_unsuitable` without the roots' keys, `rate_limited` while some are prepared already
 */
export async function rotateKeys(
  w: World,
  ring: KeyRing,
  order: RotationOrder,
): Promise<readonly PreparedKey[]> {
  await ring.prepare(order);
  return announceKeys(w, ring);
}

/** Whether a token key signs now: one that is still alive can be waited upon. */
function hasWit(w: World): boolean {
  const now = w.clock();
  return w.keys.wit.some(({ nbf, exp }) => nbf <= now && now + OVERLAP_SECONDS < exp);
}

async function renewWit(w: World, ring: KeyRing): Promise<void> {
  if (ring.keys.ends.wit - w.clock() >= RENEW_BEFORE_SECONDS) return;
  const activateInSeconds = hasWit(w) ? OVERLAP_SECONDS : 0;
  await rotateKeys(w, ring, { wit: true, ca: false, activateInSeconds });
  w.log.info("keys.wit_renewed", { signs_in: activateInSeconds, now: activeWit(w, w.clock()).nbf });
}

async function renewCas(w: World, ring: KeyRing): Promise<void> {
  const { agents, infrastructure } = ring.keys.ends;
  const end = Math.min(agents, infrastructure);
  if (end - w.clock() >= RENEW_BEFORE_SECONDS) return;
  if (!(await ring.hasRoots()))
    return w.log.warn("keys.ca_ends_soon", {
      not_after: end,
      next: "put the root keys back in the folder roots, run countersign server keys rotate --ca, and take them away again",
    });
  await rotateKeys(w, ring, { wit: false, ca: true, activateInSeconds: OVERLAP_SECONDS });
  w.log.info("keys.ca_renewed", { not_after: ring.keys.ends.agents });
}

/** What is to be done at start and once a day: tell what was not told, forget what is gone, renew what ends soon. */
export async function keepKeys(w: World, ring: KeyRing): Promise<void> {
  await announceKeys(w, ring);
  await ring.forget();
  for (const renew of [renewWit, renewCas])
    try {
      await renew(w, ring);
    } catch (error) {
      w.log.error("keys.renewal_failed", { error });
    }
}
