import { constants } from "node:fs";
import { link, lstat, mkdir, open, rename, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { randomName } from "./crypto.ts";

/** Most octets of a private file, unless the caller says otherwise: a key, a certificate chain, a small state. */
const DEFAULT_MAX_BYTES = 1_048_576;

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

const REPAIRS = {
  full: "Make room on the disk, then try again.",
  closed:
    "Let the user that the program runs as read and write its data directory, on a disk that is not read-only.",
  broken: "Look at the disk: it does not take or give what it should.",
} as const;

/** The refusal for a disk that does not do as it is asked, with what its operator can do. */
export function diskRefusal(kind: keyof typeof REPAIRS, detail: string): Refusal {
  return new Refusal("indeterminate", detail, REPAIRS[kind]);
}

const KINDS: ReadonlyMap<string, keyof typeof REPAIRS> = new Map([
  ["ENOSPC", "full"],
  ["EDQUOT", "full"],
  ["EFBIG", "full"],
  ["EACCES", "closed"],
  ["EPERM", "closed"],
  ["EROFS", "closed"],
  ["EIO", "broken"],
]);

/** Runs an access to the disk; what the disk itself refuses becomes a Refusal, anything else stays what it is. */
async function onDisk<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const kind = KINDS.get(codeOf(error));
    throw kind === undefined ? error : diskRefusal(kind, `${path}: ${codeOf(error)}`);
  }
}

function isOwn(uid: number): boolean {
  return uid === (process.getuid?.() ?? uid);
}

/**
 * Makes a folder (mode 0700, its parents too) or checks one that is there.
 * @throws Refusal `private_mode` when it is a link, belongs to somebody else, or others may enter it; `indeterminate`
 * when the disk does not take it
 */
export async function privateDirectory(path: string): Promise<void> {
  await onDisk(path, () =>
    mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    }),
  );
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Refusal("private_mode", `${path} is a link or not a folder`);
  if (!isOwn(found.uid)) throw new Refusal("private_mode", `${path} belongs to somebody else`);
  if ((found.mode & 0o077) !== 0)
    throw new Refusal("private_mode", `${path} may be entered by others`);
}

async function readBounded(file: FileHandle, path: string, maxBytes: number): Promise<Bytes> {
  const found = await file.stat(); // of the open file: what is checked is what is read
  if (!found.isFile()) throw new Refusal("private_mode", `${path} is not a file`);
  if (!isOwn(found.uid)) throw new Refusal("private_mode", `${path} belongs to somebody else`);
  if ((found.mode & 0o077) !== 0)
    throw new Refusal("private_mode", `${path} can be read by others`);
  if (found.size > maxBytes) throw new Refusal("too_large", `${path} over ${maxBytes} bytes`);
  return new Uint8Array(await file.readFile());
}

/**
 * The octets of a file that only we can read, or undefined where there is none.
 * @param maxBytes default 1,048,576
 * @throws Refusal `private_mode` (a link, another owner, a looser mode than 0600), `too_large`, `indeterminate` (the disk)
 */
export function readPrivateFile(
  path: string,
  maxBytes: number = DEFAULT_MAX_BYTES,
): Promise<Bytes | undefined> {
  return onDisk(path, () => readIfThere(path, maxBytes));
}

async function readIfThere(path: string, maxBytes: number): Promise<Bytes | undefined> {
  let file: FileHandle;
  try {
    // without O_NONBLOCK a FIFO put in the place would hold us for ever
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) === "ELOOP") throw new Refusal("private_mode", `${path} is a link`);
    throw error;
  }
  try {
    return await readBounded(file, path, maxBytes);
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function refuseOther(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isFile()) return;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  throw new Refusal("private_mode", `${path} is a link or not a file`);
}

type Place = (temporary: string) => Promise<void>;

/** Writes beside the path, durably, then lets `place` put it there in one step. */
function writeAtomic(
  path: string,
  data: Bytes | string,
  mode: number,
  place: Place,
): Promise<void> {
  return onDisk(path, () => writeBeside(path, data, mode, place));
}

async function writeBeside(
  path: string,
  data: Bytes | string,
  mode: number,
  place: Place,
): Promise<void> {
  await refuseOther(path);
  const temporary = `${path}.${randomName()}.tmp`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(temporary, flags, mode);
  try {
    try {
      await file.chmod(mode); // whatever the umask took away
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(temporary);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(path);
}

/**
 * Writes a file of mode 0600: after a crash at any instant it holds the old or the new octets, and once this resolves
 * the new ones. When it rejects, the one or the other.
 * @throws Refusal `private_mode` when a link or a folder stands there; `indeterminate` when the disk does not take it
 */
export async function writePrivateFile(path: string, data: Bytes | string): Promise<void> {
  await writeAtomic(path, data, 0o600, (temporary) => rename(temporary, path));
}

/** As `writePrivateFile`, but never over a file that is there. @returns whether it was made */
export async function createPrivateFile(path: string, data: Bytes | string): Promise<boolean> {
  let isMade = true;
  await writeAtomic(path, data, 0o600, async (temporary) => {
    try {
      await link(temporary, path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      isMade = false;
    }
    await unlink(temporary);
  });
  return isMade;
}

/** As `writePrivateFile`, with mode 0644: for what anybody may read. */
export async function writePublicFile(path: string, data: Bytes | string): Promise<void> {
  await writeAtomic(path, data, 0o644, (temporary) => rename(temporary, path));
}
