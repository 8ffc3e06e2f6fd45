import {
  cosignatureIn,
  fromUtf8,
  readSizeAnswer,
  readTreeHead,
  parseNote,
  Refusal,
  utf8,
  writeAddCheckpoint,
} from "@countersign/core";
import type { Crypto } from "@countersign/core";
import { call, pause } from "@countersign/node";
import type { Answer, Log, Target, Timers } from "@countersign/node";
import type { Store } from "../store/store.ts";

/** A witness that this log asks. */
export interface Witness {
  /** Verifier key of type 0x04; its answers are checked with it. */
  readonly vkey: string;
  readonly target: Target;
  /** Submission prefix: what stands before `/add-checkpoint`. */
  readonly prefix: string;
}

export interface AskWitnessesOptions {
  readonly c: Crypto;
  readonly store: Pick<Store, "checkpoint" | "consistencyProof" | "addCosignatures" | "subscribe">;
  readonly witnesses: readonly Witness[];
  readonly timers: Timers;
  readonly log: Log;
}

const ANSWER_TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 65_536;
/** Between two rounds: decisions come in groups, and one cosignature covers all before it. */
const ROUND_PAUSE_MS = 1_000;
/** Until a witness that has failed is asked again about the same checkpoint. */
const RETRY_PAUSE_MS = 30_000;

interface Head {
  readonly size: number;
  /** As the log has signed it. */
  readonly checkpoint: string;
}

function headOf(checkpoint: string): Head {
  return { size: readTreeHead(parseNote(checkpoint).text).size, checkpoint };
}

/**
 * Asks witnesses for cosignatures (C2SP tlog-witness), beside the releases and never before them: a decision does not
 * wait for another machine. A round asks every witness about one checkpoint, so that what is published can show more
 * than one; then the next round takes the newest. A witness that is away costs its own cosignature only.
 */
export class WitnessRounds {
  readonly #options: AskWitnessesOptions;
  readonly #ended = new AbortController();
  readonly #unsubscribe: () => void;
  /** Size that a witness has cosigned last, as far as we know; the witness knows. */
  readonly #known: Map<Witness, number> = new Map();
  readonly #failing: Set<Witness> = new Set();
  #next: Head | undefined;
  #newestSize = 0;
  #wake: () => void = () => undefined;
  readonly #done: Promise<void>;

  constructor(options: AskWitnessesOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.subscribe(({ checkpoint }) => {
      if (checkpoint === undefined) return;
      this.#next = headOf(checkpoint);
      this.#newestSize = this.#next.size;
      this.#wake();
    });
    this.#done = this.#run();
  }

  /** Stops asking; resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#ended.abort();
    this.#wake();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { store, timers } = this.#options;
    const { signal } = this.#ended;
    try {
      const first = headOf(await store.checkpoint());
      this.#next ??= first;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // a log that holds has nothing to ask about
    }
    while (!signal.aborted) {
      const head = this.#next;
      this.#next = undefined;
      const isWhole = head === undefined || (await this.#round(head));
      if (!isWhole) this.#retry(head);
      await pause(timers, ROUND_PAUSE_MS, signal);
      if (this.#next === undefined && !signal.aborted)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  /** The same checkpoint once more, unless a newer one comes before. */
  #retry(head: Head): void {
    const { timers } = this.#options;
    void pause(timers, RETRY_PAUSE_MS, this.#ended.signal).then(() => {
      if (head.size < this.#newestSize) return; // a witness would take it for an old copy of the log
      this.#next ??= head;
      this.#wake();
    });
  }

  /** @returns whether every witness has cosigned */
  async #round(head: Head): Promise<boolean> {
    const { witnesses, store } = this.#options;
    const answers = await Promise.all(witnesses.map((witness) => this.#ask(witness, head)));
    const lines = answers.filter((line) => line !== undefined);
    if (lines.length > 0) store.addCosignatures(head.checkpoint, lines);
    return lines.length === witnesses.length;
  }

  async #ask(witness: Witness, head: Head): Promise<string | undefined> {
    const name = witness.vkey.split("+", 1)[0];
    try {
      const line = await this.#cosignature(witness, head);
      this.#known.set(witness, head.size);
      if (this.#failing.delete(witness)) this.#options.log.info("log.witness_back", { name });
      return line;
    } catch (error) {
      const isNews = !this.#failing.has(witness) && !this.#ended.signal.aborted;
      this.#failing.add(witness);
      if (isNews) this.#options.log.error("log.witness_failed", { name, error });
      return undefined;
    }
  }

  /** @throws Refusal `unreachable`, `checkpoint_invalid`, `log_proof_invalid` */
  async #cosignature(witness: Witness, head: Head): Promise<string> {
    const first = await this.#post(witness, head, this.#known.get(witness) ?? 0);
    const known = first.status === 409 ? readSizeAnswer(fromUtf8(first.body)) : undefined;
    if (known !== undefined && known > head.size)
      throw new Refusal(
        "log_proof_invalid",
        `the witness has seen ${known} leaves, there are ${head.size}: is this an old copy of the database?`,
      );
    const answer = known === undefined ? first : await this.#post(witness, head, known);
    if (answer.status !== 200)
      throw new Refusal("log_proof_invalid", `the witness answered ${answer.status}`);
    const body = fromUtf8(answer.body);
    return cosignatureIn(this.#options.c, head.checkpoint, body, witness.vkey);
  }

  async #post(witness: Witness, { size, checkpoint }: Head, known: number): Promise<Answer> {
    const oldSize = Math.min(known, size);
    const proof = await this.#options.store.consistencyProof(oldSize, size);
    return call(witness.target, {
      method: "POST",
      path: `${witness.prefix}/add-checkpoint`,
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: utf8(writeAddCheckpoint({ oldSize, proof, checkpoint })),
      timeoutMs: ANSWER_TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
      signal: this.#ended.signal,
    });
  }
}
