import { join, resolve } from "node:path";
import type { Command } from "commander";
import { hex, parseVkey, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { nodeCrypto, printable, privateDirectory, systemTimers } from "@countersign/node";
import { logAddress, logClient } from "../log-client.ts";
import { exportLog } from "../log-export.ts";
import { monitorLog, monitorState } from "../log-monitor.ts";
import type { Look, Monitored } from "../log-monitor.ts";
import type { LogHead } from "../log-verify.ts";
import { ExitCode, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

/** A log that misbehaves ends the monitor with this, and nothing else does. */
const ALARM_EXIT = 3;
const MOST_SECONDS = 86_400;

interface MonitorCommand {
  readonly vkey: string;
  readonly state?: string;
  readonly once: boolean;
  readonly interval: string;
}

function secondsOf(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text) || Number(text) > MOST_SECONDS)
    throw new Refusal("malformed_request", "--interval", "Give seconds, at most 86400.");
  return Number(text);
}

/** One file for each key, in a folder of its own. */
async function stateOf(cli: Cli, { state, vkey }: MonitorCommand): Promise<string> {
  if (state !== undefined) return resolve(state);
  const home = cli.env.XDG_STATE_HOME ?? join(cli.home, ".local", "state");
  const folder = join(home, "countersign-monitor");
  await privateDirectory(folder);
  return join(folder, `${hex(parseVkey(nodeCrypto, vkey).id)}.checkpoint`);
}

function lineOf(cli: Cli, look: Look): string {
  if (look.is === "alarm") return cli.paintErr("red", `ALARM, ${look.alarm}: ${look.why}`);
  const { size, origin } = look.checkpoint;
  const grown = { first: "seen for the first time", grown: "only appended", same: "unchanged" };
  return `${printable(origin)}: ${size} entries, ${grown[look.is]}`;
}

function report(cli: Cli, { look, kept }: Monitored): void {
  if (look === undefined) return;
  if (look.is !== "alarm") {
    const { origin, size } = look.checkpoint;
    show(cli, { alarm: null, origin, size, is: look.is }, [
      `${cli.paint("green", "✓")} ${lineOf(cli, look)}`,
    ]);
    return;
  }
  const { alarm, why, found, known } = look;
  show(cli, { alarm, why, found, known: known ?? null, kept }, [
    `${cli.paint("red", `ALARM, ${alarm}`)}: ${why}.`,
    ...kept.map((path) => `  kept    ${path}`),
    "  next    Show both files to others who follow this log, and trust nothing newer of it until it is explained.",
  ]);
  throw new ExitCode(ALARM_EXIT);
}

async function monitor(cli: Cli, url: string, given: MonitorCommand): Promise<void> {
  const address = logAddress(url);
  try {
    const done = await monitorLog({
      c: nodeCrypto,
      client: logClient(address),
      vkey: given.vkey,
      state: monitorState(nodeCrypto, await stateOf(cli, given)),
      timers: systemTimers,
      intervalMs: secondsOf(given.interval) * 1000,
      isOnce: given.once,
      told: (look) => {
        if (!given.once) say(cli, lineOf(cli, look));
      },
      failed: (refusal) =>
        say(cli, cli.paintErr("yellow", `not looked at: ${printable(refusal.message)}`)),
    });
    report(cli, done);
  } finally {
    address.target.close();
  }
}

export function addMonitor(cli: Cli, noun: Command): void {
  noun
    .command("monitor")
    .description("follows a published log and cries when it forks, shrinks or changes its key")
    .argument("<url>", "what stands before /checkpoint")
    .requiredOption("--vkey <key>", "the log's verifier key, as you have pinned it")
    .option(
      "--state <file>",
      "where the newest checkpoint seen is kept (default: by key, in the state folder)",
    )
    .option("--once", "look once", false)
    .option("--interval <seconds>", "how often to look", "60")
    .addHelpText(
      "after",
      `\nExit codes: ${ALARM_EXIT} alarm, 1 not looked at.\nExample:\n  countersign log monitor https://id.example.org/log --vkey "$VKEY" --once`,
    )
    .action((url: string, given: MonitorCommand) => monitor(cli, url, given));
}

/** A log's head and rows, as they are read for the commands of this noun. */
export type ReadLog = (
  use: (head: LogHead, rows: AsyncIterable<JsonObject>) => Promise<void>,
) => Promise<void>;

export function addExport(cli: Cli, noun: Command, readLog: ReadLog): void {
  noun
    .command("export")
    .description("writes checkpoint, tiles and entries as files that any web server can serve")
    .argument("<folder>", "made where it is not there")
    .addHelpText(
      "after",
      "\nExample:\n  countersign log export ./log && python3 -m http.server --directory ./log",
    )
    .action((folder: string) =>
      readLog(async (head, rows) => {
        const { checkpoint, files } = await exportLog(nodeCrypto, resolve(folder), head, rows);
        const { origin, size } = checkpoint;
        show(cli, { folder: resolve(folder), origin, size, files, vkey: head.vkey }, [
          `${cli.paint("green", "✓")} wrote ${size} entries of ${printable(origin)} as ${files} files to ${folder}`,
          `Serve it with any web server; who follows it needs the key: ${head.vkey}`,
        ]);
      }),
    );
}
