import { readlink } from "node:fs/promises";
import type { ProcessFacts } from "@countersign/core";
import { parseNamespace } from "./proc.ts";
import { readProcText, refusalOf } from "./read.ts";

/** Where a process stands, as the kernel says. */
export interface Surroundings {
  /** `/proc/PID/cgroup`, whole. */
  readonly cgroups: string;
  readonly ns: NonNullable<ProcessFacts["ns"]>;
}

export async function surroundingsOf(pid: number): Promise<Surroundings> {
  const one = async (name: string): Promise<number> =>
    parseNamespace(await readlink(`/proc/${pid}/ns/${name}`));
  try {
    return {
      cgroups: await readProcText(pid, "cgroup"),
      ns: { mnt: await one("mnt"), pid: await one("pid"), user: await one("user") },
    };
  } catch (error) {
    throw refusalOf(error, "surroundings");
  }
}

export function isSamePlace(one: Surroundings, other: Surroundings): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Whether a user namespace is another one than the proxy's. */
export async function isOtherUserNamespace(user: number): Promise<boolean> {
  return parseNamespace(await readlink("/proc/self/ns/user")) !== user;
}
