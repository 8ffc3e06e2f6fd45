import type { Bytes, Crypto } from "../crypto.ts";
import { Refusal } from "../refusal.ts";
import { consistencyRanges, inclusionRanges, subtreesOf } from "./ranges.ts";
import type { Range, Subtree } from "./ranges.ts";
import { readTile, TILE_WIDTH, tileIn, tilePath, writeTile } from "./tiles.ts";
import type { Tile } from "./tiles.ts";
import { emptyRoot, joinHashes, nodeHash } from "./tree.ts";
import type { MerkleTree } from "./tree.ts";

/** Levels of the tree between one level of tiles and the next. */
const TILE_HEIGHT = 8;

/**
 * Gives the octets of a hash tile. What it gives need not be true: root and proofs are to be checked against a signed
 * root. It bounds what it reads.
 */
export type TileSource = (tile: Tile) => Promise<Bytes>;

/** A tree of which only tiles are known. Asks for a tile once, and only for those that a tree of its size has. */
export interface TiledTree {
  readonly size: number;
  root(): Promise<Bytes>;
  /** @throws RangeError unless index < size */
  inclusionProof(index: number): Promise<readonly Bytes[]>;
  /** @throws RangeError unless from ≤ size */
  consistencyProof(from: number): Promise<readonly Bytes[]>;
}

/** Root over hashes whose number is a power of two. */
function rootOfRow(c: Crypto, row: readonly Bytes[]): Bytes {
  let hashes = row;
  while (hashes.length > 1) {
    const above: Bytes[] = [];
    for (let i = 0; i + 1 < hashes.length; i += 2) {
      const [left, right] = [hashes[i], hashes[i + 1]];
      if (left !== undefined && right !== undefined) above.push(nodeHash(c, left, right));
    }
    hashes = above;
  }
  const [root] = hashes;
  if (root === undefined) throw new Refusal("log_proof_invalid", "a tile lacks a hash");
  return root;
}

/**
 * Root and proofs of a tree from its tiles (C2SP tlog-tiles), as a client computes them.
 * Its calls throw what `source` throws, and Refusal `log_proof_invalid` for octets that are no tile.
 * @param size as a verified checkpoint says
 */
export function tiledTree(c: Crypto, size: number, source: TileSource): TiledTree {
  const asked = new Map<string, Promise<readonly Bytes[]>>();
  const hashesOf = (tile: Tile): Promise<readonly Bytes[]> => {
    const path = tilePath(tile);
    const known = asked.get(path) ?? source(tile).then((octets) => readTile(tile, octets));
    asked.set(path, known);
    return known;
  };
  const hashOf = async ({ level, index }: Subtree): Promise<Bytes> => {
    const height = level % TILE_HEIGHT;
    const first = index * 2 ** height;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const tile = tileIn(size, (level - height) / TILE_HEIGHT, tileIndex);
    if (tile === undefined) throw new RangeError("subtree");
    const hashes = await hashesOf(tile);
    const at = first - tileIndex * TILE_WIDTH;
    return rootOfRow(c, hashes.slice(at, at + 2 ** height));
  };
  const over = async (range: Range): Promise<Bytes> =>
    joinHashes(c, await Promise.all(subtreesOf(range).map(hashOf)));
  const check = (isInside: boolean, what: string): void => {
    if (!isInside) throw new RangeError(what);
  };
  return {
    size,
    root: async () => (size === 0 ? emptyRoot(c) : over({ start: 0, end: size })),
    inclusionProof: async (index) => {
      check(Number.isSafeInteger(index) && index >= 0 && index < size, "index");
      return Promise.all(inclusionRanges(index, size).map(over));
    },
    consistencyProof: async (from) => {
      check(Number.isSafeInteger(from) && from >= 0 && from <= size, "from");
      return Promise.all(consistencyRanges(from, size).map(over));
    },
  };
}

/**
 * The octets of a hash tile of this tree, partial ones of any width that it has reached.
 * @throws RangeError for a tile that it has not
 */
export function tileOf(tree: MerkleTree, { level, index, width }: Tile): Bytes {
  if (level === "entries") throw new RangeError("a tree keeps no entries");
  return writeTile(tree.row(level * TILE_HEIGHT, index * TILE_WIDTH, width));
}
