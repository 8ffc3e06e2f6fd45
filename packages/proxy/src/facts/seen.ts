import { close, constants, fstat } from "node:fs";
import type { BigIntStats } from "node:fs";
import { open, readlink, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { posix } from "node:path";
import { promisify } from "node:util";
import { Refusal } from "@countersign/core";
import type { RefusalCode } from "@countersign/core";
import { linux, O_PATH } from "./linux.ts";
import { MEASURE_FLAGS, refusalOf } from "./read.ts";

const NOT_ALLOWED: ReadonlySet<number> = new Set([1, 13, 38]); // EPERM, EACCES, ENOSYS (before Linux 5.6)
const closeFd = promisify(close);
const statFd = promisify(fstat) as unknown as (
  fd: number,
  options: { bigint: true },
) => Promise<BigIntStats>; // promisify picks an overload without options

/** Uses a descriptor that names the path as the process sees it, without opening what lies there. */
async function withPath<T>(
  pid: number,
  path: string,
  missing: RefusalCode,
  use: (fd: number, stats: BigIntStats) => Promise<T>,
): Promise<T> {
  const root = await open(`/proc/${pid}/root`, O_PATH | constants.O_DIRECTORY).catch(
    (error: unknown) => {
      throw refusalOf(error, "root");
    },
  );
  try {
    const fd = await linux().findInRoot(root.fd, path);
    if (NOT_ALLOWED.has(-fd))
      throw new Refusal("process_unreadable", `the proxy may not look at a file (errno ${-fd})`);
    if (fd < 0) throw new Refusal(missing, `a file named is not there (errno ${-fd})`);
    try {
      return await use(fd, await statFd(fd, { bigint: true }));
    } finally {
      await closeFd(fd);
    }
  } finally {
    await root.close();
  }
}

/**
 * What lies at a path under which the process knows it, links followed.
 * @throws Refusal as `openSeen`
 */
export function statSeen(pid: number, path: string, missing: RefusalCode): Promise<BigIntStats> {
  return withPath(pid, path, missing, (_, stats) => Promise.resolve(stats));
}

/**
 * Opens a regular file by the path under which the process knows it: inside its root directory, absolute symbolic
 * links included, which the proxy's own look would follow to the host's files.
 * @param missing the code for "there is no such file"
 * @throws Refusal `missing`, `process_gone`, `process_unreadable`
 */
export function openSeen(pid: number, path: string, missing: RefusalCode): Promise<FileHandle> {
  return withPath(pid, path, missing, async (fd, stats) => {
    if (!stats.isFile()) throw new Refusal(missing, "what is named is not a regular file");
    try {
      return await open(`/proc/self/fd/${fd}`, MEASURE_FLAGS);
    } catch (error) {
      throw refusalOf(error, "file");
    }
  });
}

/**
 * An absolute path in the eyes of the process, for one that may be relative to its working directory. `..` is left
 * to the kernel, which follows it as it did for the process.
 * @throws Refusal `missing`, `process_gone`, `process_unreadable`
 */
export async function pathSeen(pid: number, path: string, missing: RefusalCode): Promise<string> {
  if (posix.isAbsolute(path)) return path;
  const look = async (): Promise<[string, string, BigIntStats]> => [
    await readlink(`/proc/${pid}/root`),
    await readlink(`/proc/${pid}/cwd`),
    await stat(`/proc/${pid}/cwd`, { bigint: true }),
  ];
  const [root, cwd, there] = await look().catch((error: unknown) => {
    throw refusalOf(error, "working directory");
  });
  const within = root === "/" ? cwd : cwd === root ? "/" : cwd.slice(root.length);
  if (root !== "/" && cwd !== root && !cwd.startsWith(`${root}/`))
    throw new Refusal(missing, "the working directory lies outside of the root directory");
  // a directory that was removed, or a name that is shown otherwise than it is
  const isSame = await withPath(pid, within, missing, (_, stats) =>
    Promise.resolve(stats.dev === there.dev && stats.ino === there.ino),
  );
  if (!isSame) throw new Refusal(missing, "the working directory has no path");
  return within === "/" ? `/${path}` : `${within}/${path}`;
}
