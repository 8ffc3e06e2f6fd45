import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  leafHash,
  openCheckpoint,
  parseTilePath,
  readEntries,
  readLeaf,
  readTile,
  tiledTree,
  tilePath,
  tilesIn,
  verifyConsistency,
  verifyInclusion,
} from "@countersign/core";
import type { Bytes, Checkpoint, Tile } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { publicApp } from "../http/public.ts";
import * as f from "../store/fixtures.testing.ts";
import { makeRig } from "../world.testing.ts";
import type { Rig } from "../world.testing.ts";

const SIZE = 300;
let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
  await Promise.all(
    Array.from({ length: SIZE }, (_, i) => f.written(rig.world.store, f.decisionOf(`row ${i}`))),
  );
});
afterAll(() => rig.close());

async function get(path: string): Promise<Response> {
  return publicApp(rig.world)(new Request(`https://server.test/log/${path}`), {});
}
async function octetsOf(tile: Tile): Promise<Bytes> {
  const response = await get(tilePath(tile));
  expect(response.status).toBe(200);
  return new Uint8Array(await response.arrayBuffer());
}
async function newest(): Promise<Checkpoint> {
  return openCheckpoint(c, await (await get("checkpoint")).text(), rig.world.keys.logVkey);
}

describe("the log as tiles (C2SP tlog-tiles)", () => {
  it("leads to the signed root, with every proof", async () => {
    const { size, root } = await newest();
    expect(size).toBe(SIZE);
    const tree = tiledTree(c, size, octetsOf);
    expect(await tree.root()).toEqual(root);
    for (const index of [0, 255, 256, 299]) {
      const row = await rig.world.store.logRow(index);
      const hash = leafHash(c, row?.leaf ?? new Uint8Array());
      const proof = await tree.inclusionProof(index);
      verifyInclusion(c, { index, size, root, proof, leafHash: hash });
    }
    const older = tiledTree(c, 256, octetsOf);
    verifyConsistency(c, {
      from: 256,
      to: size,
      fromRoot: await older.root(),
      toRoot: root,
      proof: await tree.consistencyProof(256),
    });
  });

  it("serves entries that hash to its tiles, and are leaves", async () => {
    let count = 0;
    for (const tile of tilesIn(SIZE)) {
      if (tile.level !== "entries") continue;
      const entries = readEntries(tile, await octetsOf(tile));
      const hashes = readTile(tile, await octetsOf({ ...tile, level: 0 }));
      expect(entries.map((entry) => leafHash(c, entry))).toEqual(hashes);
      for (const entry of entries) expect(readLeaf(entry).type).toBe("entry.added");
      count += entries.length;
    }
    expect(count).toBe(SIZE);
  });

  it("serves partial tiles of older checkpoints: each is the beginning of a later one", async () => {
    const later = await octetsOf({ level: 0, index: 0, width: 256 });
    for (const width of [1, 17, 255]) {
      const earlier = await octetsOf({ level: 0, index: 0, width });
      expect(earlier).toEqual(later.subarray(0, width * 32));
    }
  });

  it.each(["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"])(
    "%s may be kept for ever",
    async (path) => {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("application/octet-stream");
      expect(response.headers.get("cache-control")).toContain("immutable");
      expect(parseTilePath(path).width * 32).toBeGreaterThanOrEqual(32);
    },
  );

  it.each([
    ["a tile that is not full yet", "tile/0/001"],
    ["a partial tile beyond the checkpoint", "tile/0/001.p/45"],
    ["a level that is not there yet", "tile/2/000.p/1"],
    ["a second hash where one full tile is", "tile/1/000.p/2"],
    ["entries beyond the checkpoint", "tile/entries/001.p/45"],
    ["an empty tile", "tile/0/002.p/1"],
    ["no tile", "tile/0/0"],
    ["a way out of the folder", "tile/0/..%2f..%2fbundle"],
    ["nothing", "tile/"],
  ])("%s is not found", async (_name, path) => {
    expect((await get(path)).status).toBe(404);
  });

  it("lets nobody keep the checkpoint", async () => {
    expect((await get("checkpoint")).headers.get("cache-control")).toBe("no-store");
  });

  it("keeps tiles and proofs when a record is erased", async () => {
    const { size, root } = await newest();
    const before = await octetsOf({ level: "entries", index: 0, width: 256 });
    await rig.world.store.commit({ changes: [{ erase: "record", seq: 7 }] });
    expect((await rig.world.store.logRow(7))?.record).toBeUndefined();
    expect(await octetsOf({ level: "entries", index: 0, width: 256 })).toEqual(before);
    expect(await newest()).toMatchObject({ size, root });
  });
});
