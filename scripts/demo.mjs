// `npm run demo [-- --keep] [-- --out DIR]`: the whole story with real processes on this machine, in under a minute.
// `npm run demo -- --console [--minutes N]`: the same with you as the owner, in a browser with a passkey of your own.
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { Patience, StoryEnd, timeLeft } from "./demo/patience.mjs";

const USAGE = "usage: npm run demo -- [--keep] [--out DIR] | --console [--minutes N] [--keep]";
/** How long a person is waited for, in all. */
const PATIENCE_MINUTES = 15;
const MAX_PATIENCE_MINUTES = 120;
/** The exit code of what was ended by Ctrl-C. */
const INTERRUPTED = 130;

function readArguments() {
  try {
    const options = {
      keep: { type: "boolean", default: false },
      out: { type: "string" },
      console: { type: "boolean", default: false },
      minutes: { type: "string" },
      help: { type: "boolean", default: false },
    };
    const { minutes, help, ...given } = parseArgs({ options }).values;
    if (help) {
      console.log(USAGE);
      process.exit();
    }
    const patience = Number(minutes ?? PATIENCE_MINUTES);
    if (!(patience > 0 && patience <= MAX_PATIENCE_MINUTES))
      throw new Error(`--minutes is a number, at most ${MAX_PATIENCE_MINUTES}`);
    if (given.console && given.out !== undefined)
      throw new Error("--out belongs to the demo that runs by itself, without --console");
    return { ...given, patienceMs: patience * 60_000 };
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
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
      if (error instanceof StoryEnd) {
        s.end = error; // told at the very end
        return;
      }
      s.report.check(false, `this step could not be done: ${error.message}`);
      return; // later steps stand on this one
    }
  }
}

/** Resolves at the first Ctrl-C or SIGTERM; at another one everything ends at once. */
function interrupted() {
  let isAsked = false;
  return new Promise((settle) => {
    const ask = (signal) => {
      if (isAsked) process.exit(INTERRUPTED);
      isAsked = true;
      settle(signal);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, ask);
  });
}

/** The story that runs by itself, with all that must be refused. */
async function ownStory() {
  const [steps, refusals, { writeFolder }] = await Promise.all([
    import("./demo/steps.mjs"),
    import("./demo/refusals.mjs"),
    import("./demo/folder.mjs"),
  ]);
  return {
    title: ["Everything runs on this machine with keys of its own, and is gone afterwards."],
    steps: [
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
    ],
  };
}

/** The story in which a person is the owner. */
async function consoleStory(patienceMs) {
  const [{ startUp }, console] = await Promise.all([
    import("./demo/steps.mjs"),
    import("./demo/at-console.mjs"),
  ]);
  return {
    title: [
      "You are the owner. You need a browser and a passkey: fingerprint, face, PIN or security key.",
      `It waits ${timeLeft(patienceMs)} for you, in all. Ctrl-C ends it; then everything of it is gone.`,
    ],
    steps: [
      startUp,
      console.makePasskey,
      console.serviceStarts,
      console.agentAsks,
      console.ownerApproves,
      console.serviceChecks,
      console.ownerStops,
    ],
    farewell: console.farewell,
  };
}

function conclude({ report, end }, begun) {
  if (end !== undefined) {
    report.line();
    report.title(end.message);
    report.line("Everything of it is ended and removed. Once more: npm run demo -- --console");
  }
  if (end?.isFailure !== true) report.summary((performance.now() - begun) / 1000);
  return report.failed > 0 || end?.isFailure === true ? 1 : 0;
}

async function main() {
  const { keep, out: given, console: isAtConsole, patienceMs } = readArguments();
  const out = await placeOf(given);
  const begun = performance.now();
  const stopped = interrupted();
  const isReady = await Promise.race([prepare(), stopped.then(() => undefined)]);
  if (isReady === undefined) process.exit(INTERRUPTED); // and the build with it
  if (!isReady) return 1;
  // these are what was just built
  const { Report } = await import("./demo/report.mjs");
  const { World } = await import("./demo/world.mjs");
  const { freePort } = await import("@countersign/node");
  const story = await (isAtConsole ? consoleStory(patienceMs) : ownStory());
  const report = new Report(process.stdout, process.env["NO_COLOR"]);
  const world = await World.create();
  process.on("exit", () => world.endAtOnce()); // whatever happens here, nothing stays behind
  const port = await freePort();
  const patience = new Patience(report, patienceMs);
  const s = { report, world, port, url: `http://localhost:${port}/`, out, patience };
  report.title("Countersign: an identity for an agent, countersigned by its owner.");
  for (const line of story.title) report.line(line);
  const signal = await Promise.race([tell(s, story.steps), stopped]);
  let code = INTERRUPTED;
  if (signal === undefined) {
    story.farewell?.(s);
    code = conclude(s, begun);
    if (keep) {
      report.line("It goes on until Ctrl-C. Look around from another terminal, for example:");
      report.line(`  node packages/cli/dist/main.js --data ${world.data} agent list`);
      await stopped;
    }
  } else report.mute();
  const said = signal === "SIGINT" ? console.log : () => undefined; // the others have nobody who reads
  said("\nStopped. Everything of it is being ended …");
  await world.stop();
  await world.remove();
  said("Nothing of it is left.");
  return code;
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
