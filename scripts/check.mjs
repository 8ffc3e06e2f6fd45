// `npm run check [-- --without STEP]`: everything that must hold before a commit. One line a step, the output of failing
// steps only. Whoever runs `npm test` next leaves out `unit`, which is a part of it.
import { parseArgs } from "node:util";
import { run } from "./run.mjs";

/** Two cores: two steps at a time, the long ones first. */
const LANES = 2;
const STEPS = ["unit", "fences", "format:check", "lint", "types", "dead", "docs"];

/** Runs one script of package.json. */
async function take(name) {
  const start = performance.now();
  const { code, output } = await run("npm", ["run", "--silent", name]);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name.padEnd(12)} ${seconds.padStart(5)} s`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

/** Each lane takes the next step until none is left. */
async function lane(queue) {
  let good = true;
  for (let step = queue.shift(); step !== undefined; step = queue.shift())
    good = (await take(step)) && good;
  return good;
}

const { values } = parseArgs({ options: { without: { type: "string", multiple: true } } });
const { without = [] } = values;
for (const step of without)
  if (!STEPS.includes(step)) {
    console.error(`--without takes one of: ${STEPS.join(", ")}`);
    process.exit(2);
  }

const start = performance.now();
// The others read what the build writes; without it they only repeat its errors.
let good = await take("build");
if (good) {
  const queue = STEPS.filter((step) => !without.includes(step));
  const lanes = await Promise.all(Array.from({ length: LANES }, () => lane(queue)));
  good = lanes.every(Boolean);
}
console.log(
  `check ${good ? "passed" : "FAILED"} in ${((performance.now() - start) / 1000).toFixed(0)} s`,
);
process.exitCode = good ? 0 : 1;
