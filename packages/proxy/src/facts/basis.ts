import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Basis } from "@countersign/core";
import { isWithin } from "./cgroup.ts";
import type { UnitPlace } from "./cgroup.ts";
import { outOfReach } from "./reach.ts";
import { linux } from "./linux.ts";
import { isNewer } from "./script.ts";
import type { UnitWord } from "./systemd.ts";

/** A file that is being measured. */
export interface MeasuredPath {
  /** As it was named: absolute, or from the working directory, which the process can change. */
  readonly named: string;
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
}

/** On what a measurement of this file rests; never better than what the process itself rests on. */
export type JudgeBasis = (file: MeasuredPath) => Promise<Basis>;

/** The process's own word, for every file. */
export const AS_STATED: JudgeBasis = () => Promise.resolve("argv");

/** What the kernel says of a process, for a comparison with what its service manager says. */
export interface Started {
  readonly pid: number;
  readonly uid: number;
  /** Of an interpreter; undefined for a program whose own digest says what runs. */
  readonly command: readonly string[] | undefined;
  readonly capsPermitted: bigint;
  readonly hasOwnUserNamespace: boolean;
}

/** NET_BIND_SERVICE: every other one reaches, at some distance, files of other users or mounts. */
const HARMLESS_CAPS = 1n << 10n;

/**
 * Whether systemd says that it started this very process, with this very command line, as the main one of the unit in
 * which the kernel has it. A process in a user namespace of its own, or with capabilities, can mount something over
 * what systemd names. Pure.
 */
export function isStartedByUnit(word: UnitWord, place: UnitPlace, process: Started): boolean {
  const { command } = word;
  return (
    word.isMainPidOwn &&
    word.mainPid === process.pid &&
    isWithin(place.path, word.controlGroup) &&
    command !== undefined &&
    (process.command === undefined || isSameList(process.command, command.argv)) &&
    (process.capsPermitted & ~HARMLESS_CAPS) === 0n &&
    !process.hasOwnUserNamespace
  );
}

export function isSameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item, at) => item === other[at]);
}

/** Whether a user can change none of a unit's files, nor put others in their place. */
export async function areOutOfReach(files: readonly string[], uid: number): Promise<boolean> {
  for (const file of files) if ((await outOfReach("", file, uid)) === undefined) return false;
  return true;
}

/**
 * Files that are as they were when the process began, and that the unit's own user cannot change, rest on the unit;
 * all others on the process's word.
 */
export function restingOnUnit(
  process: Pick<Started, "pid" | "uid"> & { readonly startTime: number },
): JudgeBasis {
  return async ({ named, stats }) => {
    if (isNewer(stats, process.startTime, linux().bootTimeNs())) return "argv";
    const there = await outOfReach(`/proc/${process.pid}/root`, named, process.uid);
    return there?.dev === stats.dev && there.ino === stats.ino ? "unit" : "argv";
  };
}
