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
interface Held extends OwnerSession {
  readonly end: () => void;
}

export const SESSION_SECONDS: Seconds = 8 * 3600;
const TOKEN_BYTES = 32;
const MAX_SESSIONS = 10_000;
const MAX_SESSIONS_PER_OWNER = 10;

/**
 * Sessions of owners, in memory only: a server that starts anew lets everybody sign in again. Of a token its SHA-256
 * is kept. Bounded: of one owner the oldest goes, and when all places are taken, the one that ends first.
 */
export class OwnerSessions {
  readonly #c: Crypto;
  readonly #random: Random;
  readonly #sessions = new Map<string, Held>();

  constructor(c: Crypto, random: Random) {
    this.#c = c;
    this.#random = random;
  }

  /** Begins a session. @returns its token, which is kept nowhere here */
  begin(owner: string, jkt: string, now: Seconds): { readonly token: string } & OwnerSession {
    this.#sweep(now);
    const own = [...this.#sessions].filter(([, session]) => session.owner === owner);
    if (own.length >= MAX_SESSIONS_PER_OWNER) this.#drop(own[0]?.[0]);
    if (this.#sessions.size >= MAX_SESSIONS) this.#drop(this.#sessions.keys().next().value);
    const token = base64url(this.#random(TOKEN_BYTES));
    const controller = new AbortController();
    const session = { owner, jkt, until: now + SESSION_SECONDS, ended: controller.signal };
    this.#sessions.set(this.#nameOf(token), { ...session, end: () => controller.abort() });
    return { token, ...session };
  }

  has(token: string | undefined, now: Seconds): boolean {
    const session = token === undefined ? undefined : this.#sessions.get(this.#nameOf(token));
    return session !== undefined && now < session.until;
  }

  /** @throws Refusal `session_needed` */
  find(token: string | undefined, now: Seconds): OwnerSession {
    const session = token === undefined ? undefined : this.#sessions.get(this.#nameOf(token));
    if (session === undefined || now >= session.until) throw new Refusal("session_needed");
    return session;
  }

  end(token: string): void {
    this.#drop(this.#nameOf(token));
  }

  /** Ends what a key has begun: it was removed or suspended. */
  endOf(jkt: string): void {
    for (const [name, session] of this.#sessions) if (session.jkt === jkt) this.#drop(name);
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

  #sweep(now: Seconds): void {
    for (const [name, session] of this.#sessions) if (now >= session.until) this.#drop(name);
  }
}
