import type { BigIntStats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { posix } from "node:path";
import { errnoName } from "./read.ts";

/** Links followed on one path, as the kernel does. */
const MAX_LINKS = 40;
const MAX_STEPS = 4096;
const WRITABLE_BY_OTHERS = 0o022n;

/**
 * Whether a user could change a file, or what a directory holds. The bits of the group count whoever is in it: they
 * also stand for access lists, which name users that no bit shows.
 */
export function mayChange(
  { uid, mode, isLink }: { uid: bigint; mode: bigint; isLink: boolean },
  user: number,
): boolean {
  return uid === BigInt(user) || (!isLink && (mode & WRITABLE_BY_OTHERS) !== 0n);
}

const partsOf = (path: string): readonly string[] => path.split("/").filter((part) => part !== "");

/**
 * Follows an absolute path step by step, and answers with what lies at its end if the user can change neither that nor
 * any directory or link on the way; undefined otherwise. What he cannot change cannot be exchanged during the walk.
 * @param root "" for this process's own root directory, or `/proc/PID/root`
 */
export async function outOfReach(
  root: string,
  path: string,
  user: number,
): Promise<BigIntStats | undefined> {
  if (!posix.isAbsolute(path) || posix.normalize(path) !== path) return undefined;
  const todo = [...partsOf(path)];
  const done: string[] = [];
  let links = 0;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const stats = await lstat(`${root}/${done.join("/")}`, { bigint: true }).catch(absent);
    const isLink = stats?.isSymbolicLink() === true;
    if (stats === undefined || mayChange({ ...stats, isLink }, user)) return undefined;
    if (isLink) {
      links += 1;
      const target = await readlink(`${root}/${done.join("/")}`).catch(absent);
      if (target === undefined || links > MAX_LINKS) return undefined;
      done.splice(target.startsWith("/") ? 0 : done.length - 1);
      todo.unshift(...partsOf(target));
    } else if (todo.length === 0) return stats;
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      if (next === "..") done.pop();
      else if (next !== ".") {
        done.push(next);
        break;
      }
    }
  }
  return undefined;
}

function absent(error: unknown): undefined {
  if (errnoName(error) === undefined) throw error;
}
