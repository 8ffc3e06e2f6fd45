import { copyFileSync, mkdtempSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpoint, signCheckpoint, verifyTlogProof, vkeyOf } from "@countersign/core";
import type { Signer } from "@countersign/core";
import { generateSigner, nodeCrypto } from "@countersign/node";
import { afterAll, describe, expect, it } from "vitest";
import type { CheckpointFile } from "./checkpoint-file.ts";
import { fileCheckpoint } from "./checkpoint-file.ts";
import { recoveryRow } from "./contract-owners.testing.ts";
import * as f from "./fixtures.testing.ts";
import type { StoreOptions } from "./open.ts";
import { recoverStore } from "./recover.ts";
import type { RecoverOptions } from "./recover.ts";
import type { Store } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "countersign-recover-"));
afterAll(() => rm(folder, { recursive: true }));
const LATER: readonly Signer[] = Array.from({ length: 4 }, () => generateSigner("Ed25519"));
const laterLogSigner = (number: number): Promise<Signer> =>
  Promise.resolve(LATER[number - 2] ?? f.LOG_SIGNER);
const checkpointOf = (path: string): string => `${path}.checkpoint`;
const GRANT = f.grantRow();
const issuing = (word: string) =>
  f.decisionOf(word, { issues: true, once: [{ kind: "nonce", value: word, until: f.NOW + 120 }] });

let files = 0;
function optionsAt(path: string): StoreOptions {
  return {
    path,
    checkpointFile: fileCheckpoint(checkpointOf(path)),
    crypto: nodeCrypto,
    logSigner: f.LOG_SIGNER,
    laterLogSigner,
    origin: f.ORIGIN,
    now: () => f.NOW,
  };
}

function recoverAt(
  path: string,
  change: Partial<RecoverOptions> = {},
): ReturnType<typeof recoverStore> {
  return recoverStore({
    ...optionsAt(path),
    nextLog: async (above) => ({ number: above + 1, signer: await laterLogSigner(above + 1) }),
    gapRow: () => ({ ...f.logOf("gap", "log.gap") }),
    ...change,
  });
}

const open = (path: string): Promise<Store> => f.open(optionsAt(path));

/** Yesterday's database beside today's checkpoint: one grant, one question, one join token. */
async function restored(): Promise<{
  path: string;
  last: string;
  proof: string;
  leaf: Uint8Array;
}> {
  files += 1;
  const path = join(folder, `${files}.db`);
  const store = await open(path);
  const first = await f.written(
    store,
    f.decisionOf("yesterday", {
      changes: [
        { put: "grant", row: GRANT },
        { put: "ask", row: f.askRow() },
        { put: "credential", row: f.credentialRow("old", { cs: GRANT.cs, n: 1 }) },
        { put: "recovery", row: recoveryRow() },
        { put: "joinToken", row: { hash: "h", proxy: f.PROXY, exp: f.NOW + 600, replace: false } },
      ],
    }),
  );
  await store.close();
  copyFileSync(path, `${path}.old`);
  const again = await open(path);
  await f.written(again, f.decisionOf("today"));
  const last = await again.checkpoint();
  const leaf = (await again.logRow(0))?.leaf ?? new Uint8Array();
  await again.close();
  copyFileSync(`${path}.old`, path);
  return { path, last, proof: first.proof ?? "", leaf };
}

describe("DESIGN 12: recovery", () => {
  it("of an old copy: a new log, nothing of the old one lives, what was proved stays proved", async () => {
    const { path, last, proof, leaf } = await restored();
    const held = await open(path);
    expect(held.hold()).toBe("the log is behind the last checkpoint");
    const [epoch, sequence] = [await held.epoch(), await held.bundleSequence()];
    await held.close();

    const gaps: object[] = [];
    const done = await recoverAt(path, {
      gapRow: (record) => {
        gaps.push(record);
        return f.logOf("gap", "log.gap");
      },
    });
    const log = {
      number: 2,
      origin: `${f.ORIGIN}/2`,
      vkey: vkeyOf(nodeCrypto, `${f.ORIGIN}/2`, (await laterLogSigner(2)).key),
    };
    const former = {
      number: 1,
      origin: f.ORIGIN,
      vkey: f.VKEY,
      checkpoint: last,
      size: 1,
      endedAt: f.NOW,
    };
    expect(done).toEqual({
      hold: "the log is behind the last checkpoint",
      log,
      former,
      endedGrants: 1,
      endedAsks: 1,
    });
    expect(gaps).toMatchObject([{ log, follows: { origin: f.ORIGIN, checkpoint: last } }]);

    const store = await open(path);
    expect([store.hold(), store.logName()]).toEqual([undefined, log]);
    expect(await store.epoch()).toBeGreaterThan(epoch);
    expect(await store.bundleSequence()).toBeGreaterThan(sequence + 1000);
    expect(await store.grant(GRANT.cs)).toMatchObject({ endedAt: f.NOW, endedWhy: "recovered" });
    expect(await store.asks({ state: "asked" })).toEqual([]);
    expect(await store.joinToken("h")).toMatchObject({ exp: 0 });
    expect(await store.recovery("r1")).toMatchObject({ state: "cancelled" });
    expect((await store.logRows(0, 9)).map((row) => row.type)).toEqual(["log.gap"]);
    expect(await store.formerLogs()).toEqual([former]);
    expect((await store.formerLogRows(1, 0, 9)).map((row) => row.seq)).toEqual([0]);
    expect((await store.credentials())[0]).toMatchObject({ seq: 0, log: 1 });

    const { seq, proof: next } = await f.written(store, issuing("new"));
    expect(seq).toBe(1);
    const row = await store.logRow(1);
    const { leaf: added = new Uint8Array() } = row ?? {};
    await verifyTlogProof(nodeCrypto, { proof: next ?? "", entry: added, vkey: log.vkey });
    await verifyTlogProof(nodeCrypto, { proof, entry: leaf, vkey: f.VKEY });
    expect((await openCheckpoint(nodeCrypto, await store.checkpoint(), log.vkey)).size).toBe(2);
    await store.close();
    await expect(recoverAt(path)).rejects.toMatchObject({ code: "configuration_invalid" });
  });

  it.each<[string, (path: string) => Promise<unknown>, number, string | undefined]>([
    ["its checkpoint was lost", (path) => rm(checkpointOf(path)), 2, undefined],
    ["the checkpoint is garbage", (path) => writeFile(checkpointOf(path), "garbage"), 2, undefined],
    [
      "the checkpoint is of a later log",
      async (path) =>
        writeFile(
          checkpointOf(path),
          await signCheckpoint(
            nodeCrypto,
            { origin: `${f.ORIGIN}/3`, size: 7, root: new Uint8Array(32) },
            await laterLogSigner(3),
          ),
        ),
      4,
      `${f.ORIGIN}/3`,
    ],
  ])("when %s", async (_, spoil, number, origin) => {
    const { path } = await restored();
    await spoil(path);
    const done = await recoverAt(path);
    expect(done.log.number).toBe(number);
    expect(done.former.checkpoint?.split("\n")[0]).toBe(origin);
    const store = await open(path);
    expect(store.hold()).toBeUndefined();
    expect(await f.written(store, issuing("new"))).toHaveProperty("proof");
    await store.close();
  });

  it("says what a proxy had seen, where that is more than the file", async () => {
    files += 1;
    const path = join(folder, `${files}.db`);
    const store = await open(path);
    const root = new Uint8Array(32);
    const checkpoint = await signCheckpoint(
      nodeCrypto,
      { origin: f.ORIGIN, size: 9, root },
      f.LOG_SIGNER,
    );
    await store.noteSeen({ seq: 9, checkpoint });
    await store.close();
    expect((await recoverAt(path)).former).toMatchObject({ checkpoint, size: 0 });
    const after = await open(path);
    await after.noteSeen({ seq: 9, checkpoint }); // of the former log: says nothing about this one
    expect(after.hold()).toBeUndefined();
    await after.close();
  });

  it("refuses while a server runs, and where nothing holds", async () => {
    const { path, last } = await restored();
    const running = await open(path);
    await expect(recoverAt(path)).rejects.toMatchObject({ code: "configuration_invalid" });
    await running.close();
    expect(await readFile(checkpointOf(path), "utf8")).toBe(last);
    files += 1;
    const sound = join(folder, `${files}.db`);
    await (await open(sound)).close();
    await expect(recoverAt(sound)).rejects.toMatchObject({ code: "configuration_invalid" });
  });

  it("can be done again and again", async () => {
    const { path } = await restored();
    for (const number of [2, 3, 4]) {
      expect((await recoverAt(path)).log.number).toBe(number);
      const sound = await open(path);
      expect(sound.hold()).toBeUndefined();
      await sound.close();
      if (number < 4) await rm(checkpointOf(path));
    }
    const store = await open(path);
    expect((await store.formerLogs()).map((row) => row.number)).toEqual([1, 2, 3]);
    await store.close();
  });
});

const broken = new Error("killed");
const dying = (file: CheckpointFile): CheckpointFile => ({
  read: () => file.read(),
  write: () => Promise.reject(broken),
});

describe("T48: a recovery that is killed", () => {
  it("before the database: nothing happened", async () => {
    const { path } = await restored();
    await expect(recoverAt(path, { gapRow: () => { throw broken; } })).rejects.toBe(broken); // prettier-ignore
    await expect(recoverAt(path, { nextLog: () => Promise.reject(broken) })).rejects.toBe(broken);
    const store = await open(path);
    expect([store.hold(), store.logName().number]).toEqual([
      "the log is behind the last checkpoint",
      1,
    ]);
    expect(await store.grant(GRANT.cs)).not.toHaveProperty("endedAt");
    await store.close();
  });

  it("between database and checkpoint: the server holds, and the next one ends it", async () => {
    const { path } = await restored();
    const file = fileCheckpoint(checkpointOf(path));
    await expect(recoverAt(path, { checkpointFile: dying(file) })).rejects.toBe(broken);
    const held = await open(path);
    expect(held.hold()).toBe("the last checkpoint is not of this log");
    await held.close();
    expect(await recoverAt(path)).toMatchObject({ log: { number: 2 }, endedGrants: 1 });
    const store = await open(path);
    expect([store.hold(), store.logName().number]).toEqual([undefined, 2]);
    await store.close();
  });

  it("there, and after a halt was written meanwhile: a further log, and the halt stays", async () => {
    const { path } = await restored();
    const file = fileCheckpoint(checkpointOf(path));
    await expect(recoverAt(path, { checkpointFile: dying(file) })).rejects.toBe(broken);
    const held = await open(path);
    await f.written(held, f.decisionOf("halt", { changes: [{ put: "stop", row: f.stopRow() }] }));
    await held.close();
    expect((await recoverAt(path)).log.number).toBe(3);
    const store = await open(path);
    expect(await store.stops()).toEqual([f.stopRow()]);
    expect(store.hold()).toBeUndefined();
    await store.close();
  });
});
