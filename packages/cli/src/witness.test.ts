import { chmod, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { cosignaturesOn, openCheckpoint, vkeyOf, writeAddCheckpoint } from "@countersign/core";
import { generateSigner, nodeCrypto as c, silentLog } from "@countersign/node";
import { ORIGIN, TestLog } from "./published.testing.ts";
import { logsOf, witnessApp, witnessFiles } from "./witness.ts";
import type { WitnessState } from "./witness.ts";

const NAME = "witness.example/w1";
const NOW = 1_800_000_000;
const signer = generateSigner("Ed25519");
const vkey = vkeyOf(c, NAME, signer.key, "cosignature");
const root = await mkdtemp(join(tmpdir(), "countersign-witness-"));
afterAll(() => rm(root, { recursive: true }));

let folder: string;
let log: TestLog;
beforeEach(async () => {
  folder = await mkdtemp(join(root, "w"));
  log = new TestLog().grow(20);
});

interface Ask {
  readonly oldSize: number;
  readonly size: number;
  readonly of?: TestLog;
  readonly checkpoint?: string;
  readonly proof?: readonly Uint8Array[];
}

async function bodyOf({ oldSize, size, of = log, checkpoint, proof }: Ask): Promise<string> {
  return writeAddCheckpoint({
    oldSize,
    proof: proof ?? of.tree.consistencyProof(oldSize, size),
    checkpoint: checkpoint ?? (await of.checkpoint(size)),
  });
}

type Answered = readonly [status: number, body: string, type: string | null];

/** A witness on this state; each call is a request to it. */
function witnessOn(state: WitnessState): (ask: Ask | string) => Promise<Answered> {
  const logs = logsOf(c, [log.vkey]);
  const app = witnessApp({ c, name: NAME, signer, logs, state, clock: () => NOW, log: silentLog });
  return async (ask) => {
    const body = typeof ask === "string" ? ask : await bodyOf(ask);
    const request = new Request("http://w.test/add-checkpoint", { method: "POST", body });
    const answer = await app(request, {});
    return [answer.status, await answer.text(), answer.headers.get("content-type")];
  };
}
const remembered = async (): Promise<number | undefined> => {
  const text = await witnessFiles(c, folder).read(ORIGIN);
  return text === undefined ? undefined : (await openCheckpoint(c, text, log.vkey)).size;
};

describe("a witness", () => {
  it("cosigns what a log shows, step by step", async () => {
    const ask = witnessOn(witnessFiles(c, folder));
    for (const [oldSize, size] of [
      [0, 0],
      [0, 7],
      [7, 7],
      [7, 20],
    ] as const) {
      const [status, line] = await ask({ oldSize, size });
      expect(status).toBe(200);
      const cosigned = (await log.checkpoint(size)) + line;
      expect(await cosignaturesOn(c, cosigned, [vkey])).toEqual([{ name: NAME, at: NOW }]);
      expect(await remembered()).toBe(size);
    }
  });

  it.each<[string, () => Promise<Ask | string>, number]>([
    ["nothing", async () => "", 400],
    ["no checkpoint", async () => "old 0\n\nhello\n", 400],
    ["an old size above the new one", async () => ({ oldSize: 9, size: 7, proof: [] }), 400],
    [
      "another log",
      async () => ({
        oldSize: 0,
        size: 7,
        checkpoint: await log.checkpoint(7, "other.example/log"),
      }),
      404,
    ],
    ["another key", async () => ({ oldSize: 0, size: 7, of: new TestLog().grow(7) }), 403],
    ["an old size that it does not know", async () => ({ oldSize: 3, size: 9 }), 409],
    ["no proof", async () => ({ oldSize: 7, size: 9, proof: [] }), 422],
    [
      "another root of the size it knows",
      async () => ({ oldSize: 7, size: 7, of: new TestLog(log.signer).grow(7, "other") }),
      409,
    ],
    [
      "a fork with a proof of its own",
      async () => ({ oldSize: 7, size: 9, of: new TestLog(log.signer).grow(9, "other") }),
      422,
    ],
  ])("refuses %s, and remembers what it knew", async (_name, make, wanted) => {
    const ask = witnessOn(witnessFiles(c, folder));
    await ask({ oldSize: 0, size: 7 });
    const [status, body, type] = await ask(await make());
    expect(status).toBe(wanted);
    expect(body).not.toContain("—");
    if (status === 409) expect([body, type]).toEqual(["7\n", "text/x.tlog.size"]);
    expect(await remembered()).toBe(7);
  });

  it("lets one of two win that ask from the same size at once", async () => {
    const ask = witnessOn(witnessFiles(c, folder));
    await ask({ oldSize: 0, size: 5 });
    const sizes = [9, 12, 15, 20];
    const answers = await Promise.all(sizes.map((size) => ask({ oldSize: 5, size })));
    const won = answers.flatMap(([status], i) => (status === 200 ? [sizes[i]] : []));
    expect(won).toHaveLength(1);
    expect(await remembered()).toBe(won[0]);
    for (const [status, body] of answers)
      if (status !== 200) expect([status, body]).toEqual([409, `${won[0]}\n`]);
  });

  it("keeps its memory to itself: files of mode 0600", async () => {
    await witnessOn(witnessFiles(c, folder))({ oldSize: 0, size: 5 });
    const [name = "", ...others] = await readdir(folder);
    expect(others).toEqual([]);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ["is damaged", (path) => writeFile(path, "hello\n")],
    ["can be read by others", (path) => chmod(path, 0o644)],
  ])("signs nothing when its memory %s", async (_name, spoil) => {
    const ask = witnessOn(witnessFiles(c, folder));
    await ask({ oldSize: 0, size: 5 });
    await spoil(join(folder, (await readdir(folder))[0] ?? ""));
    const [status, body] = await ask({ oldSize: 0, size: 9 });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body).not.toContain("—");
  });
});

describe("a witness whose memory fails", () => {
  it("before it is written: nothing is signed, the same request works later", async () => {
    const good = witnessFiles(c, folder);
    let isBroken = true;
    const ask = witnessOn({
      read: good.read,
      write: (origin, text) =>
        isBroken ? Promise.reject(new Error("disk")) : good.write(origin, text),
    });
    expect((await ask({ oldSize: 0, size: 5 }))[0]).toBe(500);
    expect(await remembered()).toBeUndefined();
    isBroken = false;
    expect((await ask({ oldSize: 0, size: 5 }))[0]).toBe(200);
  });

  it("after it is written: nothing was signed, and the log asks once more from there", async () => {
    const good = witnessFiles(c, folder);
    const ask = witnessOn({
      read: good.read,
      write: async (origin, text) => {
        await good.write(origin, text);
        throw new Error("killed before the answer");
      },
    });
    expect((await ask({ oldSize: 0, size: 5 }))[0]).toBe(500);
    const restarted = witnessOn(good);
    expect(await restarted({ oldSize: 0, size: 5 })).toEqual([409, "5\n", "text/x.tlog.size"]);
    expect((await restarted({ oldSize: 5, size: 5 }))[0]).toBe(200);
  });

  it("killed in the middle of writing, it knows one of both sizes", async () => {
    await witnessOn(witnessFiles(c, folder))({ oldSize: 0, size: 5 });
    const [name = ""] = await readdir(folder);
    // what a killed process leaves beside the file
    await writeFile(join(folder, `${name}.abc.tmp`), (await log.checkpoint(9)).slice(0, 40));
    expect((await witnessOn(witnessFiles(c, folder))({ oldSize: 5, size: 9 }))[0]).toBe(200);
  });
});

describe("logs of a witness", () => {
  it("are known by the origin in their keys", () => {
    const other = new TestLog();
    expect(logsOf(c, [log.vkey, other.vkey])).toEqual(new Map([[ORIGIN, [log.vkey, other.vkey]]]));
    expect(() => logsOf(c, [vkey])).toThrow("checkpoint_invalid");
  });
});
