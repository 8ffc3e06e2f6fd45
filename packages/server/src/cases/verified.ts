import { readOnce, rememberingCrypto, sameKey } from "@countersign/core";
import type { Crypto, Jwk } from "@countersign/core";
import type { World } from "../world.ts";

/** Signatures remembered from one issue to the next: those of grants and CAs. */
const MAX_REMEMBERED = 10_000;
/** Signatures of one issue alone. */
const MAX_OF_ONE = 16;

const memories = new WeakMap<World, Crypto>();

/**
 * The primitives for what comes again: an owner's statement and signature come with every issue of his grant, the
 * issuing CA's certificate with every issue. All checks are made; the same signature over the same octets by the same
 * key is computed once.
 */
export function rememberingOf(w: World): Crypto {
  const known = memories.get(w);
  if (known !== undefined) return known;
  const made = rememberingCrypto(w.c, MAX_REMEMBERED);
  memories.set(w, made);
  return made;
}

/** The primitives of one issue, and what they remember for as long as it lasts. */
export interface IssueCrypto {
  /** For R, E and N, which come once. */
  readonly own: Crypto;
  /** For what is signed and for the links: by `keys` it is of this issue, by others it may come again. */
  readonly of: (keys: readonly Jwk[]) => Crypto;
}

/**
 * Token, certificate and endorsement are each verified where they are made or come in, and once more by the links that
 * a stranger walks. What is known of them is of no use after the issue, so it goes with it.
 */
export function issueCrypto(w: World): IssueCrypto {
  const own = rememberingCrypto(w.c, MAX_OF_ONE);
  const lasting = rememberingOf(w);
  const { der } = w.keys.agents.certificate;
  return {
    own,
    of: (keys) => ({
      ...own,
      verify: (alg, key, data, signature) => {
        const isOwn = keys.some((one) => sameKey(one, key));
        return (isOwn ? own : lasting).verify(alg, key, data, signature);
      },
      readOnce: (what, data, read) => {
        const comesAgain = what.endsWith("statement") || data === der;
        return readOnce(comesAgain ? lasting : own, what, data, read);
      },
    }),
  };
}
