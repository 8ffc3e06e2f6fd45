import { randomBytes } from "node:crypto";
import { isPassing, Refusal } from "@countersign/core";
import type { Random } from "@countersign/core";
import type { Credential, Proof } from "./answers.ts";
import type { Door } from "./door.ts";
import { askWithOwnKey, identityOf, proveWithOwnKey } from "./own-key.ts";
import type { Own } from "./own-key.ts";
import { askUntil, MARGIN_SECONDS } from "./session.ts";
import type { ProofRequest, Session, SessionOptions } from "./session.ts";
import { tell } from "./tell.ts";
import type { TlsIdentity, TlsSource } from "./tls-identity.ts";

/** What of the platform a test moves by hand. */
export interface Platform {
  readonly random: Random;
  /** Calls `run` once, unless cancelled; does not keep the process alive. */
  readonly after: (delayMs: number, run: () => void) => () => void;
}

const SYSTEM: Platform = {
  random: (byteCount) => new Uint8Array(randomBytes(byteCount)),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
const MAX_DOUBLINGS = 10;

/** The agent's side of its door where it holds the key: it makes R and proofs itself, and renews at half life. */
export class OwnKeySession implements Session, TlsSource {
  readonly #door: Door;
  readonly #options: SessionOptions;
  readonly #platform: Platform;
  readonly #listeners: Set<() => void> = new Set();
  readonly #closed: AbortController = new AbortController();
  #held: Own | undefined;
  #identity: TlsIdentity | undefined;
  #asking: Promise<Own> | undefined;
  #cancelTimer: () => void = () => undefined;
  #failures = 0;
  #halts = 0;

  constructor(door: Door, options: SessionOptions, platform: Platform = SYSTEM) {
    this.#door = door;
    this.#options = options;
    this.#platform = platform;
  }

  readonly credential = async (signal?: AbortSignal): Promise<Credential> =>
    (await this.#current(signal)).credential;

  /** A proof that was refused is made again: another credential is no better while this one lives. */
  readonly renew = async (): Promise<Credential> => (await this.#current()).credential;

  readonly prove = async (request: ProofRequest): Promise<Proof> => {
    const own = await this.#current();
    return proveWithOwnKey(own, request, this.#options.clock(), this.#platform.random);
  };

  /** Said of any process of this program; ours is the one that we hold. */
  readonly superseded = (): void => undefined;

  readonly halted = (): void => {
    this.#halts += 1;
    this.#hold(undefined);
  };

  readonly tlsIdentity = (): TlsIdentity | undefined => {
    const identity = this.#identity;
    return identity !== undefined && this.#options.clock() < identity.expiresAt
      ? identity
      : undefined;
  };

  readonly onTlsIdentity = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Ends the renewing; what is held stays until it expires. */
  close(): void {
    this.#closed.abort();
    this.#cancelTimer();
  }

  #current(signal?: AbortSignal): Promise<Own> {
    const held = this.#held;
    return held !== undefined && this.#isFresh(held)
      ? Promise.resolve(held)
      : this.#askTogether(signal ?? this.#closed.signal);
  }

  /** It must live through the request that it is sent with. */
  #isFresh({ credential, lifeSeconds }: Own): boolean {
    const margin = Math.min(MARGIN_SECONDS, lifeSeconds / 4);
    return this.#options.clock() < credential.expiresAt - margin;
  }

  #hold(own: Own | undefined): void {
    this.#cancelTimer();
    this.#held = own;
    this.#identity = own === undefined ? undefined : identityOf(own);
    tell(this.#listeners, undefined);
  }

  /** All who ask at once wait for one answer. */
  async #askTogether(signal: AbortSignal): Promise<Own> {
    const mine = (this.#asking ??= this.#ask(signal));
    try {
      return await mine;
    } catch (error) {
      if (error instanceof Refusal && error.code === "halted") this.#hold(undefined);
      throw error;
    } finally {
      if (this.#asking === mine) this.#asking = undefined;
    }
  }

  async #ask(signal: AbortSignal): Promise<Own> {
    const halts = this.#halts;
    const { note } = this.#options;
    const once = (wait: number): ReturnType<typeof askWithOwnKey> =>
      askWithOwnKey(this.#door, note, wait, signal);
    const own = await askUntil(this.#options, once, signal);
    // an answer of before the stop, read after it was told
    if (this.#halts !== halts)
      throw new Refusal("halted", "stopped while the answer was on its way");
    this.#failures = 0;
    this.#hold(own);
    this.#schedule(own);
    return own;
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancelTimer();
    if (!this.#closed.signal.aborted) this.#cancelTimer = this.#platform.after(delayMs, run);
  }

  /** From 0 to 1: many agents must not renew in step. */
  #jitter(): number {
    return (this.#platform.random(1)[0] ?? 0) / 255;
  }

  #leftMs(): number {
    const { clock } = this.#options;
    return Math.max(0, ((this.#held?.credential.expiresAt ?? 0) - clock()) * 1000);
  }

  #schedule({ credential, lifeSeconds }: Own): void {
    const halfMs = (lifeSeconds * 1000) / 2;
    if (credential.isSingle) this.#after(this.#leftMs(), () => this.#hold(undefined));
    else this.#after(halfMs - (this.#jitter() * halfMs) / 10, () => void this.#renewLater());
  }

  /** A no stands until somebody asks anew, and what is held is good until it expires. */
  async #renewLater(): Promise<void> {
    try {
      await this.#askTogether(this.#closed.signal);
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      const leftMs = this.#leftMs();
      if (this.#held !== undefined && leftMs === 0) this.#hold(undefined);
      if (error instanceof Refusal && !isPassing(error.code)) {
        if (leftMs > 0) this.#after(leftMs, () => this.#hold(undefined));
        return;
      }
      const delayMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, MAX_DOUBLINGS);
      this.#after(delayMs * (1 + this.#jitter()), () => void this.#renewLater());
    }
  }
}
