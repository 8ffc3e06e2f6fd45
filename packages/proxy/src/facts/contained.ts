import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Refusal } from "@countersign/core";
import type { ProcessFacts } from "@countersign/core";
import { ancestry } from "./ancestry.ts";
import { isSameList } from "./basis.ts";
import type { JudgeBasis, Started } from "./basis.ts";
import { containerPlaceOf } from "./cgroup.ts";
import type { ContainerPlace } from "./cgroup.ts";
import type { AskContainer, ContainerWord } from "./container.ts";
import { O_PATH } from "./linux.ts";
import { mountIdOf, mountSeen } from "./mounts.ts";
import { refusalOf } from "./read.ts";
import { surroundingsOf } from "./place.ts";
import type { Surroundings } from "./place.ts";

/** Steps from a process up to the first one of its container. */
const MAX_DEPTH = 64;
/** SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN: with each of them a root that is read-only can be written. */
const REMOUNTING_CAPS = (1n << 16n) | (1n << 17n) | (1n << 19n) | (1n << 21n);

/** A process that both the kernel and the runtime have in one container. */
export interface Contained {
  readonly fact: NonNullable<ProcessFacts["container"]>;
  /** There when the files of its root rest on the image. */
  readonly judge?: JudgeBasis;
}

function disagree(why: string): never {
  throw new Refusal(
    "facts_missing",
    `the kernel and the container runtime disagree: ${why}`,
    "Start the agent as the container's first process, or below it.",
  );
}

/** T14: a cgroup can be had without the container, so first process, namespace and cgroup must all say the same. */
async function checkSameContainer(
  pid: number,
  place: ContainerPlace,
  around: Surroundings,
  word: ContainerWord,
): Promise<void> {
  const line = await ancestry(pid, MAX_DEPTH, (one) => one.pid === word.pid);
  if (line.at(-1)?.pid !== word.pid) disagree("the process does not descend from its first one");
  const first = await surroundingsOf(word.pid);
  if (first.ns.mnt !== around.ns.mnt) disagree("it is in another mount namespace");
  if (containerPlaceOf(first.cgroups)?.id !== place.id) disagree("its first one is elsewhere");
}

/** The mount of a process's root directory, if it is read-only. */
async function readOnlyRoot(pid: number): Promise<number | undefined> {
  const root = await open(`/proc/${pid}/root`, O_PATH | constants.O_DIRECTORY).catch(
    (error: unknown) => {
      throw refusalOf(error, "root");
    },
  );
  try {
    const id = await mountIdOf(root);
    const mount = await mountSeen(pid, id);
    return mount?.point === "/" && mount.isReadOnly ? id : undefined;
  } finally {
    await root.close();
  }
}

/** Files on the root's own mount rest on the image; what is mounted elsewhere is not of it. */
function restingOnImage(root: number): JudgeBasis {
  return async ({ handle }) => ((await mountIdOf(handle)) === root ? "image" : "argv");
}

/** Whether the runtime says that it started this very process, with this very command line. Pure. */
export function isStartedByRuntime(word: ContainerWord, process: Started): boolean {
  return (
    word.pid === process.pid &&
    (process.command === undefined || isSameList(process.command, word.command)) &&
    (process.capsPermitted & REMOUNTING_CAPS) === 0n &&
    !process.hasOwnUserNamespace
  );
}

/**
 * The container of a process whose cgroup is one; undefined for every other process.
 * @throws Refusal `facts_missing` when kernel and runtime disagree, `indeterminate` as `AskContainer`
 */
export async function containedOf(
  process: Started,
  around: Surroundings,
  ask: AskContainer,
): Promise<Contained | undefined> {
  const place = containerPlaceOf(around.cgroups);
  if (place === undefined) return undefined;
  const word = await ask(place.id);
  if (word === undefined) return disagree("the runtime does not run this container");
  await checkSameContainer(process.pid, place, around, word);
  const root = await readOnlyRoot(process.pid);
  if (word.isRootReadOnly && root === undefined) disagree("its root can be written");
  const ro = word.isRootReadOnly && root !== undefined;
  return {
    fact: { rt: place.rt, id: place.id, image: word.image, ro },
    ...(ro && isStartedByRuntime(word, process) ? { judge: restingOnImage(root) } : {}),
  };
}
