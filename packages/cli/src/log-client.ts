import { Refusal, TILE_WIDTH, tilePath } from "@countersign/core";
import type { Bytes, Tile } from "@countersign/core";
import { call, openTarget, textOf } from "@countersign/node";
import type { Answer, Target } from "@countersign/node";

/** A published log as its readers see it (C2SP tlog-tiles). Nothing that it gives is verified. */
export interface LogClient {
  checkpoint(): Promise<string>;
  /** Octets of a hash tile. */
  tile(tile: Tile): Promise<Bytes>;
}

const MAX_CHECKPOINT_BYTES = 131_072;
const HASH_BYTES = 32;
const MAX_TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** Where a log is: the target to ask, and the path before `/checkpoint`. */
export interface LogAddress {
  readonly target: Target;
  readonly prefix: string;
}

/** @throws Refusal `malformed_request`, `configuration_invalid` */
export function logAddress(text: string): LogAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.search !== "" || url.hash !== "" || url.username !== "")
    throw new Refusal(
      "malformed_request",
      "no address of a log",
      "Give what stands before /checkpoint: https://id.example.org/log",
    );
  const prefix = url.pathname.replace(/\/+$/, "");
  return { target: openTarget({ url: url.origin, ca: "system" }), prefix };
}

/** @throws what `call` throws, and Refusal `unreachable` for any answer but 200 and, where it is asked for, 404 */
async function get(
  { target, prefix }: LogAddress,
  path: string,
  maxBytes: number,
): Promise<Answer> {
  const answer = await call(target, { method: "GET", path: `${prefix}/${path}`, maxBytes });
  if (answer.status === 200) return answer;
  throw new Refusal(
    "unreachable",
    `${prefix}/${path} answered ${answer.status}`,
    "Check the address: it is what stands before /checkpoint, often https://HOST/log.",
  );
}

/** A partial tile may be gone once the full one is there. */
async function tileAt(address: LogAddress, tile: Tile): Promise<Bytes> {
  try {
    return (await get(address, tilePath(tile), MAX_TILE_BYTES)).body;
  } catch (error) {
    if (tile.width === TILE_WIDTH || !(error instanceof Refusal)) throw error;
    const full = await get(address, tilePath({ ...tile, width: TILE_WIDTH }), MAX_TILE_BYTES);
    return full.body.subarray(0, tile.width * HASH_BYTES);
  }
}

export function logClient(address: LogAddress): LogClient {
  return {
    checkpoint: async () => textOf(await get(address, "checkpoint", MAX_CHECKPOINT_BYTES)),
    tile: (tile) => tileAt(address, tile),
  };
}
