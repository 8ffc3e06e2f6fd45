import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkWitnesses,
  cosign,
  judgeSubmission,
  openSubmission,
  parseAddCheckpoint,
  parseTlogProof,
  Refusal,
  verifyTlogProof,
  vkeyOf,
} from "@countersign/core";
import type { Checkpoint, Signer } from "@countersign/core";
import {
  createLog,
  generateSigner,
  handlerTarget,
  nodeCrypto as c,
  pause,
} from "@countersign/node";
import type { Timers } from "@countersign/node";
import * as f from "../store/fixtures.testing.ts";
import type { Store } from "../store/store.ts";
import { CosignedCheckpoints } from "./cosigned.ts";
import { WitnessRounds } from "./witnesses.ts";
import type { Witness } from "./witnesses.ts";

/** A witness in memory, made of core's rules, that can be away or answer wrongly. */
class TestWitness {
  readonly name: string;
  readonly #signer: Signer = generateSigner("Ed25519");
  readonly asked: number[] = [];
  latest: Checkpoint | undefined;
  mode: "well" | "away" | "mute" = "well";

  constructor(name: string) {
    this.name = name;
  }

  get vkey(): string {
    return vkeyOf(c, this.name, this.#signer.key, "cosignature");
  }

  get witness(): Witness {
    return {
      vkey: this.vkey,
      prefix: "/w",
      target: handlerTarget((request) => this.#answer(request)),
    };
  }

  async #answer(request: Request): Promise<Response> {
    expect(new URL(request.url).pathname).toBe("/w/add-checkpoint");
    if (this.mode === "away") throw new Refusal("unreachable");
    const asked = parseAddCheckpoint(await request.text());
    const opened = await openSubmission(c, asked, new Map([[f.ORIGIN, [f.VKEY]]]));
    if (opened.do === "refuse") return new Response(opened.why, { status: opened.status });
    const ruling = judgeSubmission(c, asked, opened.checkpoint, this.latest);
    if (ruling.do === "conflict") return new Response(`${ruling.size}\n`, { status: 409 });
    if (ruling.do === "refuse") return new Response(ruling.why, { status: ruling.status });
    this.latest = opened.checkpoint;
    this.asked.push(opened.checkpoint.size);
    return new Response(
      this.mode === "mute"
        ? "\n"
        : await cosign(c, asked.checkpoint, this.name, f.NOW, this.#signer),
    );
  }
}

/** Timers that fire at the next turn of the loop, but for those over a second: these wait for `fire`. */
class Quick implements Timers {
  readonly #long: (() => void)[] = [];
  after(delayMs: number, run: () => void): () => void {
    if (delayMs > 1_000) {
      this.#long.push(run);
      return () => undefined;
    }
    const handle = setImmediate(run);
    return () => clearImmediate(handle);
  }
  fire(): void {
    for (const run of this.#long.splice(0)) run();
  }
}

let store: Store;
let timers: Quick;
let rounds: WitnessRounds | undefined;
let lines: string[];
beforeEach(async () => {
  store = await f.open();
  timers = new Quick();
  lines = [];
});
afterEach(async () => {
  await rounds?.close();
  rounds = undefined;
  await store.close();
});

function start(...witnesses: readonly TestWitness[]): void {
  rounds = new WitnessRounds({
    c,
    store,
    witnesses: witnesses.map(({ witness }) => witness),
    timers,
    log: createLog({
      stream: { write: (line) => lines.push(line) },
      format: "json",
      clock: () => f.NOW,
    }),
  });
}

/** Waits for what others do at turns of the loop; gives up after many. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 500; turn += 1) {
    if (await isSo()) return;
    await pause(timers, 0);
  }
  throw new Error("it never came to that");
}
const witnessesOf = async (): Promise<number> =>
  (await store.checkpoint()).split("\n").filter((line) => line.startsWith("— w")).length;
const row = async (word: string): Promise<void> =>
  void (await f.written(store, f.decisionOf(word)));

describe("a log with witnesses", () => {
  it("publishes each checkpoint with their cosignatures, and proofs under it", async () => {
    const [one, two] = [new TestWitness("w1"), new TestWitness("w2")];
    await row("before");
    start(one, two);
    await until(async () => (await witnessesOf()) === 2);
    await row("after");
    await until(async () => (await witnessesOf()) === 2);
    const proof = await store.proofFor(0);
    const entry = (await store.logRow(0))?.leaf ?? new Uint8Array();
    const { checkpoint } = await verifyTlogProof(c, { proof, entry, vkey: f.VKEY });
    const policy = { vkeys: [one.vkey, two.vkey], threshold: 2 };
    expect(await checkWitnesses(c, checkpoint.text, policy)).toHaveLength(2);
    expect([one.latest?.size, two.latest?.size]).toEqual([2, 2]);
  });

  it("answers a decision before any witness has seen it", async () => {
    const away = new TestWitness("w1");
    away.mode = "away";
    start(away);
    const { proof = "", seq } = await f.written(store, f.decisionOf("one"));
    expect(seq).toBe(0);
    expect(parseTlogProof(proof).checkpoint).not.toContain("— w1");
  });

  it("cosigns an empty log too", async () => {
    const one = new TestWitness("w1");
    start(one);
    await until(async () => (await witnessesOf()) === 1);
    expect(one.latest?.size).toBe(0);
  });

  it("asks a witness that knows more than we remember from where it is", async () => {
    const one = new TestWitness("w1");
    await row("one");
    start(one);
    await until(() => one.latest?.size === 1);
    await rounds?.close();
    await row("two");
    start(one); // a new process: nothing is remembered
    await until(async () => (await witnessesOf()) === 1);
    expect(one.asked).toEqual([1, 2]);
  });

  it("asks one that was away again, and says both once", async () => {
    const [one, two] = [new TestWitness("w1"), new TestWitness("w2")];
    two.mode = "away";
    await row("one");
    start(one, two);
    await until(async () => (await witnessesOf()) === 1);
    timers.fire();
    await until(() => one.asked.length === 2);
    two.mode = "well";
    await until(() => {
      timers.fire();
      return two.latest?.size === 1;
    });
    await until(async () => (await witnessesOf()) === 2);
    expect(lines.filter((line) => line.includes("witness_failed"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("witness_back"))).toHaveLength(1);
  });

  it("keeps a proof under the checkpoint that more witnesses have cosigned", async () => {
    const [one, two] = [new TestWitness("w1"), new TestWitness("w2")];
    await row("one");
    start(one, two);
    await until(async () => (await witnessesOf()) === 2);
    two.mode = "away";
    await row("two");
    await until(async () => (await witnessesOf()) === 1);
    const cosigned = async (seq: number): Promise<number> =>
      parseTlogProof(await store.proofFor(seq)).checkpoint.split("\n— w").length - 1;
    expect([await cosigned(0), await cosigned(1)]).toEqual([2, 1]);
  });

  it.each<["mute" | "fork" | "ahead", RegExp]>([
    ["mute", /without its cosignature/],
    ["fork", /answered 409/],
    ["ahead", /old copy of the database/],
  ])("publishes nothing of a witness that answers wrongly: %s", async (what, words) => {
    const one = new TestWitness("w1");
    if (what === "mute") one.mode = "mute";
    const root = new Uint8Array(32);
    if (what !== "mute")
      one.latest = { origin: f.ORIGIN, size: what === "fork" ? 1 : 9, root, text: "" };
    await row("one");
    start(one);
    await until(() => lines.some((line) => line.includes("witness_failed")));
    expect(lines.join("")).toMatch(words);
    expect(await witnessesOf()).toBe(0);
    expect(store.hold()).toBeUndefined(); // what a witness says is not signed: a person must look
  });

  it("asks nothing more once it is closed", async () => {
    const one = new TestWitness("w1");
    start(one);
    await until(() => one.latest !== undefined);
    await rounds?.close();
    await row("one");
    await pause(timers, 0);
    expect(one.latest?.size).toBe(0);
  });

  it("signs lines that C2SP's readers know", async () => {
    const one = new TestWitness("w1");
    await row("one");
    start(one);
    await until(async () => (await witnessesOf()) === 1);
    expect(await store.checkpoint()).toMatch(
      /^id\.example\.org\/log\n1\n[A-Za-z0-9+/]{43}=\n\n— id\.example\.org\/log [A-Za-z0-9+/=]+\n— w1 [A-Za-z0-9+/=]+\n$/,
    );
  });
});

describe("cosigned checkpoints that are kept", () => {
  const add = (
    ...entries: readonly (readonly [size: number, witnesses: number])[]
  ): CosignedCheckpoints => {
    const kept = new CosignedCheckpoints();
    for (const [size, witnesses] of entries)
      kept.add({ size, witnesses, text: `${size}/${witnesses}` });
    return kept;
  };
  it.each<[string, readonly (readonly [number, number])[], number, string | undefined]>([
    ["none", [], 0, undefined],
    [
      "the newest of equals",
      [
        [5, 2],
        [9, 2],
      ],
      3,
      "9/2",
    ],
    [
      "an older, better one",
      [
        [5, 2],
        [9, 1],
      ],
      3,
      "5/2",
    ],
    [
      "the newer one for what the older does not cover",
      [
        [5, 2],
        [9, 1],
      ],
      5,
      "9/1",
    ],
    [
      "none for what no one covers",
      [
        [5, 2],
        [9, 1],
      ],
      9,
      undefined,
    ],
    [
      "a better one of the same size",
      [
        [5, 1],
        [5, 2],
      ],
      3,
      "5/2",
    ],
    [
      "not a worse one of the same size",
      [
        [5, 2],
        [5, 1],
      ],
      3,
      "5/2",
    ],
    [
      "not an older one that comes late",
      [
        [9, 1],
        [5, 2],
      ],
      3,
      "9/1",
    ],
  ])("%s", (_name, entries, index, wanted) => {
    expect(add(...entries).covering(index)?.text).toBe(wanted);
  });
});
