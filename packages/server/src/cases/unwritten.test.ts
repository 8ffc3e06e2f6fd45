import { base64url } from "@countersign/core";
import { createLog, nodeCrypto } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { LogKeeper } from "../log/keeper.ts";
import { memoryCheckpoint } from "../store/checkpoint-file.ts";
import { faulty } from "../store/faulty.testing.ts";
import * as f from "../store/fixtures.testing.ts";
import { migrate } from "../store/migrations.ts";
import { Sqlite } from "../store/sqlite.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import type { Decision, Store } from "../store/store.ts";
import { Writer } from "../store/writer.ts";
import type { Answered } from "../world.testing.ts";
import { START, textOf } from "../world.testing.ts";
import { approvedScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

/** SQLite refuses the row, alone: what RAISE(ABORT) does to a statement. */
const ROW = `CREATE TRIGGER bad BEFORE INSERT ON credentials BEGIN SELECT RAISE(ABORT, 'bad row'); END`;
/** SQLite undoes the whole transaction under the row. */
const GROUP = `CREATE TRIGGER bad BEFORE INSERT ON credentials BEGIN SELECT RAISE(ROLLBACK, 'bad group'); END`;
/** Each row is taken, and COMMIT itself fails: a constraint that is looked at then. */
const COMMIT = `
  PRAGMA foreign_keys = ON;
  CREATE TABLE parents (id INTEGER PRIMARY KEY);
  CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
  CREATE TRIGGER bad AFTER INSERT ON credentials BEGIN INSERT INTO children VALUES (1); END`;

interface Failing extends Scene {
  readonly cs: `sha-256:${string}`;
  readonly db: Sqlite;
  /** Everything that a reader of log lines and of the proxy's stream has seen. */
  readonly overheard: () => string;
  /** What was handed to the store to be written, in the form in which it would have left. */
  readonly secrets: () => readonly string[];
  readonly breakFile: () => void;
}

/** Parts of a credential that nothing else has: the token's signature, and the last octets of each certificate's. */
function secretsOf({ changes }: Decision): readonly string[] {
  return changes.flatMap((change) => {
    if (
      !("put" in change) ||
      change.put !== "request" ||
      typeof change.row.outcome["wit"] !== "string"
    )
      return [];
    const { wit, wic, jti } = change.row.outcome;
    const [leaf] = wic as readonly string[]; // base64url, as `storeIssued` writes it
    return [wit.slice(-40), leaf?.slice(-40) ?? "", textOf(jti)];
  });
}

function watching(store: Store, secrets: string[]): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        if (name === "commit") secrets.push(...secretsOf(given[0] as Decision)); // the port's one argument
        return Reflect.apply(member, target, given) as unknown;
      };
    },
  });
}

/** A scene on a database that the test can break. */
async function failing(): Promise<Failing> {
  const db = new Sqlite(":memory:");
  migrate(db);
  let isBroken = false;
  const file = faulty(memoryCheckpoint(), "write", "lost-before", () => isBroken);
  const keeper = await LogKeeper.open(
    { crypto: nodeCrypto, signer: f.LOG_SIGNER, origin: f.ORIGIN, file },
    [],
  );
  const store = new SqliteStore(db, keeper, new Writer(db, keeper, () => START));
  const heard: string[] = [];
  const secrets: string[] = [];
  const stream = { write: (line: string) => heard.push(line) };
  const scene = await approvedScene({
    log: createLog({ stream, format: "json", level: "debug", clock: () => START }),
    wrap: () => watching(store, secrets),
  });
  const listening = new AbortController();
  const { host } = scene;
  const request = new Request("https://server.test/v1/state", { signal: listening.signal });
  const { body } = await scene.rig.api(request, { certificate: host.certificate });
  void (async () => {
    for await (const chunk of body ?? []) heard.push(new TextDecoder().decode(chunk));
  })();
  return {
    ...scene,
    db,
    overheard: () => heard.join("\n"),
    secrets: () => secrets,
    breakFile: () => (isBroken = true),
  };
}

/** Every row of every table. */
function rowsOf(db: Sqlite): string {
  const tables = db.all("SELECT name FROM sqlite_schema WHERE type = 'table'");
  return tables
    .flatMap(({ name }) => db.all(`SELECT * FROM ${String(name)}`))
    .flatMap((row) => Object.values(row))
    .map((value) =>
      value instanceof Uint8Array
        ? `${base64url(value)} ${Buffer.from(value).toString("latin1")}`
        : String(value),
    )
    .join("\n");
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve)); // zero: a whole turn of the loop

async function expectNowhere(at: Failing, answers: readonly Answered[]): Promise<void> {
  await turn();
  const everywhere = [rowsOf(at.db), at.overheard(), ...answers.map(({ text }) => text)].join("\n");
  expect(at.secrets().length).toBeGreaterThan(0);
  expect(at.secrets().filter((secret) => everywhere.includes(secret))).toEqual([]);
}

describe("T48: an issue that is not written", () => {
  it.each([
    ["its row is refused", ROW],
    ["the whole group is undone under it", GROUP],
    ["COMMIT fails", COMMIT],
  ])(
    "%s: no part of the credential is anywhere, and the next one is as if it had not been",
    async (_name, sql) => {
      const at = await failing();
      at.db.exec(sql);
      const posted = await at.host.make({ cs: at.cs });
      const answer = await at.host.post(posted);
      expect(answer.word).toBe("indeterminate");
      await expectNowhere(at, [answer, await at.rig.call("public", "GET /log/checkpoint")]);
      at.db.exec("DROP TRIGGER bad");
      const again = await at.host.post(posted);
      expect([again.word, again.body["n"]]).toEqual(["200", 1]);
      expect(at.secrets().some((secret) => again.text.includes(secret))).toBe(true); // it can be seen
      await at.rig.close();
    },
  );

  it("one of a group: its neighbours are written, and it is nowhere", async () => {
    const at = await failing();
    const order = {
      json: { scope: "owner", target: "urn:agent-owner:example.org:nobody-0001", reason: "" },
    };
    at.db.exec(ROW);
    const [answer, halt] = await Promise.all([
      at.host.ask({ cs: at.cs }),
      at.rig.call("admin", "POST /v1/halts", order),
    ]);
    expect([answer.word, halt.word]).toEqual(["indeterminate", "200"]);
    await expectNowhere(at, [answer, halt]);
    at.db.exec("DROP TRIGGER bad");
    await at.rig.close();
  });

  it("the checkpoint cannot be written: nothing leaves, though the row is there, until one covers it", async () => {
    const at = await failing();
    at.breakFile();
    const posted = await at.host.make({ cs: at.cs });
    const answers = [await at.host.post(posted), await at.host.post(posted)];
    expect(answers.map(({ word }) => word)).toEqual(["indeterminate", "indeterminate"]);
    await turn();
    const left = [at.overheard(), ...answers.map(({ text }) => text)].join("\n");
    expect(at.secrets().filter((secret) => left.includes(secret))).toEqual([]);
    await at.rig.close();
  });
});
