import type { Bytes } from "../crypto.ts";
import { concat } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

/** Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
const HASH_BYTES = 32;
const MAX_ENTRY_BYTES = 0xffff;
/** No tree whose size is a safe integer reaches further. */
const MAX_LEVEL = 6;

/** A tile of hashes, or a bundle of entries. */
export interface Tile {
  /** Level of the hashes: each is over 256^level entries. `entries` stand beside level 0. */
  readonly level: number | "entries";
  /** Which one at its level, from 0. */
  readonly index: number;
  /** Hashes or entries in it, 1 to 256; fewer than 256: partial. */
  readonly width: number;
}

function refuse(why: string): never {
  throw new Refusal("log_proof_invalid", why);
}

/** Three digits a part, all but the last one marked: 1234067 is `x001/x234/067`. */
function writeIndex(index: number): string {
  const parts = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    parts.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return parts.join("/");
}

/** Path of a tile behind the log's prefix: `tile/0/x001/x234/067`, `tile/entries/000.p/17`. */
export function tilePath({ level, index, width }: Tile): string {
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `tile/${level}/${writeIndex(index)}${partial}`;
}

const TILE_PATH =
  /^tile\/(entries|[0-6])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/**
 * Reads a tile's path; every tile has exactly one.
 * @throws Refusal `not_found`
 */
export function parseTilePath(path: string): Tile {
  const [, level = "", digits = "", partial] = TILE_PATH.exec(path) ?? [];
  const tile: Tile = {
    level: level === "entries" ? level : Number(level),
    index: Number(digits.replace(/[x/]/g, "")),
    width: partial === undefined ? TILE_WIDTH : Number(partial),
  };
  const isTile = level !== "" && Number.isSafeInteger(tile.index) && tile.width <= TILE_WIDTH;
  if (!isTile || tilePath(tile) !== path) throw new Refusal("not_found", "no path of a tile");
  return tile;
}

const spanOf = (level: Tile["level"]): number => (level === "entries" ? 1 : TILE_WIDTH ** level);

/** The tile as a tree of this size has it; `undefined` where it has none. */
export function tileIn(size: number, level: Tile["level"], index: number): Tile | undefined {
  const width = Math.min(TILE_WIDTH, Math.floor(size / spanOf(level)) - index * TILE_WIDTH);
  return width > 0 ? { level, index, width } : undefined;
}

/** Every tile and entry bundle of a tree of this size, and no other. */
export function* tilesIn(size: number): Generator<Tile> {
  for (const level of ["entries", ...Array(MAX_LEVEL + 1).keys()] as const)
    for (let index = 0; ; index += 1) {
      const tile = tileIn(size, level, index);
      if (tile === undefined) break;
      yield tile;
    }
}

/** The octets of a hash tile. */
export function writeTile(hashes: readonly Bytes[]): Bytes {
  return concat(...hashes);
}

/**
 * The hashes of a tile; nothing is verified but its length.
 * @throws Refusal `log_proof_invalid`
 */
export function readTile(tile: Tile, octets: Bytes): readonly Bytes[] {
  if (octets.length !== tile.width * HASH_BYTES) refuse("a tile of another width");
  return Array.from({ length: tile.width }, (_, i) =>
    octets.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

/**
 * An entry bundle: each entry behind its length, 16 bits, big-endian.
 * @throws Refusal `log_proof_invalid` for an entry over 65,535 octets
 */
export function writeEntries(entries: readonly Bytes[]): Bytes {
  return concat(
    ...entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_BYTES) return refuse("an entry is longer than a bundle holds");
      return [new Uint8Array([entry.length >> 8, entry.length & 0xff]), entry];
    }),
  );
}

/**
 * The entries of a bundle; nothing is verified but its form.
 * @throws Refusal `log_proof_invalid`
 */
export function readEntries(tile: Tile, octets: Bytes): readonly Bytes[] {
  const entries: Bytes[] = [];
  let at = 0;
  while (at < octets.length && entries.length < tile.width) {
    const [high = 0, low] = octets.subarray(at, at + 2);
    if (low === undefined) return refuse("the bundle breaks off in a length");
    const end = at + 2 + (high << 8) + low;
    if (end > octets.length) refuse("the bundle breaks off in an entry");
    entries.push(octets.subarray(at + 2, end));
    at = end;
  }
  if (at !== octets.length || entries.length !== tile.width) refuse("a bundle of another width");
  return entries;
}
