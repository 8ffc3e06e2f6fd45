import { Command } from "commander";
import { fromUtf8 } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { onShutdown } from "@countersign/node";
import { columns } from "../columns.ts";
import { readBounded, readStream } from "../files.ts";
import {
  daemonLog,
  placesOf,
  prepareRoot,
  prepareRuntime,
  PRODUCTION_DATA,
} from "../production.ts";
import { printSettings } from "../settings.ts";
import { list, number, text, withApi } from "../sockets.ts";
import { duration, instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const MAX_TOKEN_BYTES = 4096;

async function enroll(cli: Cli, options: { readonly tokenFile: string }): Promise<void> {
  const places = placesOf(cli, "proxy");
  const octets =
    options.tokenFile === "-"
      ? await readStream(cli.stdin, "standard input", MAX_TOKEN_BYTES)
      : await readBounded(options.tokenFile, MAX_TOKEN_BYTES);
  const { enrolProxy } = await import("../daemons.ts");
  await prepareRoot(places);
  say(cli, cli.paintErr("dim", "asking the server …"));
  const { name, trustDomain } = await enrolProxy(places.data, fromUtf8(octets).trim(), false);
  const at = cli.data === undefined ? "" : ` --data ${places.root}`;
  show(cli, { name, trust_domain: trustDomain, data: places.data }, [
    `This host is proxy ${cli.paint("bold", name)} of ${trustDomain}; its key lies in ${places.data}`,
    `The token is used up${options.tokenFile === "-" ? "." : `: delete ${options.tokenFile}.`}`,
    `Run it: countersign proxy run${at}`,
  ]);
}

async function run(cli: Cli): Promise<void> {
  const places = placesOf(cli, "proxy");
  const { runProxy } = await import("../daemons.ts");
  await prepareRuntime(places);
  const log = daemonLog(cli);
  const { data, runtime } = places;
  const running = await runProxy({ data, runtime, log, isDevelopment: false });
  onShutdown({ close: () => running.close(), log });
}

function sessionLine(now: number, session: JsonObject): readonly string[] {
  const state = text(session, "state");
  const left = duration(number(session, "expires_at") - now);
  const says =
    state === "held"
      ? `${text(session, "agent")}, expires in ${left}`
      : state === "waiting"
        ? `for the owner, code ${text(session, "code")}`
        : typeof session["reason"] === "string"
          ? session["reason"]
          : "nobody has asked yet";
  return ["    ", state, says];
}

/** An approval that was signed on this host, and what became of it. */
function presignedLine(cli: Cli, now: number, item: JsonObject): string {
  const state = text(item, "state");
  const until = duration(number(item, state === "accepted" ? "grant_until" : "until") - now);
  const says = {
    waiting: `waits for the server, ${until} left`,
    accepted: `accepted, ends in ${until}`,
    refused: cli.paint(
      "red",
      `refused: ${typeof item["reason"] === "string" ? item["reason"] : "?"}`,
    ),
  }[state];
  return `  presigned    ${text(item, "code")}  ${text(item, "agent")}  ${says ?? state}`;
}

/** A proxy's status as lines. */
export function proxyLines(cli: Cli, status: JsonObject): readonly string[] {
  const now = number(status, "now");
  const heard = status["heard_at"];
  const ago = typeof heard === "number" ? `${duration(Math.max(0, now - heard))} ago` : "never";
  const end = number(status["certificate"] as JsonObject, "not_after"); // our own daemon's answer
  const entries = list(status, "entries");
  const { gateway } = status;
  const through = typeof gateway === "string" ? [`  through      ${gateway}`] : [];
  return [
    `${cli.paint("bold", text(status, "proxy"))}${status["development"] === true ? cli.paint("yellow", "  development") : ""}`,
    `  server       ${status["connected"] === true ? cli.paint("green", "connected") : cli.paint("red", "not connected")}, heard ${ago}`,
    ...through,
    `  certificate  until ${instant(end)}, in ${duration(end - now)}`,
    ...(entries.length === 0
      ? ["  No agent is registered for this host: countersign agent register NAME"]
      : []),
    ...columns(
      entries.map((entry) => [
        "  serves",
        text(entry, "id"),
        `uid ${number(entry, "uid")}`,
        text(entry, "door"),
      ]),
    ),
    ...list(status, "stops").map((stop) =>
      cli.paint("red", `  stopped      ${text(stop, "scope")} ${text(stop, "target")}`),
    ),
    ...list(status, "presigned").map((item) => presignedLine(cli, now, item)),
    ...list(status, "doors").flatMap((door) => [
      `  door         ${text(door, "path")}  ${text(door, "entry")}`,
      ...columns(list(door, "sessions").map((session) => sessionLine(now, session))),
    ]),
  ];
}

async function showStatus(cli: Cli): Promise<void> {
  const answer = await withApi(cli, "proxy.sock", (api) => api.get("/v1/status"));
  show(cli, answer, proxyLines(cli, answer));
}

async function showConfig(cli: Cli): Promise<void> {
  const { PROXY_SCHEMA } = await import("../daemons.ts");
  await printSettings(cli, placesOf(cli, "proxy").data, "proxy.yaml", PROXY_SCHEMA);
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign proxy")
    .description("Enrols and runs the identity proxy of a host.")
    .usage("[command] [options]")
    .option("--print-config", "print every setting with what it decides, unit and default")
    .addHelpText(
      "after",
      `\nData: --data DIR, default ${PRODUCTION_DATA}.\nExample:\n  countersign proxy enroll --token-file build-7.token\n  countersign proxy run`,
    );
  noun
    .command("enroll")
    .description("enrols this host with a join token; the token never stands in the command line")
    .requiredOption("--token-file <file>", "file with the token, - for standard input")
    .addHelpText("after", "\nExample:\n  countersign proxy enroll --token-file - < build-7.token")
    .action((options: { tokenFile: string }) => enroll(cli, options));
  noun
    .command("run")
    .description("runs it until SIGINT or SIGTERM; logs to standard error")
    .addHelpText("after", "\nExample:\n  countersign proxy run --data /srv/countersign")
    .action(() => run(cli));
  noun
    .command("status")
    .description("shows what the running proxy holds and hears")
    .addHelpText("after", "\nExample:\n  countersign proxy status --json")
    .action(() => showStatus(cli));
  noun
    .command("config")
    .description("prints every setting with what it decides, unit and default")
    .addHelpText("after", "\nExample:\n  countersign proxy config")
    .action(() => showConfig(cli));
  return noun.allowExcessArguments().action((options: { printConfig?: boolean }) => {
    const [word] = noun.args;
    if (word !== undefined) return noun.error(`error: unknown command '${word}'`);
    return options.printConfig === true ? showConfig(cli) : noun.help({ error: true });
  });
}
