import { Refusal } from "@countersign/core";
import type { Digest } from "@countersign/core";
import type { World } from "../world.ts";

/** Issues of one grant that wait; beyond it the signer is too slow for the load. */
const MAX_WAITING = 1000;

interface Turns {
  waiting: number;
  last: Promise<void>;
}

const turns = new WeakMap<World, Map<Digest, Turns>>();

function turnsOf(w: World): Map<Digest, Turns> {
  const known = turns.get(w);
  if (known !== undefined) return known;
  const made = new Map<Digest, Turns>();
  turns.set(w, made);
  return made;
}

/**
 * Issues of one grant, one after another: those that load at the same moment would all want the same ordinal, and
 * the guard would let through one of them. It spares tries and decides nothing: the guard holds alone against other servers.
 * @throws Refusal `indeterminate` where too many wait, and whatever `act` throws
 */
export async function inTurn<T>(w: World, cs: Digest, act: () => Promise<T>): Promise<T> {
  const ofGrants = turnsOf(w);
  const own = ofGrants.get(cs) ?? { waiting: 0, last: Promise.resolve() };
  if (own.waiting >= MAX_WAITING) throw new Refusal("indeterminate", "too many issues wait");
  ofGrants.set(cs, own);
  own.waiting += 1;
  const result = own.last.then(act);
  const ended = result.then(
    () => undefined,
    () => undefined, // whoever fails says so to his own caller
  );
  own.last = ended;
  try {
    return await result;
  } finally {
    own.waiting -= 1;
    if (own.waiting === 0) ofGrants.delete(cs);
  }
}
