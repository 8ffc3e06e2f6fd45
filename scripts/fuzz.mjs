// `npm run fuzz -- --minutes N [--seed S] [--parser NAME]`: gives every parser changed samples until the time is over,
// led by the engine's own block coverage: what reaches a new block, or a new reason to refuse, is changed further.
// `--parser NAME --input BASE64` looks at one input again. Ends with 1 and the input on anything but an answer or a
// Refusal, on a signed object that is taken with one octet changed, on what is over its limit and taken, on no answer
// within 20 s, and on memory over its bound.
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { ROOT, run } from "./run.mjs";

const DESK_BYTES = 8_388_608;
const HEAD_BYTES = 12;
const NAME_BYTES = 128;
const HANG_MS = 20_000;
const HEAP_MIB = 1024;
const PRINT_MS = 60_000;
/** As test/fuzz/tsconfig.json says. */
const OUT = new URL("../node_modules/.cache/countersign-fuzz/", import.meta.url);
const WORKER = new URL("test/fuzz/campaign.js", OUT);

const { values: given } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    parser: { type: "string" },
    input: { type: "string" },
  },
});

async function build() {
  rmSync(OUT, { recursive: true, force: true });
  for (const args of [["-b"], ["-p", "test/fuzz/tsconfig.json"]]) {
    const { code } = await run("tsc", args, { cwd: ROOT, show: true });
    if (code !== 0) process.exit(code);
  }
}

const number = (text) => {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new TypeError(`${text} is not a number`);
  return value;
};
const total = (counts) => counts.reduce((sum, count) => sum + count, 0);
const thousands = (count) => count.toLocaleString("en");

function inputsOf({ parsers, signed }) {
  return total(parsers.map(({ inputs }) => inputs)) + total(signed.map(([, count]) => count));
}

/** Every parser with what it was given, took, and kept to change further. */
function table({ parsers, signed }) {
  const row = (...cells) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(36) : String(cell).padStart(9))).join(" ");
  return [
    row("parser", "inputs", "taken", "kept", "reached"),
    ...parsers.map(({ name, inputs, accepted, corpus, known }) =>
      row(name, inputs, accepted, corpus, known),
    ),
    row("signed object, one octet changed", "inputs"),
    ...signed.map(([name, count]) => row(name, count)),
  ].join("\n");
}

/** The input that was looked at last. */
function underWay(desk) {
  const [, length, nameLength] = new Int32Array(desk, 0, 3);
  const octets = Buffer.from(desk, HEAD_BYTES);
  const held = Math.min(length, DESK_BYTES - HEAD_BYTES - NAME_BYTES);
  return {
    name: octets.subarray(0, nameLength).toString(),
    base64: octets.subarray(NAME_BYTES, NAME_BYTES + held).toString("base64"),
  };
}

const seed = given.seed === undefined ? Date.now() % 2 ** 32 : number(given.seed);
const seconds = number(given.minutes) * 60;
const started = performance.now();
await build();
const desk = new SharedArrayBuffer(DESK_BYTES);
const worker = new Worker(WORKER, {
  workerData: { seed, seconds, only: given.parser, input: given.input, desk },
  resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
});
console.log(`seed ${seed}, ${given.minutes} minutes, node ${process.version}`);

let last;
let peakMib = 0;
let looked = -1;
let lookedAt = performance.now();
let printedAt = performance.now();

function fail(why) {
  const { name, base64 } = underWay(desk);
  console.error(
    `FOUND in ${name} (seed ${seed}): ${why}\ninput, base64 (texts as UTF-16LE): ${base64}`,
  );
  process.exit(1);
}

const watch = setInterval(() => {
  peakMib = Math.max(peakMib, Math.round(process.memoryUsage().rss / 2 ** 20));
  const now = performance.now();
  const count = Atomics.load(new Int32Array(desk), 0);
  if (count !== looked) [looked, lookedAt] = [count, now];
  else if (now - lookedAt > HANG_MS) fail(`no answer within ${HANG_MS / 1000} s`);
  if (last !== undefined && now - printedAt > PRINT_MS) {
    printedAt = now;
    console.log(
      `${Math.round((now - started) / 1000)} s: ${thousands(inputsOf(last))} inputs, round ${last.round}, ${peakMib} MiB`,
    );
  }
}, 500);

worker.on("message", (message) => {
  if (message.kind === "finding") fail(message.why);
  if (message.kind === "replayed") console.log(`${message.name}: ${message.outcome}`);
  if (message.kind === "round" || message.kind === "end") last = message;
});
worker.on("error", (error) => fail(error.stack ?? String(error)));
worker.on("exit", (code) => {
  clearInterval(watch);
  if (code !== 0) fail(`the worker ended with ${code}`);
  if (last === undefined) return;
  const inputs = inputsOf(last);
  const rate = Math.round(inputs / Math.max(1, seconds));
  console.log(table(last));
  console.log(
    `${thousands(inputs)} inputs to ${last.parsers.length} parsers and ${last.signed.length} signed objects, ${rate} a second, seed ${seed}, peak ${peakMib} MiB, nothing found`,
  );
});
