import { parentPort, workerData } from "node:worker_threads";
import { Refusal } from "@countersign/core";
import { beginOf, feed, keepFrontier } from "./corpus.ts";
import type { Progress } from "./corpus.ts";
import { measureCoverage } from "./coverage.ts";
import type { CoverageMeter } from "./coverage.ts";
import { drawsOf } from "./draw.ts";
import type { Draw } from "./draw.ts";
import { bombs, hostile } from "./mutate.ts";
import { outcomeOf } from "./parser.ts";
import { everyParser } from "./parsers.ts";
import { makeSamples } from "./samples.ts";
import { everySigned } from "./signed.ts";
import type { SignedObject } from "./signed.ts";
import { inputOf, unitsOf } from "./units.ts";
import type { Input } from "./units.ts";

// Runs in a worker: what hangs, or takes all memory, ends here, and the main thread knows what was looked at.

interface Assignment {
  readonly seed: number;
  readonly seconds: number;
  /** Only parsers and signed objects whose name holds this. */
  readonly only?: string;
  /** Base64 of one input to look at; texts as UTF-16LE. */
  readonly input?: string;
  /** Where the input under way is written: its number, its length, the length of its name, name and octets. */
  readonly desk: SharedArrayBuffer;
}
const assignment = workerData as Assignment; // scripts/fuzz.mjs wrote it
const BATCH_INPUTS = 256;
const BATCH_MS = 40;
const SIGNED_CHANGES = 24;
const HEAD_BYTES = 12;
const NAME_BYTES = 128;

const head = new Int32Array(assignment.desk, 0, 3);
const desk = Buffer.from(assignment.desk, HEAD_BYTES);

/** Notes what is looked at next. */
function announce(name: string, input: Input): void {
  const octets = typeof input === "string" ? Buffer.from(input, "utf16le") : input;
  head[2] = desk.write(name, 0, NAME_BYTES);
  desk.set(octets.subarray(0, desk.length - NAME_BYTES), NAME_BYTES);
  head[1] = octets.length;
  Atomics.add(head, 0, 1);
}

function report(message: object): void {
  parentPort?.postMessage(message, []);
}

class Finding extends Error {}

async function watched(name: string, input: Input, run: () => Promise<void>): Promise<void> {
  announce(name, input);
  try {
    await run();
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Finding(why);
  }
}

async function runBatch(progress: Progress, draw: Draw, meter: CoverageMeter): Promise<void> {
  const { parser, corpus } = progress;
  const batch: Input[] = [];
  const end = performance.now() + BATCH_MS;
  while (batch.length < BATCH_INPUTS && performance.now() < end) {
    const input = hostile(draw, parser.shape, corpus);
    await watched(parser.name, input, () => feed(progress, input));
    batch.push(input);
  }
  await keepFrontier(progress, batch, meter);
}

const LARGE = 65_536;

const STEPS_FREE = 50_000;

/** Twice as large an input may take twice as many steps of ours, and a bit: not four times. */
async function runGrowth(progress: Progress, meter: CoverageMeter): Promise<void> {
  const { parser } = progress;
  const { maxLength = LARGE, shape, samples } = parser;
  const whole = Math.min(maxLength, LARGE);
  const count = bombs(shape, samples[0], whole).length;
  for (let at = 0; at < count; at += 1) {
    const steps: number[] = [];
    for (const length of [Math.floor(whole / 2), whole]) {
      const input = bombs(shape, samples[0], length)[at] ?? "";
      meter.take();
      await watched(parser.name, input, () => feed(progress, input));
      steps.push(meter.take().steps);
    }
    const [half = 0, all = 0] = steps;
    if (all > 3 * half + STEPS_FREE)
      await watched(parser.name, bombs(shape, samples[0], whole)[at] ?? "", () =>
        Promise.reject(new TypeError(`${half} steps for half of it, ${all} for all`)),
      );
  }
}

/** Large inputs once, and what is over the limit. */
async function runBombs(progress: Progress): Promise<void> {
  const { parser } = progress;
  const { maxLength, shape, samples } = parser;
  for (const length of [4096, maxLength ?? LARGE, (maxLength ?? LARGE) + 1])
    for (const input of bombs(shape, samples[0], length))
      await watched(parser.name, input, async () => {
        const outcome = await outcomeOf(parser, input);
        progress.inputs += 1;
        if (maxLength !== undefined && length > maxLength && outcome === "accepted")
          throw new TypeError("accepted over its limit");
      });
}

async function runSigned({ name, input, judge }: SignedObject, draw: Draw): Promise<number> {
  const units = unitsOf(input);
  for (let i = 0; i < SIGNED_CHANGES; i += 1) {
    const changed = units.slice();
    const at = draw.int(units.length);
    changed[at] = (units[at] ?? 0) ^ (1 + draw.int(255));
    const given = inputOf(changed, input);
    await watched(`signed ${name}`, given, async () => {
      try {
        await judge(given);
      } catch (error) {
        if (error instanceof Refusal) return;
        throw error;
      }
      throw new TypeError(`accepted with unit ${at} changed`);
    });
  }
  return SIGNED_CHANGES;
}

async function campaign(): Promise<void> {
  const { seed, seconds, only = "", input } = assignment;
  // first: what was compiled before it has no counters in its blocks
  const meter = measureCoverage();
  const samples = await makeSamples();
  const parsers = everyParser(samples)
    .filter(({ name }) => name.includes(only))
    .map(beginOf);
  const objects = everySigned(samples).filter(({ name }) => `signed ${name}`.includes(only));
  const draw = drawsOf(seed);
  if (input !== undefined) return replay(parsers, Buffer.from(input, "base64"));
  const changes = new Map<string, number>();
  const told = (): object => ({
    parsers: parsers.map(({ parser, corpus, known, inputs, accepted }) => ({
      name: parser.name,
      inputs,
      accepted,
      corpus: corpus.length,
      known: known.size,
    })),
    signed: [...changes],
  });
  for (const progress of parsers) await runBombs(progress);
  for (const progress of parsers) await runGrowth(progress, meter);
  const end = performance.now() + seconds * 1000;
  for (let round = 1; performance.now() < end; round += 1) {
    for (const progress of parsers) await runBatch(progress, draw, meter);
    for (const object of objects)
      changes.set(object.name, (changes.get(object.name) ?? 0) + (await runSigned(object, draw)));
    report({ kind: "round", round, ...told() });
  }
  meter.close();
  report({ kind: "end", ...told() });
}

async function replay(parsers: readonly Progress[], octets: Buffer): Promise<void> {
  for (const { parser } of parsers) {
    const isText = typeof parser.samples[0] === "string";
    const input = isText ? octets.toString("utf16le") : Uint8Array.from(octets);
    await watched(parser.name, input, async () =>
      report({ kind: "replayed", name: parser.name, outcome: await outcomeOf(parser, input) }),
    );
  }
}

try {
  await campaign();
} catch (error) {
  if (!(error instanceof Finding)) throw error;
  report({ kind: "finding", why: error.message });
}
