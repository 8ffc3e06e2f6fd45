// `npm run demo [-- --keep] [-- --out DIR]`: the whole story with real processes on this machine, in under a minute.
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";

function readArguments() {
  try {
    const options = { keep: { type: "boolean", default: false }, out: { type: "string" } };
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(`${error.message}\nusage: npm run demo -- [--keep] [--out DIR]`);
    return process.exit(2);
  }
}

/** The programs are TypeScript: they are built where that was not done yet, which is quick otherwise. */
async function prepare() {
  process.stdout.write("building … ");
  const begun = performance.now();
  const { code, output } = await build();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(code === 0 ? `built in ${seconds} s` : `failed\n${output}`);
  return code === 0;
}

/** npm starts scripts in the root of the checkout: a relative folder is meant where it was typed. */
async function placeOf(out) {
  if (out === undefined) return undefined;
  const place = resolve(process.env["INIT_CWD"] ?? "", out);
  await mkdir(place, { recursive: true });
  return place;
}

async function tell(s, steps) {
  for (const step of steps) {
    try {
      await step(s);
    } catch (error) {
      s.report.check(false, `this step could not be done: ${error.message}`);
      return; // later steps stand on this one
    }
  }
}

/** Resolves at Ctrl-C or SIGTERM. */
function interrupted() {
  return new Promise((settle) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
      process.once(signal, () => settle(signal));
  });
}

async function main() {
  const { keep, out: given } = readArguments();
  const out = await placeOf(given);
  const begun = performance.now();
  const stopped = interrupted();
  if (!(await prepare())) return 1;
  // these are what was just built
  const [{ Report }, { freePort, World }, steps, refusals, { writeFolder }] = await Promise.all([
    import("./demo/report.mjs"),
    import("./demo/world.mjs"),
    import("./demo/steps.mjs"),
    import("./demo/refusals.mjs"),
    import("./demo/folder.mjs"),
  ]);
  const report = new Report(process.stdout, process.env["NO_COLOR"]);
  const world = await World.create();
  process.on("exit", () => world.kill()); // whatever happens here, nothing stays behind
  const port = await freePort();
  const s = { report, world, port, url: `http://localhost:${port}/`, out };
  report.title("Countersign: an identity for an agent, countersigned by its owner.");
  report.line("Everything runs on this machine with keys of its own, and is gone afterwards.");
  const story = tell(s, [
    steps.startUp,
    steps.enrolOwner,
    steps.serviceStarts,
    steps.agentAsks,
    steps.ownerApproves,
    steps.serviceAnswers,
    steps.renewals,
    refusals.carelessAgent,
    writeFolder,
    refusals.tokensStolen,
    refusals.atTheDoor,
    refusals.elsewhere,
    refusals.withoutOwner,
    refusals.scriptReplaced,
    refusals.halted,
  ]);
  const signal = await Promise.race([story, stopped]);
  if (signal === undefined) {
    report.summary((performance.now() - begun) / 1000);
    if (keep) {
      report.line("It goes on until Ctrl-C. Look around from another terminal, for example:");
      report.line(`  node packages/cli/dist/main.js --data ${world.data} agent list`);
      await stopped;
    }
  } else report.mute();
  await world.stop();
  await world.remove();
  if (signal !== undefined) return 130;
  return report.failed === 0 ? 0 : 1;
}

if (process.platform === "linux")
  process.exitCode = await main().catch((error) => {
    console.error(`the demo could not be told: ${error.message}`);
    return 1;
  });
else {
  console.error("The demo needs Linux: the proxy asks its kernel who is at the door.");
  process.exitCode = 1;
}
