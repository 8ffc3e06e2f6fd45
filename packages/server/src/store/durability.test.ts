import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint, signCheckpoint } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { fileCheckpoint } from "./checkpoint-file.ts";
import { valueOf } from "./crash.testing.ts";
import * as f from "./fixtures.testing.ts";
import type { StoreOptions } from "./open.ts";
import { Sqlite } from "./sqlite.ts";
import type { Store } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "countersign-durability-"));
afterAll(() => rm(folder, { recursive: true }));
let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, `${files}.db`);
}

const checkpointOf = (path: string): string => `${path}.checkpoint`;

function openAt(path: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return f.open({ path, checkpointFile: fileCheckpoint(checkpointOf(path)), ...options });
}

/** The files as a process that is killed at this instant leaves them: our own writes are synchronous. */
function copyTo(from: string, to: string): void {
  for (const [source, target] of [
    [from, to],
    [`${from}-wal`, `${to}-wal`],
    [checkpointOf(from), checkpointOf(to)],
  ] as const)
    if (existsSync(source)) {
      copyFileSync(source, target);
      chmodSync(target, 0o600);
    }
}

async function filled(count: number, options: Partial<StoreOptions> = {}): Promise<string> {
  const path = newPath();
  const store = await openAt(path, options);
  for (let i = 0; i < count; i += 1) await f.written(store, f.decisionOf(`row ${i}`));
  await store.close();
  return path;
}

const issuing = f.decisionOf("issue", { issues: true });
const halting = f.decisionOf("halt", { changes: [{ put: "stop", row: f.stopRow() }] });

describe("a file that is opened again", () => {
  it("shows everything, with the same root", async () => {
    const path = newPath();
    const first = await openAt(path);
    await f.written(first, f.decisionOf("one", { changes: [{ put: "entry", row: f.entryRow() }] }));
    await f.written(first, f.decisionOf("two", { bumpEpoch: true }));
    const before = [await first.checkpoint(), await first.epoch(), await first.logRows(0, 9)];
    await first.close();
    const second = await openAt(path);
    expect([await second.checkpoint(), await second.epoch(), await second.logRows(0, 9)]).toEqual(
      before,
    );
    expect(await second.entry(f.ENTRY)).toEqual(f.entryRow());
    expect(second.hold()).toBeUndefined();
    expect((await f.written(second, f.decisionOf("three"))).seq).toBe(2);
    await second.close();
  });

  it("has mode 0600 with all that lies beside it", async () => {
    const path = newPath();
    const store = await openAt(path);
    await f.written(store, f.decisionOf("one"));
    for (const name of [path, `${path}-wal`, `${path}-shm`, `${path}.lock`, checkpointOf(path)])
      expect(statSync(name).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it("belongs to one process at a time", async () => {
    const path = newPath();
    const store = await openAt(path);
    await expect(openAt(path)).rejects.toMatchObject({ code: "configuration_invalid" });
    await store.close();
    await (await openAt(path)).close();
  });

  it.each<[string, string, (path: string) => Promise<void> | void]>([
    ["readable by others", "private_mode", (path) => chmodSync(path, 0o644)],
    ["writable by the group", "private_mode", (path) => chmodSync(path, 0o620)],
    [
      "a link",
      "private_mode",
      async (path) => {
        copyTo(path, `${path}.real`);
        await rm(path);
        symlinkSync(`${path}.real`, path);
      },
    ],
    [
      "with an open checkpoint beside it",
      "private_mode",
      (path) => chmodSync(checkpointOf(path), 0o644),
    ],
    ["not a database", "configuration_invalid", (path) => writeFile(path, "x".repeat(4096))],
    ["cut off in the middle", "configuration_invalid", (path) => truncateSync(path, 20_000)],
    ["with a page of noise", "configuration_invalid", (path) => scribble(path, 4 * 4096, 4096)],
    ["without its first page", "configuration_invalid", (path) => scribble(path, 0, 100)],
    ["of a newer version", "configuration_invalid", (path) => pragma(path, "user_version = 99")],
    ["of another program", "configuration_invalid", (path) => pragma(path, "application_id = 7")],
    [
      "of another program without a version",
      "configuration_invalid",
      (path) => pragma(path, "user_version = 0"),
    ],
  ])("is refused when it is %s", async (_, code, spoil) => {
    const path = await filled(1);
    await spoil(path);
    await expect(openAt(path)).rejects.toMatchObject({ code });
  });

  it("says what to do where it is damaged", async () => {
    const path = await filled(1);
    scribble(path, 4 * 4096, 4096);
    await expect(openAt(path)).rejects.toMatchObject({
      next: expect.stringContaining("Put a backup in its place") as string,
    });
  });

  it("is refused where nothing can be written, and says what to do", async () => {
    await expect(openAt("/sys/countersign.db")).rejects.toMatchObject({
      code: "indeterminate",
      next: expect.stringContaining("read and write its data directory") as string,
    });
  });

  it("is refused under another origin, and in a folder that is not there", async () => {
    const path = await filled(1);
    await expect(openAt(path, { origin: "id.example.net/log" })).rejects.toMatchObject({
      code: "configuration_invalid",
    });
    await expect(openAt(join(folder, "none", "x.db"))).rejects.toMatchObject({
      code: "configuration_invalid",
    });
  });
});

/** Overwrites octets in place. */
function scribble(path: string, from: number, length: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(length, 0xa5), 0, length, from);
  closeSync(file);
}

function pragma(path: string, text: string): void {
  const db = new Sqlite(path);
  db.exec(`PRAGMA ${text}`);
  db.close();
}

describe("T46: hold", () => {
  const sign = (size: number, root: number, signer = f.LOG_SIGNER): Promise<string> =>
    signCheckpoint(
      nodeCrypto,
      { origin: f.ORIGIN, size, root: new Uint8Array(32).fill(root) },
      signer,
    );

  it.each<[string, (path: string) => Promise<void>]>([
    ["is behind", async (path) => writeFile(checkpointOf(path), await sign(4, 1))],
    ["has another root", async (path) => writeFile(checkpointOf(path), await sign(3, 1))],
    [
      "has another root of an older size",
      async (path) => writeFile(checkpointOf(path), await sign(2, 1)),
    ],
    ["lost its checkpoint", (path) => rm(checkpointOf(path))],
    [
      "finds a checkpoint of another key",
      async (path) => writeFile(checkpointOf(path), await sign(3, 1, f.OTHER_SIGNER)),
    ],
    ["finds something else there", (path) => writeFile(checkpointOf(path), "not a note\n")],
    ["misses a row", (path) => Promise.resolve(remove(path, 1))],
    ["misses its first row", (path) => Promise.resolve(remove(path, 0))],
    ["misses its last row", (path) => Promise.resolve(remove(path, 2))],
  ])(
    "when the log %s: issues nothing, reads and halts work, nothing is signed",
    async (_, spoil) => {
      const path = await filled(3);
      await spoil(path);
      const file = await readFile(checkpointOf(path), "utf8").catch(() => undefined);
      const store = await openAt(path);
      expect(store.hold()).toBeTypeOf("string");
      await expect(store.commit(issuing)).rejects.toMatchObject({ code: "hold" });
      const heard: unknown[] = [];
      store.subscribe((release) => heard.push(release.changed));
      const halted = await f.written(store, halting);
      expect([halted.proof, halted.checkpoint]).toEqual([undefined, undefined]);
      expect(heard).toEqual(["all"]);
      expect((await store.stateFor(f.PROXY, f.NOW)).hold).toBe(store.hold());
      expect(await store.stops()).toEqual([f.stopRow()]);
      await expect(store.proofFor(0)).rejects.toMatchObject({ code: "hold" });
      await store.close();
      expect(await readFile(checkpointOf(path), "utf8").catch(() => undefined)).toBe(file);
      const again = await openAt(path);
      expect(again.hold()).toBeTypeOf("string");
      expect(await again.stops()).toEqual([f.stopRow()]);
      await again.close();
    },
  );

  function remove(path: string, seq: number): void {
    const db = new Sqlite(path);
    db.run("DELETE FROM log WHERE seq = :seq", { seq });
    db.close();
  }

  it("when yesterday's database comes back", async () => {
    const path = newPath();
    const store = await openAt(path);
    await f.written(store, f.decisionOf("yesterday"));
    const copy = newPath();
    copyTo(path, copy);
    await f.written(store, f.decisionOf("today"));
    await store.close();
    copyFileSync(checkpointOf(path), checkpointOf(copy));
    const restored = await openAt(copy);
    expect(restored.hold()).toBe("the log is behind the last checkpoint");
    await restored.close();
  });

  it.each<[string, (wal: string, size: number) => void]>([
    ["is gone", (wal) => rmSync(wal)],
    ["was cut off", (wal, size) => truncateSync(wal, Math.floor(size / 2))],
    ["ends in noise", (wal, size) => scribble(wal, size - 2000, 2000)],
  ])(
    "when the write-ahead log %s: what was acknowledged is missed, not forgotten",
    async (_, spoil) => {
      const path = newPath();
      const store = await openAt(path);
      for (const word of ["one", "two", "three"]) await f.written(store, f.decisionOf(word));
      const copy = newPath();
      copyTo(path, copy);
      await store.close();
      spoil(`${copy}-wal`, statSync(`${copy}-wal`).size);
      const after = await openAt(copy);
      expect(after.hold()).toBe("the log is behind the last checkpoint");
      await expect(after.commit(issuing)).rejects.toMatchObject({ code: "hold" });
      expect(await after.commit(halting)).toHaveProperty("seq");
      await after.close();
    },
  );

  it("when a proxy has seen more, also after a restart; not for what this log did not sign", async () => {
    const path = await filled(2);
    const store = await openAt(path);
    const current = await store.checkpoint();
    for (const checkpoint of [
      current,
      "junk",
      await sign(9, 1, f.OTHER_SIGNER),
      current.replace("\n2\n", "\n9\n"),
    ])
      await store.noteSeen({ seq: 9, checkpoint });
    expect(store.hold()).toBeUndefined();
    await store.noteSeen({ seq: 9, checkpoint: await sign(9, 1) });
    expect(store.hold()).toBe("the log is behind a checkpoint that a proxy has seen");
    await expect(store.commit(issuing)).rejects.toMatchObject({ code: "hold" });
    await store.close();
    const again = await openAt(path);
    expect(again.hold()).toBe("the log is behind a checkpoint that a proxy has seen");
    await again.close();
  });

  it("not for an older genuine checkpoint, but for one with another root", async () => {
    const store = await f.open();
    await f.written(store, f.decisionOf("one"));
    const older = await store.checkpoint();
    await f.written(store, f.decisionOf("two"));
    await store.noteSeen({ seq: 1, checkpoint: older });
    expect(store.hold()).toBeUndefined();
    await store.noteSeen({ seq: 1, checkpoint: await sign(1, 1) });
    expect(store.hold()).toBe("the log differs from a checkpoint that a proxy has seen");
    await store.close();
  });

  it.each([
    [-61, "hold"],
    [-60, "issued"],
    [0, "issued"],
  ])("T9: with the clock %i s from the newest leaf the answer is %s", async (offset, wanted) => {
    let now = f.NOW;
    const store = await f.open({ now: () => now });
    await f.written(store, f.decisionOf("newest"));
    now = f.NOW + offset;
    const told = await store.commit(issuing).then(
      () => "issued",
      (error: { code: string }) => error.code,
    );
    expect(told).toBe(wanted);
    expect(await store.commit(halting)).toHaveProperty("proof");
    now = f.NOW;
    expect(store.hold()).toBeUndefined();
    await store.close();
  });
});

describe("T48: a crash", () => {
  it("at any step loses nothing acknowledged and leaves no hold", async () => {
    const path = newPath();
    const acknowledged: string[] = [];
    const instants: { readonly path: string; readonly known: readonly string[] }[] = [];
    const instant = (): void => {
      const copy = newPath();
      copyTo(path, copy);
      instants.push({ path: copy, known: [...acknowledged] });
    };
    const file = fileCheckpoint(checkpointOf(path));
    const store = await openAt(path, {
      logSigner: {
        ...f.LOG_SIGNER,
        sign: (data) => {
          instant(); // the rows are durable, no checkpoint covers them
          return f.LOG_SIGNER.sign(data);
        },
      },
      checkpointFile: {
        read: () => file.read(),
        write: async (text) => {
          instant();
          await file.write(text);
          instant(); // covered, not yet acknowledged
        },
      },
    });
    for (const group of ["a", "b", "c"])
      await Promise.all(
        ["1", "2", "3"].map(async (word) => {
          const value = group + word;
          await f.written(store, f.decisionOf(value, { once: [nonce(value)] }));
          acknowledged.push(value);
        }),
      );
    instant();
    await store.close();
    expect(instants.length).toBeGreaterThan(9);
    for (const { path: copy, known } of instants) {
      const reopened = await openAt(copy);
      expect(reopened.hold()).toBeUndefined();
      for (const value of known)
        expect(await reopened.commit(f.decisionOf("again", { once: [nonce(value)] }))).toBe("used");
      const rows = await reopened.logRows(0, 100);
      const { size } = await openCheckpoint(nodeCrypto, await reopened.checkpoint(), f.VKEY);
      expect(size).toBe(rows.length);
      await reopened.close();
    }
  });

  const nonce = (value: string) => ({ kind: "nonce", value, until: f.NOW + 120 }) as const;

  it("by SIGKILL in the middle of commits misses nothing acknowledged", async () => {
    const path = newPath();
    const script = `
      import { createViteServer } from "vitest/node";
      const conditions = ["source", "node", "import", "module", "default"];
      const server = await createViteServer({
        configFile: false, logLevel: "error", appType: "custom", resolve: { conditions },
        ssr: { resolve: { conditions } }, optimizeDeps: { noDiscovery: true },
        server: { middlewareMode: true, ws: false, watch: null },
      });
      const { commitForEver } = await server.ssrLoadModule(process.argv[1]);
      await commitForEver(process.argv[2], (line) => process.stdout.write(line));`;
    const module = fileURLToPath(new URL("crash.testing.ts", import.meta.url));
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script, module, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.length > 800) child.kill("SIGKILL");
    });
    const [, signal] = (await once(child, "close")) as [number | null, string | null];
    expect(signal).toBe("SIGKILL");
    const numbers = said.split("\n").slice(0, -1).map(Number);
    expect(numbers.length).toBeGreaterThan(100);
    const store = await openAt(path);
    expect(store.hold()).toBeUndefined();
    const unseen = [];
    for (const n of numbers) if (!(await store.onceSeen("nonce", valueOf(n)))) unseen.push(n);
    expect(unseen).toEqual([]);
    const { size } = await openCheckpoint(nodeCrypto, await store.checkpoint(), f.VKEY);
    expect(size).toBeGreaterThanOrEqual(numbers.length);
    await store.close();
  });
});
