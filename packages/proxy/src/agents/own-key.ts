import { checkOwnRequest, Refusal, thumbprint } from "@countersign/core";
import type { Digest, Entry, RequestClaims, Seconds, Signed } from "@countersign/core";
import type { ProxyWorld } from "../world.ts";
import { freshNonce } from "./request.ts";

// An agent that holds the key of its credential: it makes R, the proxy says what of, judges it, and never sees a key.

/** What an R is made from: all that the agent does not choose. */
export interface Terms {
  readonly aud: string;
  readonly nonce: string;
  readonly now: Seconds;
  /** The entry of the door. */
  readonly sub: string;
  /** Thumbprint of the installation's anchor. */
  readonly anchor: string;
  readonly expires_in: Seconds;
}

/** More than programs need that ask at once; the oldest is forgotten for one more. */
const MAX_NONCES = 16;
const MAX_KEYS = 4096;

/** Nonces handed to one program at one door: each is for one R, in the time that the server gave it. */
export class HandedNonces {
  readonly #until: Map<string, Seconds> = new Map();

  hand(nonce: string, until: Seconds): void {
    const [oldest] = this.#until.keys();
    if (this.#until.size >= MAX_NONCES && oldest !== undefined) this.#until.delete(oldest);
    this.#until.set(nonce, until);
  }

  /** @throws Refusal `nonce_unknown` (not handed out here, or spent), `nonce_expired` */
  spend(nonce: string, now: Seconds): void {
    const until = this.#until.get(nonce);
    if (!this.#until.delete(nonce) || until === undefined)
      throw new Refusal("nonce_unknown", "not handed out at this door, or spent");
    if (now >= until) throw new Refusal("nonce_expired");
  }
}

/**
 * Keys that agents of this proxy have sent; one that is seen again refuses before anything is endorsed. The server
 * remembers all of them for ever, this host the newest.
 */
export class SeenKeys {
  readonly #seen: Set<string> = new Set();

  /** @throws Refusal `key_reused` */
  add(jkt: string): void {
    if (this.#seen.has(jkt)) throw new Refusal("key_reused");
    const [oldest] = this.#seen;
    if (this.#seen.size >= MAX_KEYS && oldest !== undefined) this.#seen.delete(oldest);
    this.#seen.add(jkt);
  }
}

/** Statements that keys out of our reach were endorsed for, while a credential under them lives. */
export class Endorsed {
  readonly #until: Map<Digest, Seconds> = new Map();

  note(cs: Digest, until: Seconds): void {
    this.#until.set(cs, Math.max(until, this.#until.get(cs) ?? 0));
  }

  live(now: Seconds): readonly Digest[] {
    for (const [cs, until] of this.#until) if (now >= until) this.#until.delete(cs);
    return [...this.#until.keys()];
  }

  clear(): void {
    this.#until.clear();
  }
}

async function issuerAndAnchor(
  w: ProxyWorld,
  entry: Entry,
): Promise<{ readonly issuer: string; readonly anchor: string }> {
  const { state } = w.server();
  if (state === undefined) throw new Refusal("unreachable", "the server was not heard yet");
  const { key } = await w.anchors.signer(entry.id);
  return { issuer: state.issuer, anchor: thumbprint(w.c, key) };
}

/** Terms for one R, under a nonce of the server. @throws Refusal as the server says, `unreachable`, `clock_skewed` */
export async function termsFor(w: ProxyWorld, entry: Entry): Promise<Terms> {
  const { issuer, anchor } = await issuerAndAnchor(w, entry);
  const { nonce, now, expires_in } = await freshNonce(w);
  return { aud: issuer, nonce, now, sub: entry.id, anchor, expires_in };
}

/**
 * Judges an R that the agent made, at the door that it came through.
 * @param spend takes the nonce; throws where it was not handed out here, or was taken before
 * @throws Refusal as `checkOwnRequest`, `unreachable`
 */
export async function judgeRequest(
  w: ProxyWorld,
  entry: Entry,
  octets: string,
  spend: (nonce: string) => void,
): Promise<Signed<RequestClaims>> {
  const { issuer, anchor } = await issuerAndAnchor(w, entry);
  return checkOwnRequest(
    w.c,
    octets,
    { issuer, checkNonce: spend, entry: entry.id, anchor },
    w.clock(),
  );
}
