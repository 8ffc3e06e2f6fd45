import { rememberingCrypto } from "@countersign/core";
import type { Crypto } from "@countersign/core";
import type { World } from "../world.ts";

/** Signatures remembered: those of grants, CAs and issues under way. */
const MAX_REMEMBERED = 10_000;

const memories = new WeakMap<World, Crypto>();

/**
 * The primitives of an issue. Token, certificate and endorsement are each verified where they are made or come in,
 * and once more by the links that a stranger walks; the owner's signature comes with every issue of its grant. All
 * checks are made; the same signature over the same octets by the same key is computed once.
 */
export function rememberingOf(w: World): Crypto {
  const known = memories.get(w);
  if (known !== undefined) return known;
  const made = rememberingCrypto(w.c, MAX_REMEMBERED);
  memories.set(w, made);
  return made;
}
