import { Command } from "commander";
import { isObject, parseJsonObject, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { nodeCrypto, printable } from "@countersign/node";
import { columns } from "../columns.ts";
import { verifyLog } from "../log-verify.ts";
import type { LogHead } from "../log-verify.ts";
import { explain, list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { addExport, addMonitor } from "./log-published.ts";
import type { ReadLog } from "./log-published.ts";
import { addWitness } from "./log-witness.ts";

const NEWEST_ROWS = 50;
const PAGE_ROWS = 200;
const MOST_ROWS = 1000;
const SAY_EVERY_ROWS = 5000;
/** Members of a record that say whom it is about, the narrowest first. */
const WHOM = ["agent", "entry", "target", "owner", "proxy", "name", "caller", "id", "jkt"] as const;

function sequence(name: string, value: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(value))
    throw new Refusal("malformed_request", `${name} is no row number`, "Rows count from 0.");
  return Number(value);
}

function recordOf(row: JsonObject): JsonObject | undefined {
  const { record } = row;
  return typeof record === "string"
    ? parseJsonObject(record, { maxBytes: 65_536, maxDepth: 16 })
    : undefined;
}

/** Whom a row is about, as far as its record says it. */
export function whom(row: JsonObject): string {
  const record = recordOf(row);
  if (record === undefined) return "(record erased)";
  for (const name of WHOM) {
    const value = record[name];
    if (typeof value === "string") return printable(value);
    if (isObject(value) && typeof value["id"] === "string") return printable(value["id"]);
  }
  return "";
}

function reasonOf(row: JsonObject): string {
  const reason = recordOf(row)?.["reason"];
  return typeof reason === "string" ? printable(reason) : "";
}

async function sizeOf(api: LocalApi): Promise<number> {
  const checkpoint = text(await api.get("/v1/status"), "checkpoint");
  return Number(checkpoint.split("\n")[1] ?? 0);
}

interface ShowOptions {
  readonly from?: string;
  readonly type?: string;
}

async function showRows(cli: Cli, api: LocalApi, options: ShowOptions): Promise<void> {
  const size = await sizeOf(api);
  const from =
    options.from === undefined ? Math.max(0, size - NEWEST_ROWS) : sequence("--from", options.from);
  const answer = await api.get(`/v1/log?from=${from}&to=${from + MOST_ROWS}`);
  const rows = list(answer, "rows").filter((row) => (options.type ?? row["type"]) === row["type"]);
  const cells = rows.map((row) => [
    String(number(row, "seq")),
    instant(number(row, "t")),
    printable(text(row, "type")),
    whom(row),
    reasonOf(row),
  ]);
  const shown = rows.length === 0 ? "No such rows" : `${rows.length} rows`;
  show(cli, { rows, checkpoint: text(answer, "checkpoint") }, [
    ...columns(cells),
    cli.paint("dim", `${shown} of ${size}. One in full: countersign log show N`),
  ]);
}

async function showOne(cli: Cli, api: LocalApi, seq: number): Promise<void> {
  const row = await explain(
    api.get(`/v1/log/${seq}`),
    "not_found",
    `no row ${seq} yet`,
    "See the newest rows: countersign log show",
  );
  const record = recordOf(row);
  const printed = record === undefined ? "(erased)" : JSON.stringify(record, undefined, 2);
  show(cli, row, [
    `${cli.paint("bold", `row ${seq}`)}  ${printable(text(row, "type"))}  ${instant(number(row, "t"))}`,
    `leaf    ${text(row, "leaf")}`,
    `salts   ${printable(JSON.stringify(row["salts"]))}`,
    "record",
    ...printed.split("\n").map((line) => `  ${printable(line)}`),
    "proof",
    ...text(row, "proof")
      .split("\n")
      .map((line) => `  ${printable(line)}`.trimEnd()),
  ]);
}

async function showLog(cli: Cli, n: string | undefined, options: ShowOptions): Promise<void> {
  await withApi(cli, "server.sock", (api) =>
    n === undefined ? showRows(cli, api, options) : showOne(cli, api, sequence("N", n)),
  );
}

async function* rowsOf(cli: Cli, api: LocalApi, size: number): AsyncGenerator<JsonObject> {
  for (let from = 0; from < size; from += PAGE_ROWS) {
    if (from > 0 && from % SAY_EVERY_ROWS === 0) say(cli, `${from} of ${size} rows …`);
    yield* list(await api.get(`/v1/log?from=${from}&to=${from + PAGE_ROWS}`), "rows");
  }
}

interface OpenedLog {
  readonly api: LocalApi;
  readonly head: LogHead;
  readonly size: number;
}

/** The running server's log. */
async function withLog(cli: Cli, use: (log: OpenedLog) => Promise<void>): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const status = await api.get("/v1/status");
    const keys = status["keys"];
    const vkey = text(isObject(keys) ? keys : {}, "log");
    const checkpoint = text(status, "checkpoint");
    const size = Number(checkpoint.split("\n")[1] ?? 0);
    say(cli, cli.paintErr("dim", `reading ${size} rows …`));
    await use({ api, head: { checkpoint, vkey }, size });
  });
}

function readerOf(cli: Cli): ReadLog {
  return (use) => withLog(cli, ({ api, head, size }) => use(head, rowsOf(cli, api, size)));
}

async function verify(cli: Cli): Promise<void> {
  await withLog(cli, async ({ api, head, size }) => {
    const { vkey } = head;
    const report = await verifyLog(nodeCrypto, head, {
      rows: rowsOf(cli, api, size),
      proofOf: async (seq) => text(await api.get(`/v1/log/${seq}`), "proof"),
    });
    const tick = cli.paint("green", "✓");
    const { origin } = report.checkpoint;
    show(
      cli,
      { verified: true, origin, size, opened: report.opened, erased: report.erased, vkey },
      [
        `${tick} the checkpoint of ${origin} over ${size} rows is signed by its key`,
        `${tick} every row is there and leads to the signed root`,
        `${tick} ${report.opened} records open their rows${report.erased === 0 ? "" : `; ${report.erased} were erased`}`,
        ...(size === 0 ? [] : [`${tick} the newest row is proved to be included`]),
        cli.paint(
          "dim",
          `The key is the server's word: compare it with the one you pinned, ${vkey}`,
        ),
      ],
    );
  });
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign log")
    .description("Shows the log of every decision, verifies, publishes, follows and witnesses it.")
    .addHelpText("after", "\nExample:\n  countersign log show\n  countersign log verify");
  noun
    .command("show")
    .description(`shows the newest ${NEWEST_ROWS} rows, those from a row on, or one in full`)
    .argument("[n]", "row to show in full, with record and proof")
    .option("--from <n>", `first row of at most ${MOST_ROWS}`)
    .option("--type <type>", "only rows of this type, such as credential.issued")
    .addHelpText(
      "after",
      "\nExample:\n  countersign log show --from 0 --type halt.set\n  countersign log show 12",
    )
    .action((n: string | undefined, options: ShowOptions) => showLog(cli, n, options));
  noun
    .command("verify")
    .description("recomputes leaves, records and root against the signed checkpoint")
    .addHelpText("after", "\nExample:\n  countersign log verify --json")
    .action(() => verify(cli));
  addMonitor(cli, noun);
  addExport(cli, noun, readerOf(cli));
  addWitness(cli, noun);
  return noun;
}
