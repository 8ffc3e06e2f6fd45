import { openCheckpoint } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { LogKeeper } from "../log/keeper.ts";
import { memoryCheckpoint } from "./checkpoint-file.ts";
import type { CheckpointFile } from "./checkpoint-file.ts";
import { faulty } from "./faulty.testing.ts";
import type { Loss } from "./faulty.testing.ts";
import * as f from "./fixtures.testing.ts";
import { migrate } from "./migrations.ts";
import { Sqlite } from "./sqlite.ts";
import { SqliteStore } from "./sqlite-store.ts";
import type { Store } from "./store.ts";
import { Writer } from "./writer.ts";

const REQ = f.digestOfWord("r");
const ROW = { req: REQ, proxy: f.PROXY, exp: f.NOW + 300, epoch: 1, outcome: { state: "issued" } };
const ISSUE = f.decisionOf("r", { issues: true, changes: [{ put: "request", row: ROW }] });
const indeterminate = { code: "indeterminate" };
const ROOM = "Make room on the disk, then try again.";

/** A store whose checkpoint file works once, for the empty log, and then fails `times` times. */
async function withFailingFile(
  loss: Loss,
  times: number,
): Promise<{ store: Store; file: CheckpointFile }> {
  const file = memoryCheckpoint();
  const failing = faulty(file, "write", loss, (call) => call > 1 && call <= 1 + times);
  return { store: await f.open({ checkpointFile: failing }), file };
}

describe("the checkpoint file fails", () => {
  it.each<Loss>(["lost-before", "lost-after"])(
    "%s: the decision is indeterminate, and its outcome is there once a checkpoint covers it",
    async (loss) => {
      const { store, file } = await withFailingFile(loss, 1);
      await expect(store.commit(ISSUE)).rejects.toMatchObject(indeterminate);
      expect(await store.outcome(REQ)).toEqual({ ...ROW, seq: 0 });
      expect(await store.commit(ISSUE)).toBe("used");
      const text = (await file.read()) ?? "";
      expect((await openCheckpoint(nodeCrypto, text, f.VKEY)).size).toBe(1);
      await store.close();
    },
  );

  it("for longer: nothing is shown and nothing more is issued, but a halt takes effect", async () => {
    const { store } = await withFailingFile("lost-before", 6);
    await expect(store.commit(ISSUE)).rejects.toMatchObject(indeterminate); // 1
    await expect(store.outcome(REQ)).rejects.toMatchObject(indeterminate); // 2
    const more = f.decisionOf("more", {
      issues: true,
      once: [{ kind: "nonce", value: "n", until: 1 }],
    });
    await expect(store.commit(more)).rejects.toMatchObject(indeterminate); // 3, 4
    const halt = f.decisionOf("halt", { changes: [{ put: "stop", row: f.stopRow() }] });
    const heard: unknown[] = [];
    store.subscribe((release) => heard.push([release.size, release.changed]));
    await expect(store.commit(halt)).rejects.toMatchObject(indeterminate); // 5, 6, then it works
    expect(await store.stops()).toEqual([f.stopRow()]);
    expect(heard).toEqual([[2, "all"]]);
    expect(await store.onceSeen("nonce", "n")).toBe(false);
    await store.close();
  });
});

describe("the log's signer fails", () => {
  it("at the first start: the store does not open", async () => {
    const logSigner = faulty(f.LOG_SIGNER, "sign", "lost-before");
    await expect(f.open({ logSigner })).rejects.toMatchObject(indeterminate);
  });

  it("later: as with the file, and the failure is reported", async () => {
    const reported: unknown[] = [];
    const logSigner = faulty(f.LOG_SIGNER, "sign", "lost-before", (call) => call === 2);
    const store = await f.open({ logSigner, report: (error) => reported.push(error) });
    await expect(store.commit(ISSUE)).rejects.toMatchObject(indeterminate);
    expect(reported).toHaveLength(1);
    expect(await store.commit(ISSUE)).toBe("used");
    await store.close();
  });

  it("with a signature that does not hold: no checkpoint of it is ever shown", async () => {
    let isBad = false;
    const sign = (data: Uint8Array): Promise<Uint8Array> =>
      isBad ? f.OTHER_SIGNER.sign(data) : f.LOG_SIGNER.sign(data);
    const store = await f.open({ logSigner: { ...f.LOG_SIGNER, sign } });
    isBad = true;
    await expect(store.commit(ISSUE)).rejects.toMatchObject(indeterminate);
    isBad = false;
    expect(await store.commit(ISSUE)).toBe("used");
    await store.close();
  });
});

describe("the disk is full", () => {
  async function small(): Promise<{ db: Sqlite; store: Store }> {
    const db = new Sqlite(":memory:");
    migrate(db);
    const signer = f.LOG_SIGNER;
    const file = memoryCheckpoint();
    const keeper = await LogKeeper.open({ crypto: nodeCrypto, signer, origin: f.ORIGIN, file }, []);
    return { db, store: new SqliteStore(db, keeper, new Writer(db, keeper, () => f.NOW)) };
  }

  const large = (word: string) =>
    f.decisionOf(word, {
      changes: [{ put: "ask", row: f.askRow({ request: "x".repeat(100_000) }) }],
    });

  it("refuses what does not fit, keeps what is there, and goes on when there is room", async () => {
    const { db, store } = await small();
    await f.written(store, f.decisionOf("before"));
    const pages = Number(db.get("PRAGMA page_count")?.["page_count"]);
    db.exec(`PRAGMA max_page_count = ${pages + 2}`);
    const [one, two] = await Promise.allSettled([
      store.commit(large("large")),
      store.commit({ changes: [] }),
    ]);
    expect(one).toMatchObject({ status: "rejected", reason: { ...indeterminate, next: ROOM } });
    expect(two?.status).toMatch(/fulfilled|rejected/); // SQLite may undo the whole group
    expect(await store.logRows(0, 9)).toHaveLength(1);
    db.exec("PRAGMA max_page_count = 100000");
    const { seq, checkpoint } = await f.written(store, large("large"));
    expect(seq).toBe(1);
    expect((await openCheckpoint(nodeCrypto, checkpoint ?? "", f.VKEY)).size).toBe(2);
    await store.close();
  });

  it("finds the rows again that a commit wrote whose answer was lost", async () => {
    const { db, store } = await small();
    const failing = new Error("the answer of COMMIT was lost");
    const exec = db.exec.bind(db);
    db.exec = (sql) => {
      exec(sql);
      if (sql !== "COMMIT") return;
      db.exec = exec;
      throw failing;
    };
    await expect(store.commit(ISSUE)).rejects.toMatchObject(indeterminate);
    expect(await store.commit(ISSUE)).toBe("used");
    expect(await store.outcome(REQ)).toEqual({ ...ROW, seq: 0 });
    expect((await f.written(store, f.decisionOf("next"))).seq).toBe(1);
    await store.close();
  });
});

describe("a store that loses answers", () => {
  it.each<[Loss, unknown]>([
    ["lost-before", undefined],
    ["lost-after", { ...ROW, seq: 0 }],
  ])("%s: asking for the outcome tells which it was", async (loss, outcome) => {
    const store = faulty<Store>(await f.open(), "commit", loss);
    await expect(store.commit(ISSUE)).rejects.toMatchObject(indeterminate);
    expect(await store.outcome(REQ)).toEqual(outcome);
    const again = await store.commit(ISSUE);
    expect(again === "used").toBe(outcome !== undefined);
    await store.close();
  });

  it("takes nothing after it was closed", async () => {
    const store = await f.open();
    const last = store.commit(f.decisionOf("last"));
    const closed = store.close();
    await expect(store.commit(f.decisionOf("late"))).rejects.toMatchObject(indeterminate);
    expect(await last).toHaveProperty("seq", 0);
    await closed;
  });
});

describe("a listener that throws", () => {
  it("harms neither the decision nor the other listeners", async () => {
    const reported: unknown[] = [];
    const heard: number[] = [];
    const store = await f.open({ report: (error) => reported.push(error) });
    store.subscribe(() => {
      throw new TypeError("listener");
    });
    store.subscribe(({ size }) => heard.push(size));
    expect(await store.commit(f.decisionOf("a"))).toHaveProperty("seq", 0);
    expect([heard, reported.length]).toEqual([[1], 1]);
    await store.close();
  });
});
