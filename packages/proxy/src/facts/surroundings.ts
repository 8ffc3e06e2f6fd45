import { readlink } from "node:fs/promises";
import { Refusal } from "@countersign/core";
import type { ProcessFacts } from "@countersign/core";
import { areOutOfReach, AS_STATED, isStartedByUnit, restingOnUnit } from "./basis.ts";
import type { JudgeBasis, Started } from "./basis.ts";
import { isWithin, parseCgroup, unitPlaceOf } from "./cgroup.ts";
import type { UnitPlace } from "./cgroup.ts";
import type { MeasuredFile } from "./digest.ts";
import { parseNamespace } from "./proc.ts";
import { readProcText, refusalOf } from "./read.ts";
import { statSeen } from "./seen.ts";
import type { AskUnit, UnitWord } from "./systemd.ts";

/** Whom the proxy asks about a process, beside the kernel. */
export interface Sources {
  readonly askUnit?: AskUnit;
}

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

/** The process whose surroundings are judged. */
export interface Standing extends Omit<Started, "hasOwnUserNamespace"> {
  readonly startTime: number;
  readonly exe: MeasuredFile;
  readonly hasManifest: boolean;
}

/** What follows from where a process stands: facts, and on what its files rest. */
export interface Ground {
  readonly facts: Pick<ProcessFacts, "cgroup" | "ns" | "unit">;
  readonly judge: JudgeBasis;
}

async function isExecutedFile(process: Standing, word: UnitWord): Promise<boolean> {
  try {
    const { dev, ino } = await statSeen(process.pid, word.command?.file ?? "", "facts_missing");
    return dev === process.exe.stats.dev && ino === process.exe.stats.ino;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** What systemd says of the unit, where something hangs on it. */
async function wordOf(
  process: Standing,
  place: UnitPlace | undefined,
  { askUnit }: Sources,
): Promise<UnitWord | undefined> {
  if (place === undefined || askUnit === undefined || !place.unit.endsWith(".service"))
    return undefined;
  const hasFiles = process.command !== undefined || process.hasManifest;
  return hasFiles || !place.isInSystemSlice ? askUnit(place.unit, process) : undefined;
}

/** Asks whom there is to ask, and never takes a word that the kernel contradicts. */
export async function groundOf(
  process: Standing,
  { cgroups, ns }: Surroundings,
  sources: Sources,
): Promise<Ground> {
  const cgroup = parseCgroup(cgroups);
  const place = unitPlaceOf(cgroups);
  const word = await wordOf(process, place, sources);
  const isUnit =
    place?.isInSystemSlice === true ||
    (place !== undefined && word !== undefined && isWithin(place.path, word.controlGroup));
  const started = { ...process, hasOwnUserNamespace: await hasOwnUserNamespace(ns.user) };
  const restsOnUnit =
    place !== undefined &&
    word !== undefined &&
    isStartedByUnit(word, place, started) &&
    (await isExecutedFile(process, word)) &&
    (await areOutOfReach(word.files, process.uid));
  return {
    facts: {
      ...(cgroup === "" ? {} : { cgroup }),
      ns,
      ...(isUnit ? { unit: place.unit } : {}),
    },
    judge: restsOnUnit ? restingOnUnit(process) : AS_STATED,
  };
}

async function hasOwnUserNamespace(user: number): Promise<boolean> {
  return parseNamespace(await readlink("/proc/self/ns/user")) !== user;
}
