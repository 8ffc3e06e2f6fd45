import { Refusal } from "@countersign/core";
import { parseStat } from "./proc.ts";
import type { Peer } from "./peer.ts";
import { readProcText } from "./read.ts";

/** A process as one moment saw it; number and start time together name it until the host is booted again. */
export interface Ancestor {
  readonly pid: number;
  readonly startTime: number;
}

/** Steps upwards that are looked at; deeper families are refused. */
const MAX_DEPTH = 64;

/**
 * The process and its parents, nearest first, as far as `isEnough` or the first process. A parent that started
 * after its child is another process under a number used again: the walk ends before it.
 * @throws Refusal `process_gone` when the process itself cannot be seen
 */
export async function ancestry(
  pid: number,
  maxDepth: number,
  isEnough: (one: Ancestor) => boolean,
): Promise<readonly Ancestor[]> {
  const line: Ancestor[] = [];
  let next = pid;
  while (next > 0 && line.length <= maxDepth) {
    const child = line.at(-1);
    const stat = await readProcText(next, "stat")
      .then(parseStat)
      .catch((error: unknown) => {
        if (error instanceof Refusal && child !== undefined) return undefined;
        throw error;
      });
    if (stat === undefined || (child !== undefined && stat.startTime > child.startTime)) break;
    const one = { pid: next, startTime: stat.startTime };
    line.push(one);
    if (isEnough(one)) break;
    next = stat.parent;
  }
  return line;
}

/**
 * Refuses a process that is not a live descendant of the other one. An orphan whose parent between them has ended
 * belongs to somebody else by the kernel's word, and is refused. Walked twice: a number that came to mean another
 * process during the first walk does not lead to the same line in the second.
 * @throws Refusal `peer_unexpected`, `process_gone`
 */
export async function checkDescends(peer: Peer, from: Peer): Promise<void> {
  const isFrom = (one: Ancestor): boolean =>
    one.pid === from.pid && one.startTime === from.startTime;
  const walk = async (): Promise<string> => {
    const line = await ancestry(peer.pid, MAX_DEPTH, isFrom);
    const [first] = line;
    const last = line.at(-1);
    if (first?.startTime !== peer.startTime) throw new Refusal("process_gone", "the peer ended");
    if (line.length < 2 || last === undefined || !isFrom(last))
      throw new Refusal("peer_unexpected", `process ${peer.pid} is no descendant of the run`);
    return line.map((one) => `${one.pid}:${one.startTime}`).join(" ");
  };
  const line = await walk();
  if ((await walk()) !== line)
    throw new Refusal("peer_unexpected", `the parents of process ${peer.pid} changed`);
  if (!from.isAlive()) throw new Refusal("peer_unexpected", "the process of the run has ended");
  if (!peer.isAlive()) throw new Refusal("process_gone", `process ${peer.pid} ended`);
}
