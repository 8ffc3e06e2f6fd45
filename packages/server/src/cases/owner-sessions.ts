import { base64url, Refusal, utf8 } from "@countersign/core";
import type { Crypto, Random, Seconds } from "@countersign/core";

/** A signed-in owner. He reads, denies and stops; a session never grants. */
export interface OwnerSession {
  readonly owner: string;
  /** The key that signed in. */
  readonly jkt: string;
  readonly until: Seconds;
  /** Aborted when it ends before its time: its owner left, or its place was taken. */
  readonly ended: AbortSignal;
}

/** A session as its token finds it. */
interface Held {
  readonly session: OwnerSession;
  readonly end: () => void;
  usedAt: Seconds;
  /** Streams of events that it has open. */
  streams: number;
  /** Since when its writes are counted, and how many there were. */
  countedFrom: Seconds;
  writes: number;
}

const isOver = ({ session, usedAt, streams }: Held, now: Seconds): boolean =>
  now >= session.until || (streams === 0 && now >= usedAt + IDLE_SECONDS);

/** How long a session may last, used or not. */
export const SESSION_SECONDS: Seconds = 8 * 3600;
/** How long one may lie unused: no call, and no stream of events that is open. */
export const IDLE_SECONDS: Seconds = 3600;
/** Calls of one session within a minute that write: each may stand in the log, and all owners share one. */
export const WRITES_A_MINUTE = 120;
const WINDOW_SECONDS: Seconds = 60;
const TOKEN_BYTES = 32;

/** How many there are at a time. */
export interface SessionBounds {
  /** Default 10,000. */
  readonly ofAll?: number;
  /** Default 10. */
  readonly ofOwner?: number;
}

/**
 * Sessions of owners, in memory only: a server that starts anew lets everybody sign in again. Of a token its SHA-256
 * is kept. Bounded: of one owner the oldest goes, and when all places are taken, the one that ends first.
 */
export class OwnerSessions {
  readonly #c: Crypto;
  readonly #random: Random;
  readonly #ofAll: number;
  readonly #ofOwner: number;
  readonly #sessions = new Map<string, Held>();

  constructor(c: Crypto, random: Random, { ofAll = 10_000, ofOwner = 10 }: SessionBounds = {}) {
    this.#c = c;
    this.#random = random;
    this.#ofAll = ofAll;
    this.#ofOwner = ofOwner;
  }

  /** Those kept, of which some may be over. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Begins a session. @returns its token, which is kept nowhere here */
  begin(owner: string, jkt: string, now: Seconds): { readonly token: string } & OwnerSession {
    this.#endWhere((held) => isOver(held, now));
    const own = [...this.#sessions].filter(([, { session }]) => session.owner === owner);
    if (own.length >= this.#ofOwner) this.#drop(own[0]?.[0]);
    if (this.#sessions.size >= this.#ofAll) this.#drop(this.#sessions.keys().next().value);
    const token = base64url(this.#random(TOKEN_BYTES));
    const controller = new AbortController();
    const session = { owner, jkt, until: now + SESSION_SECONDS, ended: controller.signal };
    const end = (): void => controller.abort();
    this.#sessions.set(this.#nameOf(token), {
      session,
      end,
      usedAt: now,
      streams: 0,
      countedFrom: now,
      writes: 0,
    });
    return { token, ...session };
  }

  has(token: string | undefined, now: Seconds): boolean {
    const held = this.#held(token);
    return held !== undefined && !isOver(held, now);
  }

  /** The session of a call, which counts as a use of it. @throws Refusal `session_needed` */
  find(token: string | undefined, now: Seconds): OwnerSession {
    const held = this.#held(token);
    if (held === undefined || isOver(held, now)) throw new Refusal("session_needed");
    held.usedAt = now;
    return held.session;
  }

  /**
   * Counts a call that writes. Of one session: another one of its owner's goes on, whoever has this one.
   * @throws Refusal `rate_limited`
   */
  countWrite(token: string | undefined, now: Seconds): void {
    const held = this.#held(token);
    if (held === undefined) throw new Refusal("session_needed");
    // a clock that went back begins a minute too
    if (Math.abs(now - held.countedFrom) >= WINDOW_SECONDS)
      [held.countedFrom, held.writes] = [now, 0];
    if (held.writes >= WRITES_A_MINUTE)
      throw new Refusal(
        "rate_limited",
        "calls of one session",
        "Wait a minute. If it was not you, sign in anew and sign out everywhere, under Keys.",
      );
    held.writes += 1;
  }

  /** Keeps a session in use while a stream of it is open. @returns how to say that it is closed */
  hold(token: string | undefined): (now: Seconds) => void {
    const held = this.#held(token);
    if (held === undefined) return () => undefined;
    held.streams += 1;
    return (now) => {
      held.streams -= 1;
      held.usedAt = now;
    };
  }

  end(token: string): void {
    this.#drop(this.#nameOf(token));
  }

  /** Ends what a key has begun: it was removed or suspended. */
  endOf(jkt: string): void {
    this.#endWhere(({ session }) => session.jkt === jkt);
  }

  /** Ends every session of an owner: he signs out everywhere. */
  endAll(owner: string): void {
    this.#endWhere(({ session }) => session.owner === owner);
  }

  #held(token: string | undefined): Held | undefined {
    return token === undefined ? undefined : this.#sessions.get(this.#nameOf(token));
  }

  #nameOf(token: string): string {
    return base64url(this.#c.sha256(utf8(token)));
  }

  /** Ends one; whatever it has open hears of it. */
  #drop(name: string | undefined): void {
    if (name === undefined) return;
    this.#sessions.get(name)?.end();
    this.#sessions.delete(name);
  }

  #endWhere(isMeant: (held: Held) => boolean): void {
    for (const [name, held] of this.#sessions) if (isMeant(held)) this.#drop(name);
  }
}
