import { Refusal } from "@countersign/core";
import type { ProcessFacts } from "@countersign/core";
import { areOutOfReach, AS_STATED, isStartedByUnit, restingOnUnit } from "./basis.ts";
import type { JudgeBasis, Started } from "./basis.ts";
import { containedOf } from "./contained.ts";
import type { AskContainer } from "./container.ts";
import { isWithin, parseCgroup, unitPlaceOf } from "./cgroup.ts";
import type { UnitPlace } from "./cgroup.ts";
import type { MeasuredFile } from "./digest.ts";
import { isOtherUserNamespace } from "./place.ts";
import type { Surroundings } from "./place.ts";
import { statSeen } from "./seen.ts";
import type { AskUnit, UnitWord } from "./systemd.ts";

/** Whom the proxy asks about a process, beside the kernel. */
export interface Sources {
  readonly askUnit?: AskUnit;
  readonly askContainer?: AskContainer;
}

/** The process whose surroundings are judged. */
export interface Standing extends Omit<Started, "hasOwnUserNamespace"> {
  readonly startTime: number;
  readonly exe: MeasuredFile;
  readonly hasManifest: boolean;
}

/** What follows from where a process stands: facts, and on what its files rest. */
export interface Ground {
  readonly facts: Pick<ProcessFacts, "cgroup" | "ns" | "unit" | "container">;
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

/** What systemd says, where the kernel has the process in a unit. */
async function unitOf(
  process: Standing & Started,
  cgroups: string,
  sources: Sources,
): Promise<{ readonly name?: string; readonly isBasis: boolean }> {
  const place = unitPlaceOf(cgroups);
  const word = await wordOf(process, place, sources);
  if (place === undefined) return { isBasis: false };
  const isConfirmed = word !== undefined && isWithin(place.path, word.controlGroup);
  if (!place.isInSystemSlice && !isConfirmed) return { isBasis: false };
  const isBasis =
    word !== undefined &&
    isStartedByUnit(word, place, process) &&
    (await isExecutedFile(process, word)) &&
    (await areOutOfReach(word.files, process.uid));
  return { name: place.unit, isBasis };
}

/**
 * Asks whom there is to ask, and never takes a word that the kernel contradicts.
 * @throws Refusal `facts_missing` when kernel and container runtime disagree, `indeterminate` when it does not answer
 */
export async function groundOf(
  standing: Standing,
  around: Surroundings,
  sources: Sources,
): Promise<Ground> {
  const { cgroups, ns } = around;
  const process = { ...standing, hasOwnUserNamespace: await isOtherUserNamespace(ns.user) };
  const { askContainer } = sources;
  const contained =
    askContainer === undefined ? undefined : await containedOf(process, around, askContainer);
  const unit = await unitOf(process, cgroups, sources);
  const cgroup = parseCgroup(cgroups);
  return {
    facts: {
      ...(cgroup === "" ? {} : { cgroup }),
      ns,
      ...(unit.name === undefined ? {} : { unit: unit.name }),
      ...(contained === undefined ? {} : { container: contained.fact }),
    },
    judge: contained?.judge ?? (unit.isBasis ? restingOnUnit(process) : AS_STATED),
  };
}
