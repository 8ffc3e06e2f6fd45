import type { Command } from "commander";
import { isObject, noticeWords, parseJson } from "@countersign/core";
import type { JsonObject, NoticeWords, Random } from "@countersign/core";
import { followEvents, nodeRandom, onShutdown, printable } from "@countersign/node";
import type { ServerEvent, Target, Timers } from "@countersign/node";
import { refuseInsideRun } from "../inside-run.ts";
import { explain, list, withApi } from "../sockets.ts";
import { say } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const MAX_EVENT_BYTES = 4_194_304;
const BELL = "\u0007";

interface Watched {
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly random?: Random;
  readonly timers?: Timers;
}

function objectOf({ data }: ServerEvent): JsonObject {
  const value = parseJson(data, { maxBytes: MAX_EVENT_BYTES, maxDepth: 12 });
  return isObject(value) ? value : {};
}

/** What stands open when the stream begins: only what was announced is counted, as in the inbox. */
function beginning(inbox: JsonObject): string {
  const rows = list(inbox, "requests");
  const waiting = rows.filter((row) => row["expected"] === true).length;
  const others = rows.length - waiting;
  const more = others === 0 ? "" : `; ${others} that you did not announce`;
  return waiting === 0 && others === 0
    ? "Nobody waits for you."
    : `${waiting} ${waiting === 1 ? "question waits" : "questions wait"} for you${more}.`;
}

function noticeLine(notice: JsonObject): string {
  const words = noticeWords(notice as unknown as NoticeWords); // of our own server; what is not there is left out
  const { request } = notice;
  return typeof request === "string"
    ? `[/_] ${words} ${request}: countersign owner approve ${request} --key FILE`
    : `[/_] ${words}`;
}

/** Shows an owner's notices, a line each, until the signal: the bell rings on a terminal only. */
export async function watchNotices(cli: Cli, target: Target, watched: Watched): Promise<void> {
  const onEvent = (event: ServerEvent): void => {
    if (event.event === "inbox") say(cli, cli.paintErr("dim", beginning(objectOf(event))));
    if (event.event !== "notice") return;
    const notice = objectOf(event);
    const line = printable(cli.isJson ? JSON.stringify(notice) : noticeLine(notice));
    const bell = cli.isTerminal && !cli.isJson ? BELL : "";
    cli.stdout.write(`${line}${bell}\n`);
  };
  const { owner, signal, random = nodeRandom, timers } = watched;
  // without `Last-Event-ID`: after a break it begins with what stands open, and not with what was
  await followEvents(target, `/v1/owner/events?owner=${encodeURIComponent(owner)}`, {
    onEvent,
    onDown: (why) => say(cli, `The server does not answer (${why.code}); it is tried again.`),
    signal,
    random,
    ...(timers === undefined ? {} : { timers }),
  });
}

async function watch(cli: Cli, owner: string): Promise<void> {
  await refuseInsideRun(cli);
  await withApi(cli, "server.sock", async (api) => {
    // asked once, so that a name mistyped is said and not tried for ever
    await explain(
      api.get(`/v1/owner/requests?owner=${encodeURIComponent(owner)}`),
      "not_found",
      `no owner ${owner}`,
      "List them: countersign owner list",
    );
    const ended = new AbortController();
    const following = watchNotices(cli, api.target, { owner, signal: ended.signal });
    onShutdown({
      close: async () => {
        ended.abort();
        await following;
      },
    });
    await following;
  });
}

/** `countersign owner watch` */
export function watchCommand(cli: Cli, noun: Command): void {
  noun
    .command("watch <name>")
    .description("shows an owner's notices as they come, a line each, until it is ended")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner watch me\n  countersign --json owner watch me",
    )
    .action((name: string) => watch(cli, name));
}
