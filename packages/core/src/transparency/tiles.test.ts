import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { concat, utf8 } from "../bytes.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { tiledTree, tileOf } from "./tiled-tree.ts";
import type { TileSource } from "./tiled-tree.ts";
import {
  parseTilePath,
  readEntries,
  readTile,
  TILE_WIDTH,
  tileIn,
  tilePath,
  tilesIn,
  writeEntries,
} from "./tiles.ts";
import type { Tile } from "./tiles.ts";
import { leafHash, MerkleTree, verifyConsistency, verifyInclusion } from "./tree.ts";

/** Two full tiles of level 1 and a little more. */
const LARGE = 65_536 + 300;
const tree = new MerkleTree(c);
for (let i = 0; i < LARGE; i += 1) tree.append(leafHash(c, utf8(`entry ${i}`)));

/** Serves the tiles of this tree at one size, and no other. */
function sourceAt(size: number, asked: string[] = []): TileSource {
  return async (tile) => {
    asked.push(tilePath(tile));
    const { level, index } = tile;
    expect(tileIn(size, level, index)).toEqual(tile);
    return tileOf(tree, tile);
  };
}

const around = (n: number): readonly number[] => [n - 1, n, n + 1];
const SIZES = [...Array(601).keys()];
const BOUNDARIES = [...around(256), ...around(512), ...around(65_536), 65_792, 65_793, LARGE];

describe("a tree of which only tiles are known", () => {
  it("has the same root at every size", async () => {
    for (const size of [...SIZES, ...BOUNDARIES])
      expect(await tiledTree(c, size, sourceAt(size)).root()).toEqual(tree.root(size));
  });

  it("has the same proofs, which verify", async () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.constantFrom(...BOUNDARIES));
    const cases = sizes.chain((size) =>
      fc.tuple(
        fc.constant(size),
        fc.integer({ min: 0, max: size - 1 }),
        fc.integer({ min: 0, max: size }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([size, index, from]) => {
        const tiled = tiledTree(c, size, sourceAt(size));
        const inclusion = await tiled.inclusionProof(index);
        const consistency = await tiled.consistencyProof(from);
        expect(inclusion).toEqual(tree.inclusionProof(index, size));
        expect(consistency).toEqual(tree.consistencyProof(from, size));
        const root = tree.root(size);
        verifyInclusion(c, {
          index,
          size,
          root,
          proof: inclusion,
          leafHash: leafHash(c, utf8(`entry ${index}`)),
        });
        verifyConsistency(c, {
          from,
          to: size,
          fromRoot: tree.root(from),
          toRoot: root,
          proof: consistency,
        });
      }),
      { numRuns: 150 },
    );
  });

  it("asks for a tile once, and for few", async () => {
    const asked: string[] = [];
    const tiled = tiledTree(c, LARGE, sourceAt(LARGE, asked));
    await tiled.inclusionProof(70);
    await tiled.consistencyProof(65_537);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked.length).toBeLessThan(8);
  });

  it.each<[string, (octets: Bytes, tile: Tile) => Bytes]>([
    ["cut short", (octets) => octets.subarray(1)],
    ["too long", (octets) => concat(octets, octets)],
    ["empty", () => new Uint8Array(0)],
  ])("refuses a tile that is %s", async (_name, change) => {
    const source: TileSource = async (tile) => change(tileOf(tree, tile), tile);
    expect(await outcomeOf(() => tiledTree(c, 300, source).root())).toBe("log_proof_invalid");
  });

  it("gives proofs from untrue tiles that do not verify", async () => {
    const source: TileSource = async (tile) =>
      tileOf(tree, tile).map((octet, i) => (i === 5 ? octet ^ 1 : octet));
    const proof = await tiledTree(c, 300, source).inclusionProof(40);
    const claim = { index: 40, size: 300, root: tree.root(300), proof };
    const check = (): void =>
      verifyInclusion(c, { ...claim, leafHash: leafHash(c, utf8("entry 40")) });
    expect(await outcomeOf(check)).toBe("log_proof_invalid");
  });

  it.each([-1, 300, 0.5])("has no proof of entry %d in 300", async (index) => {
    const tiled = tiledTree(c, 300, sourceAt(300));
    await expect(tiled.inclusionProof(index)).rejects.toThrow(RangeError);
  });
});

describe("tiles of a tree", () => {
  it("lists every tile once, and all its hashes", () => {
    for (const size of [...SIZES, ...BOUNDARIES]) {
      const tiles = [...tilesIn(size)];
      expect(new Set(tiles.map(tilePath)).size).toBe(tiles.length);
      const widths = (level: Tile["level"]): number =>
        tiles.filter((tile) => tile.level === level).reduce((sum, { width }) => sum + width, 0);
      expect(widths("entries")).toBe(size);
      for (const level of [0, 1, 2]) expect(widths(level)).toBe(Math.floor(size / 256 ** level));
    }
  });

  it("cannot make a tile that the tree has not reached", () => {
    for (const tile of [
      { level: 0, index: Math.floor(LARGE / 256), width: 256 },
      { level: 1, index: 1, width: 2 },
      { level: 3, index: 0, width: 1 },
      { level: "entries", index: 0, width: 1 },
    ] as const)
      expect(() => tileOf(tree, tile)).toThrow(RangeError);
  });
});

describe("paths of tiles", () => {
  it("reads what it writes, and only that", () => {
    const tiles = fc.record({
      level: fc.constantFrom<Tile["level"]>("entries", 0, 1, 2, 6),
      index: fc.oneof(fc.nat(), fc.maxSafeNat()),
      width: fc.integer({ min: 1, max: TILE_WIDTH }),
    });
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual(tile);
      }),
    );
  });

  it.each([
    "",
    "tile",
    "tile/0",
    "tile/00/000",
    "tile/7/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/0",
    "tile/0/1000",
    "tile/0/001/234",
    "tile/0/x000/001",
    "tile/0/x001/x234",
    "tile/0/x001",
    "tile/0/x999/x999/x999/x999/x999/999",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/300",
    "tile/0/000/",
    "tile/0/../000",
    "tile/data/000",
    "tile/entries/000 ",
  ])("refuses %j", async (path) => {
    expect(await outcomeOf(() => parseTilePath(path))).toBe("not_found");
  });

  it("answers any text with a tile or a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect(await outcomeOf(() => parseTilePath(`tile/0/${text}`))).toMatch(
          /^(accepted|not_found)$/,
        );
      }),
    );
  });
});

describe("entry bundles", () => {
  const bundle = (width: number): Tile => ({ level: "entries", index: 0, width });

  it("reads what it writes", () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 });
    fc.assert(
      fc.property(entries, (list) => {
        expect(readEntries(bundle(list.length), writeEntries(list))).toEqual(list);
      }),
      { numRuns: 30 },
    );
  });

  it.each<[string, number, readonly number[], string]>([
    ["one entry", 1, [0, 1, 7], "accepted"],
    ["an empty entry", 1, [0, 0], "accepted"],
    ["nothing", 1, [], "log_proof_invalid"],
    ["half a length", 1, [0], "log_proof_invalid"],
    ["an entry cut short", 1, [0, 2, 7], "log_proof_invalid"],
    ["too few entries", 2, [0, 1, 7], "log_proof_invalid"],
    ["too many entries", 1, [0, 1, 7, 0, 1, 8], "log_proof_invalid"],
    ["octets behind the last entry", 1, [0, 1, 7, 9], "log_proof_invalid"],
  ])("judges %s", async (_name, width, octets, wanted) => {
    expect(await outcomeOf(() => readEntries(bundle(width), new Uint8Array(octets)))).toBe(wanted);
  });

  it("refuses an entry that its length cannot say", async () => {
    expect(writeEntries([new Uint8Array(65_535)])).toHaveLength(65_537);
    expect(await outcomeOf(() => writeEntries([new Uint8Array(65_536)]))).toBe("log_proof_invalid");
  });

  it("refuses a hash tile of another width", async () => {
    const tile: Tile = { level: 0, index: 0, width: 2 };
    expect(await outcomeOf(() => readTile(tile, new Uint8Array(64)))).toBe("accepted");
    expect(await outcomeOf(() => readTile(tile, new Uint8Array(96)))).toBe("log_proof_invalid");
  });
});
