// `npm run bench`: how close each operation comes to its own signatures and verifications, computed alone on the same
// core in the same run. `-- --quick` in seconds, `-- --json` for programs, `-- --only NAME` for one row.
import { parseArgs } from "node:util";
import { approveFigure } from "./bench/approve.mjs";
import { durableRow } from "./bench/durable.mjs";
import { daemonFigures, haltFigure, helpFigure, indexFigure } from "./bench/figures.mjs";
import { floodFigure } from "./bench/flood.mjs";
import { memoryRow } from "./bench/issue.mjs";
import { compare } from "./bench/measure.mjs";
import { proofRow } from "./bench/proof.mjs";
import { coreRows } from "./bench/rows.mjs";

const PACES = {
  quick: { rounds: 3, seconds: 0.06, batch: 64 },
  full: { rounds: 11, seconds: 0.25, batch: 512 },
};
const STREAMS = 2_000;
const ENTRIES = 50_000;
const APPROVALS = 100;
const APPROVAL = "approve-to-credential";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string" },
  },
});
const pace = values.quick ? PACES.quick : PACES.full;
const isWanted = (name) => values.only === undefined || values.only === name;
const say = (line) => {
  if (!values.json) console.log(line);
};
const percent = (ratio) => `${(100 * ratio).toFixed(0)} %`;
const whole = (number) => number.toFixed(0).padStart(9);

const rows = [];

function take({ name, aim, what, opsPerSecond, limitPerSecond, ratio }) {
  rows.push({ name, opsPerSecond, limitPerSecond, ratio });
  const aimed =
    aim === undefined ? "no aim" : `aim ${percent(aim)}${ratio < aim ? ", missed" : ""}`;
  say(
    `${name.padEnd(18)}${whole(opsPerSecond)}${whole(limitPerSecond)}${percent(ratio).padStart(8)}  ${aimed}`,
  );
  say(`${" ".repeat(18)}${what}`);
}

async function figure(make) {
  const made = await make();
  for (const { name, aim, value, isMet } of Array.isArray(made) ? made : [made])
    say(`${name}: ${value}${aim === "" ? "" : ` (aim ${aim}${isMet ? "" : ", missed"})`}`);
}

async function inProcess() {
  for (const row of [...(await coreRows()), await memoryRow()]) {
    if (isWanted(row.name)) take({ ...row, ...(await compare(row, pace)) });
    await row.end?.();
  }
}

const begun = performance.now();
say(`${"row".padEnd(18)}    ops/s  limit/s   ratio`);
await inProcess();
if (isWanted("issue-durable")) take(await durableRow(pace));
if (isWanted("proof-socket")) take(await proofRow(pace));
if (!values.json && values.only === APPROVAL) await figure(() => approveFigure(APPROVALS));
if (!values.json && values.only === undefined) {
  await figure(() => helpFigure(values.quick ? 3 : 9));
  await figure(() => indexFigure(ENTRIES));
  await figure(() => floodFigure(values.quick ? 1 : 5));
  if (!values.quick) {
    await figure(daemonFigures);
    await figure(() => approveFigure(APPROVALS));
    await figure(() => haltFigure(STREAMS));
  }
}
say(`${((performance.now() - begun) / 1000).toFixed(0)} s`);
if (values.json) console.log(JSON.stringify({ rows }));
