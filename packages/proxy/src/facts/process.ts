import { open, readlink, stat } from "node:fs/promises";
import { Refusal } from "@countersign/core";
import type { Digest, ManifestFact, ProcessFacts, RunFact } from "@countersign/core";
import { ancestry } from "./ancestry.ts";
import { isSameList } from "./basis.ts";
import { measure } from "./digest.ts";
import type { MeasuredFile } from "./digest.ts";
import { checkEnvironment } from "./loader.ts";
import { measureManifest } from "./manifest.ts";
import type { Peer } from "./peer.ts";
import { isSamePlace, surroundingsOf } from "./place.ts";
import { deviceName, parseStat, parseStatus, splitNul } from "./proc.ts";
import type { ProcStat, ProcStatus } from "./proc.ts";
import { MEASURE_FLAGS, readProcFile, readProcText, refusalOf } from "./read.ts";
import { interpreterOf, measureScript } from "./script.ts";
import { groundOf } from "./surroundings.ts";
import type { Sources } from "./surroundings.ts";

/** What is known about a process that asks: observed, never proved (DESIGN 7). */
export interface Facts {
  readonly proc: ProcessFacts;
  readonly manifest?: readonly ManifestFact[];
  /** The `countersign run` whose door it came through. */
  readonly run?: RunFact;
  /** Whether somebody sits at a terminal of that run, as its own client says. Default false. */
  readonly hasTerminal?: boolean;
  /**
   * One more look, just before an answer leaves: whether the process still runs, under the same ids, and has not
   * become another program since. What exec'd before the first look, it cannot tell.
   */
  stillTrue(): Promise<boolean>;
}

/** What the registration entry says about measuring. */
export interface CollectOptions {
  /** Interpreter options that may stand before the script, each as on the command line, with its value if any. */
  readonly interpreterOptions: readonly string[];
  /** Path of the manifest, absolute or from the process's working directory. */
  readonly manifest?: string;
}

const MAX_COMMAND_BYTES = 64 * 1024;
const MAX_ENVIRONMENT_BYTES = 1024 * 1024;
const MAX_ARGUMENTS = 256;
const MAX_PARENTS = 8;
const DEADLINE_MS = 30_000;

/** One look at what must not change while the rest is read. */
interface Look {
  readonly stat: ProcStat;
  readonly status: ProcStatus;
  readonly identity: string;
}

async function look(pid: number): Promise<Look> {
  const procStat = parseStat(await readProcText(pid, "stat"));
  const status = parseStatus(await readProcText(pid, "status"));
  const exe = await stat(`/proc/${pid}/exe`, { bigint: true }).catch((error: unknown) => {
    throw refusalOf(error, "exe");
  });
  const ids = `${status.uids.join()}/${status.gids.join()}`;
  // the addresses give an exec away even when the program is the same
  const program = `${exe.dev}:${exe.ino}/${procStat.layout}`;
  const isTraced = status.tracer !== 0;
  return {
    stat: procStat,
    status,
    identity: `${procStat.startTime}/${ids}/${program}/${String(isTraced)}`,
  };
}

/** Only one uid may be meant: a process that can take another one back is two users at once. */
function checkUser(peer: Peer, { uids }: ProcStatus): void {
  if (uids[1] !== peer.uid)
    throw new Refusal("program_changed", "the user changed since the peer connected");
  if (uids.some((uid) => uid !== peer.uid))
    throw new Refusal("peer_unexpected", "real, effective and saved user differ");
}

async function measureExe(pid: number): Promise<MeasuredFile & { path: string }> {
  try {
    const handle = await open(`/proc/${pid}/exe`, MEASURE_FLAGS);
    try {
      return { ...(await measure(handle)), path: await readlink(`/proc/${pid}/exe`) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw refusalOf(error, "exe");
  }
}

async function parentsOf(pid: number): Promise<ProcessFacts["parents"]> {
  const line = await ancestry(pid, MAX_PARENTS, () => false);
  const parents: { pid: number; exe?: Digest }[] = [];
  for (const parent of line.slice(1, MAX_PARENTS + 1)) {
    const exe = await measureExe(parent.pid).catch(() => undefined); // another user's: not ours to read
    parents.push({ pid: parent.pid, ...(exe === undefined ? {} : { exe: exe.d }) });
  }
  return parents;
}

async function commandOf(pid: number): Promise<readonly string[]> {
  const { data } = await readProcFile(pid, "cmdline", MAX_COMMAND_BYTES);
  return splitNul(data)
    .slice(0, MAX_ARGUMENTS)
    .map((arg) => Buffer.from(arg).toString("utf8"));
}

async function checkLoader(pid: number): Promise<void> {
  const { data, whole } = await readProcFile(pid, "environ", MAX_ENVIRONMENT_BYTES);
  checkEnvironment(data, whole);
}

function processFacts(
  peer: Peer,
  { stat: { startTime }, status }: Look,
  exe: MeasuredFile & { path: string },
): Omit<ProcessFacts, "args" | "parents"> {
  return {
    pid: peer.pid,
    start: startTime,
    uid: peer.uid,
    gid: peer.gid,
    groups: status.groups,
    exe: {
      path: exe.path,
      d: exe.d,
      dev: deviceName(exe.stats.dev),
      // JSON carries 53 bits; the digest identifies the file, the number only describes it
      ino: Number(BigInt.asUintN(53, exe.stats.ino)),
    },
    no_new_privs: status.noNewPrivs,
    seccomp: status.seccomp,
    caps_eff: status.capsEff,
    ptraced: status.tracer !== 0,
    key: { store: "proxy", exportable: false },
  };
}

async function collect(peer: Peer, options: CollectOptions, sources: Sources): Promise<Facts> {
  const { pid } = peer;
  const before = await look(pid);
  if (before.stat.startTime !== peer.startTime)
    throw new Refusal("process_gone", `process ${pid} is another one now`);
  checkUser(peer, before.status);
  await checkLoader(pid);
  const exe = await measureExe(pid);
  const kind = await interpreterOf(exe.path, exe);
  const command = kind === undefined ? undefined : await commandOf(pid);
  const hasManifest = options.manifest !== undefined;
  const around = await surroundingsOf(pid);
  const { capsPermitted } = before.status;
  const { uid, startTime } = peer;
  const ground = await groundOf(
    { pid, uid, startTime, command, capsPermitted, exe, hasManifest },
    around,
    sources,
  );
  const { interpreterOptions } = options;
  const args =
    kind === undefined || command === undefined
      ? []
      : await measureScript(kind, peer, command, { interpreterOptions, hasManifest }, ground.judge);
  const manifest =
    options.manifest === undefined
      ? undefined
      : await measureManifest(pid, options.manifest, ground.judge);
  const proc: ProcessFacts = {
    ...processFacts(peer, before, exe),
    args,
    ...ground.facts,
    parents: await parentsOf(pid),
  };
  const isSame = async (): Promise<boolean> => {
    const { identity } = await look(pid);
    const isThere = isSamePlace(await surroundingsOf(pid), around);
    const isSameCommand = command === undefined || isSameList(await commandOf(pid), command);
    return identity === before.identity && isThere && isSameCommand && peer.isAlive();
  };
  if (!(await isSame()))
    throw peer.isAlive()
      ? new Refusal("program_changed", `process ${pid} changed while it was measured`)
      : new Refusal("process_gone", `process ${pid} ended`);
  return {
    proc,
    ...(manifest === undefined ? {} : { manifest }),
    stillTrue: () =>
      isSame().catch((error: unknown) => {
        if (error instanceof Refusal) return false;
        throw error;
      }),
  };
}

/**
 * Measures a process: everything from the kernel, the program through its open image, read between two looks that
 * must agree. The peer stays the caller's to close; `stillTrue` is false once it is closed.
 * @param sources who may say more about it than it says itself
 * @throws Refusal `process_gone`, `process_unreadable`, `program_changed`, `peer_unexpected`, `loader_forbidden`,
 * `script_unmeasurable`, `facts_missing`, `too_large`; `indeterminate` after 30 s
 */
export async function collectFacts(
  peer: Peer,
  options: CollectOptions,
  sources: Sources = {},
): Promise<Facts> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Refusal("indeterminate", "measuring took longer than 30 s"));
    }, DEADLINE_MS);
  });
  try {
    return await Promise.race([collect(peer, options, sources), late]);
  } finally {
    clearTimeout(timer);
  }
}
