import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { handlerTarget, nodeCrypto as c, pause, systemTimers } from "@countersign/node";
import type { Timers } from "@countersign/node";
import { logAddress, logClient } from "./log-client.ts";
import type { LogClient } from "./log-client.ts";
import { monitorLog, monitorState } from "./log-monitor.ts";
import type { Look, MonitorOptions, MonitorState, Monitored } from "./log-monitor.ts";
import { TestLog } from "./published.testing.ts";

const folder = await mkdtemp(join(tmpdir(), "countersign-monitor-"));
afterAll(() => rm(folder, { recursive: true }));
let files = 0;
let path: string;
let log: TestLog;
beforeEach(() => {
  files += 1;
  path = join(folder, `${files}`, "state");
  log = new TestLog().grow(5);
});

const memory = (text?: string): MonitorState & { held: () => string | undefined } => {
  let held = text;
  return {
    held: () => held,
    read: () => Promise.resolve(held),
    write: (next) => {
      held = next;
      return Promise.resolve();
    },
    keep: () => Promise.resolve(["known", "found"]),
  };
};

function look(
  client: LogClient,
  state: MonitorState,
  more: Partial<MonitorOptions> = {},
): Promise<Monitored> {
  return monitorLog({
    c,
    client,
    vkey: log.vkey,
    state,
    timers: systemTimers,
    intervalMs: 1,
    isOnce: true,
    told: () => undefined,
    failed: () => undefined,
    ...more,
  });
}
const wordOf = ({ look: found }: Monitored): string =>
  found === undefined ? "" : found.is === "alarm" ? found.alarm : found.is;
const outcome = (run: Promise<Monitored>): Promise<string> =>
  run.then(wordOf, (error: unknown) => (error instanceof Refusal ? error.code : "bug"));

/** Seen at five entries by a monitor, then the log does this. */
const DEEDS: readonly (readonly [
  string,
  (log: TestLog) => TestLog | LogClient | Promise<TestLog | LogClient>,
  string,
])[] = [
  ["nothing", (l) => l, "same"],
  ["appends", (l) => l.grow(4), "grown"],
  ["appends beyond a tile", (l) => l.grow(300), "grown"],
  ["takes an entry away", (l) => new TestLog(l.signer).grow(4), "shrinkage"],
  ["takes all away", (l) => new TestLog(l.signer), "shrinkage"],
  ["writes the same number of entries anew", (l) => new TestLog(l.signer).grow(5, "other"), "fork"],
  ["writes its entries anew, and more", (l) => new TestLog(l.signer).grow(9, "other"), "unproved"],
  ["changes its key", () => new TestLog().grow(9), "another key"],
  [
    "changes its name",
    (l) => ({ ...l.client(), checkpoint: () => l.checkpoint(5, "other.example/log") }),
    "another log",
  ],
  [
    "appends, and serves tiles that are not its own",
    (l) => ({ ...l.grow(4).client(), tile: new TestLog().grow(9).client().tile }),
    "unproved",
  ],
  [
    "appends, and serves no tiles",
    (l) => ({ ...l.grow(4).client(), tile: () => Promise.reject(new Refusal("unreachable")) }),
    "unreachable",
  ],
  ["serves a page", (l) => ({ ...l.client(), checkpoint: async () => "<html>\n" }), "unreachable"],
  [
    "is away",
    (l) => ({ ...l.client(), checkpoint: () => Promise.reject(new Refusal("unreachable")) }),
    "unreachable",
  ],
];

describe("a monitor that has seen a log", () => {
  it.each(DEEDS)("which then %s", async (_name, deed, wanted) => {
    const seen = await log.checkpoint();
    const state = memory(seen);
    const later = await deed(log);
    const client = later instanceof TestLog ? later.client() : later;
    expect(await outcome(look(client, state))).toBe(wanted);
    // only what is true is remembered
    if (wanted === "grown") expect(state.held()).toBe(await client.checkpoint());
    else expect(state.held()).toBe(seen);
  });

  it("notices what was done while it was not running, and keeps both sides", async () => {
    await mkdir(join(path, ".."), { mode: 0o700 });
    const state = monitorState(c, path);
    expect(wordOf(await look(log.client(), state))).toBe("first");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const known = await log.checkpoint();
    const other = new TestLog(log.signer).grow(5, "other");
    const { look: found, kept } = await look(other.client(), monitorState(c, path));
    expect(found).toMatchObject({ is: "alarm", alarm: "fork", known });
    expect(await Promise.all(kept.map((name) => readFile(name, "utf8")))).toEqual([
      known,
      await other.checkpoint(),
    ]);
    await look(other.client(), monitorState(c, path)); // again: the same files
    expect(await readdir(join(path, ".."))).toHaveLength(3);
  });

  it("is refused when its state is of another key", async () => {
    const state = memory(await new TestLog().grow(2).checkpoint());
    expect(await outcome(look(log.client(), state))).toBe("configuration_invalid");
  });
});

describe("a monitor that begins", () => {
  it.each<[string, () => LogClient, string]>([
    ["a log", () => log.client(), "first"],
    ["an empty log", () => new TestLog(log.signer).client(), "first"],
    ["a log under another key", () => new TestLog().grow(1).client(), "another key"],
    [
      "tiles that do not lead to the signed root",
      () => ({ ...log.client(), tile: new TestLog().grow(5).client().tile }),
      "unproved",
    ],
  ])("with %s", async (_name, client, wanted) => {
    expect(await outcome(look(client(), memory()))).toBe(wanted);
  });
});

describe("a monitor that follows", () => {
  /** Timers that fire at the next turn of the loop, and let something happen before. */
  const timersThat = (happen: (turn: number) => void): Timers => {
    let turn = 0;
    return {
      after: (_delayMs, run) => {
        turn += 1;
        happen(turn);
        const handle = setImmediate(run);
        return () => clearImmediate(handle);
      },
    };
  };

  it("tells what is new, waits out what fails, and ends at the alarm", async () => {
    const told: Look["is"][] = [];
    let failures = 0;
    let current: LogClient = log.client();
    const client: LogClient = {
      checkpoint: () => current.checkpoint(),
      tile: (tile) => current.tile(tile),
    };
    const away = (): Promise<never> => Promise.reject(new Refusal("unreachable"));
    const timers = timersThat((turn) => {
      if (turn === 2) log.grow(3);
      if (turn === 3) current = { checkpoint: away, tile: away };
      if (turn === 5) current = new TestLog(log.signer).grow(2).client();
    });
    const done = await look(client, memory(), {
      isOnce: false,
      timers,
      told: ({ is }) => told.push(is),
      failed: () => (failures += 1),
    });
    expect(wordOf(done)).toBe("shrinkage");
    expect(told).toEqual(["first", "grown", "alarm"]);
    expect(failures).toBe(2);
  });

  it("ends at the signal", async () => {
    const ended = new AbortController();
    const timers = timersThat((turn) => {
      if (turn === 3) ended.abort();
    });
    const done = await look(log.client(), memory(), {
      isOnce: false,
      timers,
      signal: ended.signal,
    });
    expect(done.look).toBeUndefined();
    await pause(timers, 0);
  });
});

describe("a log's address", () => {
  it.each([
    ["https://id.example.org/log", "/log"],
    ["http://127.0.0.1:8080/log/", "/log"],
    ["https://id.example.org", ""],
  ])("%s", (text, prefix) => {
    expect(logAddress(text).prefix).toBe(prefix);
  });

  it.each([
    "",
    "log",
    "http://id.example.org/log",
    "https://a.example/log?x",
    "https://u:p@a.example/log",
    "ftp://a.example/log",
  ])("refuses %j", (text) => {
    expect(() => logAddress(text)).toThrow(Refusal);
  });

  it("takes the full tile where the partial one is gone", async () => {
    log.grow(300);
    const asked: string[] = [];
    const target = handlerTarget(async (request) => {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (pathname.includes(".p/")) return new Response("", { status: 404 });
      const full = await log.client().tile({ level: 0, index: 0, width: 256 });
      return new Response(new Uint8Array(full));
    });
    const client = logClient({ target, prefix: "/log" });
    const partial = await client.tile({ level: 0, index: 0, width: 5 });
    expect(partial).toEqual(await log.client().tile({ level: 0, index: 0, width: 5 }));
    expect(asked).toEqual(["/log/tile/0/000.p/5", "/log/tile/0/000"]);
  });

  it("reads no more than a tile holds", async () => {
    const target = handlerTarget(() => Promise.resolve(new Response(new Uint8Array(9_000))));
    const client = logClient({ target, prefix: "" });
    await expect(client.tile({ level: 0, index: 0, width: 256 })).rejects.toMatchObject({
      code: "too_large",
    });
  });
});
