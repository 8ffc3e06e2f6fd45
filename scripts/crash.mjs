// `npm run crash -- [--runs N] [--seed S]`: kills a server with SIGKILL at random instants, N times, and looks each time
// whether anything acknowledged was lost, anything single-use worked twice, or the log went back. CI has ten runs among
// its tests. A failure names its seed; what a process does within a run is not repeated by it, the order of acts is.
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { run } from "./run.mjs";

const { values: given } = parseArgs({
  options: { runs: { type: "string", default: "200" }, seed: { type: "string" } },
});
const seed = given.seed ?? String(Date.now() % 1_000_000);
for (const [name, text] of Object.entries({ runs: given.runs, seed }))
  if (!/^[0-9]{1,9}$/.test(text)) {
    console.error(`--${name} is no number`);
    process.exit(2);
  }
const built = await build({ show: true });
if (built.code !== 0) process.exit(built.code);
const env = { CRASH_RUNS: given.runs, CRASH_SEED: seed };
const args = ["run", "--project", "whole", "test/e2e/crash.test.ts"];
process.exitCode = (await run("vitest", args, { show: true, env })).code;
