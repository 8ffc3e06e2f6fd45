import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { Refusal } from "@countersign/core";

/** Open flags of every file that is measured: a FIFO put in its place must not make us wait. */
export const MEASURE_FLAGS: number = constants.O_RDONLY | constants.O_NONBLOCK;

/** The code of a failed system call; undefined for refusals and Node's own errors, which have a `code` too. */
export function errnoName(error: unknown): string | undefined {
  const code: unknown =
    error instanceof Error && "code" in error ? Reflect.get(error, "code") : undefined;
  return typeof code === "string" && /^E(?!RR_)[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** What a failed look at `/proc/PID` means. A refusal passes as it is, a bug too. */
export function refusalOf(error: unknown, what: string): unknown {
  const code = errnoName(error);
  if (code === "ENOENT" || code === "ESRCH") return new Refusal("process_gone", `${what}: ${code}`);
  // also EIO, ESTALE, ELOOP: nothing that could be measured
  return code === undefined ? error : new Refusal("process_unreadable", `${what}: ${code}`);
}

/** Most files of `/proc` fit; larger ones make room as they come. */
const FIRST_READ_BYTES = 4096;

/** Reads at most `maxBytes` from the start; files of `/proc` have no size, so until nothing comes any more. */
export async function readBounded(
  handle: FileHandle,
  maxBytes: number,
): Promise<{ data: Uint8Array; whole: boolean }> {
  const most = maxBytes + 1;
  let buffer = Buffer.allocUnsafe(Math.min(FIRST_READ_BYTES, most));
  let length = 0;
  while (length < most) {
    if (length === buffer.length)
      buffer = Buffer.concat([buffer], Math.min(2 * buffer.length, most));
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return { data: buffer.subarray(0, Math.min(length, maxBytes)), whole: length <= maxBytes };
}

/**
 * A file of `/proc/PID`.
 * @throws Refusal `process_gone`, `process_unreadable`
 */
export async function readProcFile(
  pid: number,
  name: string,
  maxBytes: number = 64 * 1024,
): Promise<{ data: Uint8Array; whole: boolean }> {
  try {
    const handle = await open(`/proc/${pid}/${name}`, constants.O_RDONLY);
    try {
      return await readBounded(handle, maxBytes);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw refusalOf(error, name);
  }
}

/** As `readProcFile`, as text; what is not UTF-8 becomes U+FFFD. */
export async function readProcText(pid: number, name: string): Promise<string> {
  return Buffer.from((await readProcFile(pid, name)).data).toString("utf8");
}
