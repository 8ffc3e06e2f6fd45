import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { base64url, Refusal } from "@countersign/core";
import type { Digest } from "@countersign/core";

/** One file in one state: equal identities mean equal content, as far as the file system tells. */
export interface MeasuredFile {
  readonly d: Digest;
  readonly stats: BigIntStats;
}

/** Largest file that is hashed: programs that carry their runtime come to some hundred megabytes. */
export const MAX_FILE_BYTES: number = 1024 ** 3;
const MAX_CACHED = 1024;
/** Between two chunks the event loop serves others: half a megabyte takes about a millisecond. */
const CHUNK_BYTES = 512 * 1024;
/** A change within one tick of the file system's clock leaves the times as they were; ticks are 1–10 ms, FAT's 2 s. */
const SETTLED_NS = 2_000_000_000n;

/** Digests by identity; a promise, so that callers who ask at the same time share the work. */
const cache = new Map<string, Promise<Digest>>();

/** What identifies a file's state: device, inode, size, both times in nanoseconds. */
export function identityOf(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

async function hash(handle: FileHandle, size: number): Promise<Digest> {
  const whole = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK_BYTES, size)));
  let at = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    if (at > size) throw new Refusal("program_changed", "the file grew while it was read");
    whole.update(buffer.subarray(0, bytesRead));
  }
  if (at !== size) throw new Refusal("program_changed", "the file shrank while it was read");
  return `sha-256:${base64url(whole.digest())}`;
}

function remember(name: string, digest: Promise<Digest>): void {
  const oldest = cache.size >= MAX_CACHED ? cache.keys().next() : undefined;
  if (oldest?.done === false) cache.delete(oldest.value);
  cache.set(name, digest);
}

/**
 * SHA-256 of an open regular file, from its descriptor and never by path. Known states are not read again, unless
 * the file changed so recently that a further change could hide behind the same times.
 * @throws Refusal `program_changed` when it changes meanwhile, `too_large` above 1 GiB, `process_unreadable` when it
 * is no regular file
 */
export async function measure(handle: FileHandle): Promise<MeasuredFile> {
  const stats = await handle.stat({ bigint: true });
  if (!stats.isFile()) throw new Refusal("process_unreadable", "not a regular file");
  if (stats.size > BigInt(MAX_FILE_BYTES)) throw new Refusal("too_large", "file over 1 GiB");
  const name = identityOf(stats);
  const known = cache.get(name);
  if (known !== undefined) return { d: await known, stats };
  const nowNs = BigInt(Date.now()) * 1_000_000n; // the clock that dates files is the host's
  const isSettled = stats.ctimeNs + SETTLED_NS < nowNs && stats.mtimeNs + SETTLED_NS < nowNs;
  const fresh = hash(handle, Number(stats.size));
  remember(name, fresh);
  let keep = false;
  try {
    const d = await fresh;
    if (identityOf(await handle.stat({ bigint: true })) !== name)
      throw new Refusal("program_changed", "the file changed while it was read");
    keep = isSettled;
    return { d, stats };
  } finally {
    if (!keep) cache.delete(name);
  }
}
