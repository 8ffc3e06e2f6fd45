import { isPassing, problemOf, Refusal, thumbprint } from "@countersign/core";
import type { Digest, Entry, ProxyState } from "@countersign/core";
import { jitteredDelayMs } from "@countersign/node";
import type { Door } from "../doors/door.ts";
import type { Peer } from "../facts/peer.ts";
import type { Facts } from "../facts/process.ts";
import type { ProxyWorld } from "../world.ts";
import { isFor } from "./approval.ts";
import { Endorsed, HandedNonces, judgeRequest, termsFor } from "./own-key.ts";
import type { SeenKeys, Terms } from "./own-key.ts";
import { forwardRequest, programOf, requestCredential } from "./request.ts";
import type { Answered, Held, Measured, Waiting } from "./request.ts";
import { stopOf } from "./stops.ts";

/** What happens to a session, for event streams and for `countersign run`. */
export type SessionEvent =
  | {
      readonly event: "credential";
      readonly id: string;
      readonly expires_at: number;
      readonly n: number;
    }
  | {
      readonly event: "waiting";
      readonly code: string;
      readonly deadline: number;
      readonly next: string;
      readonly reasons: readonly string[];
    }
  | { readonly event: "halted"; readonly reason: string; readonly next: string }
  | { readonly event: "refused"; readonly reason: string; readonly next: string };

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

/**
 * One program behind one door: it asks, waits, holds a credential and renews it at half life with fresh evidence of
 * the process that asked last. Keys live here and nowhere else, and are dropped at expiry and at a halt. Where the
 * entry leaves the key to the agent, the agent asks each time, and what is held is the last credential without a key.
 */
export class Session {
  readonly door: Door;
  readonly program: string;
  readonly #world: ProxyWorld;
  readonly #entryNow: () => Entry;
  readonly #emit: (session: Session, event: SessionEvent) => void;
  readonly #keys: SeenKeys;
  readonly #nonces: HandedNonces = new HandedNonces();
  readonly #endorsed: Endorsed = new Endorsed();
  #peer: Peer;
  #note: string | undefined;
  #held: Held | undefined;
  #waiting: Waiting | undefined;
  /** Whether a state has shown the question that is waited for. */
  #isAskSeen = false;
  /** Approvals that were there when the owner was asked: that they do not do is known. */
  #tried: ReadonlySet<Digest> = new Set();
  #last: Refusal | undefined;
  #asking: Promise<unknown> | undefined;
  #attempt = 0;
  #cancelTimer: () => void = () => undefined;
  #changed: Set<() => void> = new Set();
  #isClosed = false;

  constructor(
    w: ProxyWorld,
    of: {
      door: Door;
      program: string;
      peer: Peer;
      entryNow: () => Entry;
      emit: (session: Session, event: SessionEvent) => void;
      keys: SeenKeys;
    },
  ) {
    this.#world = w;
    this.door = of.door;
    this.program = of.program;
    this.#peer = of.peer.keep();
    this.#entryNow = of.entryNow;
    this.#emit = of.emit;
    this.#keys = of.keys;
  }

  /** The credential, if it has not expired. */
  get held(): Held | undefined {
    if (this.#held !== undefined && this.#world.clock() >= this.#held.exp) this.#drop();
    return this.#held;
  }

  get waiting(): Waiting | undefined {
    return this.#waiting;
  }

  /** Why there is nothing, when that is final for now. */
  get refusal(): Refusal | undefined {
    return this.#last;
  }

  /**
   * Measures the process that asked last, now.
   * @throws Refusal as `Door.admit`; `measurement_changed` when it runs another program
   */
  async measure(): Promise<Measured> {
    const facts = await this.door.admit(this.#peer);
    if (programOf(facts) !== this.program)
      throw new Refusal("measurement_changed", "another program runs in the process that asked");
    return { facts, ...(this.#note === undefined ? {} : { note: this.#note }) };
  }

  /** The process that renewals will be about. */
  adopt(peer: Peer, note: string | undefined): void {
    this.#peer.close();
    this.#peer = peer.keep();
    if (note !== undefined) this.#note = note;
  }

  /**
   * A credential, now or once the owner has approved.
   * @param waitMs how long to wait; 0 returns at once
   * @returns the credential, or what is waited for
   * @throws Refusal the reason, when it will not come by waiting
   */
  async credential(
    facts: Facts,
    waitMs: number,
  ): Promise<{ readonly held: Held } | { readonly waiting: Waiting }> {
    if (this.held === undefined && this.#waiting === undefined) await this.#ask(facts);
    if (this.held === undefined && this.#waiting !== undefined && waitMs > 0)
      // between an approval and its credential nothing is waited for and nothing is held: stay until that request ends
      await this.#wait(waitMs, () => this.#held !== undefined || this.#last !== undefined);
    if (this.held !== undefined) return { held: this.held };
    if (this.#waiting !== undefined) return { waiting: this.#waiting };
    throw this.#last ?? new Refusal("no_credential");
  }

  /**
   * What the agent makes its own R from. While the owner is asked there is nothing to make: only to wait.
   * @param waitMs how long to wait for the owner; 0 returns at once
   * @throws Refusal `halted`, and the end of what was waited for; as `termsFor`
   */
  async terms(waitMs: number): Promise<{ readonly terms: Terms } | { readonly waiting: Waiting }> {
    if (this.#waiting !== undefined && waitMs > 0) {
      await this.#wait(waitMs, () => this.#waiting === undefined);
      if (this.#last !== undefined) throw this.#last;
    }
    if (this.#waiting !== undefined) return { waiting: this.#waiting };
    const { state } = this.#world.server();
    const stop = state === undefined ? undefined : this.#stopIn(state);
    if (stop !== undefined) throw stop;
    const terms = await termsFor(this.#world, this.#entryNow());
    this.#nonces.hand(terms.nonce, this.#world.clock() + terms.expires_in);
    return { terms };
  }

  /**
   * The credential for an R of the agent's own, or what is waited for: then R is spent, and another one is due after
   * the owner has approved.
   * @throws Refusal as `judgeRequest`, `key_reused`, and as the server says
   */
  async certify(
    facts: Facts,
    octets: string,
  ): Promise<{ readonly held: Held } | { readonly waiting: Waiting }> {
    const entry = this.#entryNow();
    const request = await judgeRequest(this.#world, entry, octets, (nonce) =>
      this.#nonces.spend(nonce, this.#world.clock()),
    );
    this.#keys.add(thumbprint(this.#world.c, request.key));
    while (this.#asking !== undefined) await this.#asking.catch(() => undefined); // one question at a time
    if (this.#waiting !== undefined) return { waiting: this.#waiting };
    const asking = this.#askOnce(() => forwardRequest(this.#world, entry, facts, request));
    this.#asking = asking.catch(() => undefined).finally(() => (this.#asking = undefined));
    const answer = await asking;
    if (answer === undefined) throw this.#last ?? new Refusal("no_credential");
    return answer;
  }

  /** The server's state changed: an approval may have come, or a stop. */
  onState(state: ProxyState): void {
    const refusal = this.#refusalIn(state);
    if (refusal !== undefined) return this.#halt(refusal);
    if (this.#last?.code === "halted") this.#last = undefined;
    const waiting = this.#waiting;
    if (waiting !== undefined) this.#onAsk(waiting, state);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#peer.close();
    this.#drop();
    this.#notify();
  }

  /** Statements that live credentials rest on. */
  get statements(): readonly Digest[] {
    const cs = this.#held?.cs;
    return [...this.#endorsed.live(this.#world.clock()), ...(cs === undefined ? [] : [cs])];
  }

  #stopIn(state: ProxyState): Refusal | undefined {
    const entry = this.#entryOrNone();
    const of = {
      entry: this.door.entry.id,
      owner: entry?.owner,
      owners: entry?.parties?.owners,
      agent: this.#held?.id ?? this.#waiting?.agent,
      proxy: this.#world.identity().id,
    };
    const stop = [undefined, ...this.statements]
      .map((cs) => stopOf(state, { ...of, cs }))
      .find(Boolean);
    return stop === undefined ? undefined : new Refusal("halted", `${stop.scope} stopped`);
  }

  /** Why the state forbids what is held or waited for, if it does. */
  #refusalIn(state: ProxyState): Refusal | undefined {
    const stop = this.#stopIn(state);
    if (stop !== undefined) return stop;
    const isStanding = (cs: Digest): boolean =>
      state.approvals.some((approval) => approval.cs === cs);
    return this.statements.every(isStanding)
      ? undefined
      : new Refusal("halted", "the approval was ended", "Ask again: the owner is asked anew.");
  }

  #entryOrNone(): Entry | undefined {
    try {
      return this.#entryNow();
    } catch {
      return undefined;
    }
  }

  #onAsk(waiting: Waiting, state: ProxyState): void {
    const ask = state.asks.find((item) => item.req === waiting.req);
    const of = { agent: waiting.agent, program: this.program };
    // one that was signed beforehand may come in while this question is on its way
    const isBrought = state.approvals.some(
      (item) => item.model === "agent" && !this.#tried.has(item.cs) && isFor(this.#world, item, of),
    );
    if (ask?.state === "asked") this.#isAskSeen = true;
    if (!isBrought) {
      if (ask?.state === "asked") return;
      // a state that was sent before the question comes after its answer: it says nothing about it
      if (ask === undefined && !this.#isAskSeen && this.#world.clock() < waiting.deadline) return;
    }
    if (ask?.state === "denied") return this.#refuse(new Refusal("approval_denied"));
    const isApproved =
      isBrought ||
      (ask === undefined
        ? state.approvals.some((approval) => approval.agent === waiting.agent)
        : ask.state === "approved");
    if (isApproved) {
      this.#waiting = undefined;
      // an agent that holds its key comes again by itself, with another R
      return this.#entryOrNone()?.custody === "agent" ? this.#notify() : this.#askAgain(0);
    }
    this.#refuse(new Refusal("approval_expired"));
  }

  #refuse(refusal: Refusal): void {
    this.#waiting = undefined;
    this.#last = refusal;
    this.#emit(this, {
      event: refusal.code === "halted" ? "halted" : "refused",
      reason: refusal.code,
      next: problemOf(refusal).next,
    });
    this.#notify();
  }

  #halt(refusal: Refusal): void {
    if (this.#last?.code === "halted") return;
    this.#cancelTimer();
    this.#drop();
    this.#endorsed.clear();
    this.#refuse(refusal);
  }

  #drop(): void {
    this.#held = undefined;
  }

  /** One request at a time; whoever comes meanwhile gets its end. */
  #ask(facts: Facts): Promise<unknown> {
    const make = (): Promise<Answered> =>
      requestCredential(this.#world, this.#entryNow(), facts, this.#note);
    this.#asking ??= this.#askOnce(make).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** @returns the answer, unless it came too late: after a stop, or to a closed door */
  async #askOnce(make: () => Promise<Answered>): Promise<Answered | undefined> {
    const known = this.#world.server().state?.approvals ?? [];
    const answer = await make();
    if (this.#isClosed) return undefined;
    this.#tried = new Set(known.map(({ cs }) => cs));
    this.#attempt = 0;
    this.#last = undefined;
    this.#waiting = "waiting" in answer ? answer.waiting : undefined;
    this.#isAskSeen = false;
    if ("held" in answer) this.#hold(answer.held);
    const { state } = this.#world.server();
    const refusal = state === undefined ? undefined : this.#refusalIn(state);
    if (refusal !== undefined) {
      this.#halt(refusal); // stopped while the answer was on its way
      return undefined;
    }
    this.#say(answer);
    // the state may have been told of the question, even of its end, before we were
    if (this.#waiting !== undefined && state !== undefined) this.#onAsk(this.#waiting, state);
    this.#notify();
    return answer;
  }

  #hold(held: Held): void {
    this.#held = held;
    if (held.signer === undefined && held.cs !== undefined) this.#endorsed.note(held.cs, held.exp);
  }

  #say(answer: Answered): void {
    if ("waiting" in answer) {
      const { code, deadline, next, reasons } = answer.waiting;
      return this.#emit(this, { event: "waiting", code, deadline, next, reasons });
    }
    const { id, exp, n } = answer.held;
    this.#emit(this, { event: "credential", id, expires_at: exp, n });
    this.#scheduleRenewal(answer.held);
  }

  /** Half of the life, earlier by up to a tenth: many agents must not renew in step. */
  #scheduleRenewal(held: Held): void {
    if (held.isSingle || held.signer === undefined) return this.#cancelTimer();
    const halfMs = ((held.exp - held.iat) * 1000) / 2;
    const earlierMs = jitteredDelayMs(this.#world.random, 0, halfMs / 10 + 1, halfMs / 10 + 1);
    this.#askAgain(Math.max(0, halfMs - earlierMs));
  }

  #askAgain(delayMs: number): void {
    this.#cancelTimer();
    if (this.#isClosed) return;
    this.#cancelTimer = this.#world.timers.after(delayMs, () => void this.#renew());
  }

  /** Fresh evidence of the same process, or no renewal. */
  async #renew(): Promise<void> {
    try {
      await this.#ask((await this.measure()).facts);
    } catch (error) {
      this.#renewalFailed(error);
    }
  }

  #renewalFailed(error: unknown): void {
    if (this.#isClosed) return;
    if (!(error instanceof Refusal)) {
      this.#world.log.error("renewal.failed", { entry: this.door.entry.id, error });
      return this.#retry();
    }
    this.#world.log.info("renewal.refused", {
      entry: this.door.entry.id,
      reason: error.code,
      detail: error.message,
    });
    if (isPassing(error.code)) return this.#retry();
    if (error.code === "halted") return this.#halt(error);
    this.#last = error;
    this.#emit(this, { event: "refused", reason: error.code, next: problemOf(error).next });
    this.#notify();
  }

  #retry(): void {
    this.#attempt += 1;
    this.#askAgain(
      jitteredDelayMs(this.#world.random, this.#attempt, FIRST_RETRY_MS, LONGEST_RETRY_MS) +
        FIRST_RETRY_MS,
    );
  }

  #notify(): void {
    for (const wake of [...this.#changed]) wake();
  }

  #wait(waitMs: number, isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#world.timers.after(waitMs, () => done());
      const check = (): void => {
        if (isOver() || this.#isClosed) done();
      };
      const done = (): void => {
        cancel();
        this.#changed.delete(check);
        resolve();
      };
      this.#changed.add(check);
    });
  }
}
