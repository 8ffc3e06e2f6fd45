import { open, readlink, stat } from "node:fs/promises";
import { posix } from "node:path";
import { Refusal } from "@countersign/core";
import type { Digest, ScriptFact } from "@countersign/core";
import type { JudgeBasis } from "./basis.ts";
import { measure } from "./digest.ts";
import type { MeasuredFile } from "./digest.ts";
import { INTERPRETERS, KNOWN_PLACES, optionName, readCommandLine } from "./interpreters.ts";
import type { Interpreter } from "./interpreters.ts";
import { linux } from "./linux.ts";
import { MEASURE_FLAGS } from "./read.ts";
import { openSeen, pathSeen } from "./seen.ts";

const NS_PER_TICK = 10_000_000n;
/** The start is cut to a tick, and the clocks of process and file are two. */
const TOLERANCE_TICKS = 2n;

/** The interpreter that a file's name stands for. */
export function interpreterByName(path: string): Interpreter | undefined {
  const name = posix.basename(path.replace(/ \(deleted\)$/, ""));
  return INTERPRETERS.find((one) => one.names.test(name));
}

/** The digest of the file at a path of this host, if it has that size. */
async function digestAt(path: string, size: bigint): Promise<Digest | undefined> {
  const stats = await stat(path, { bigint: true });
  if (!stats.isFile() || stats.size !== size) return undefined;
  const handle = await open(path, MEASURE_FLAGS);
  try {
    return (await measure(handle)).d;
  } finally {
    await handle.close();
  }
}

/**
 * The interpreter that a program is, by its name or as a copy of one that this host has: a renamed copy would
 * otherwise pass for a program, equal for every script on earth.
 */
export async function interpreterOf(
  path: string,
  exe: MeasuredFile,
): Promise<Interpreter | undefined> {
  const named = interpreterByName(path);
  if (named !== undefined) return named;
  for (const place of [process.execPath, ...KNOWN_PLACES]) {
    const digest = await digestAt(place, exe.stats.size).catch(() => undefined); // not on this host
    if (digest === exe.d)
      return interpreterByName(place) ?? interpreterByName(await readlink(place).catch(() => ""));
  }
  return undefined;
}

/** Whether a file changed after the process began, so that it need not be what was loaded. Pure. */
export function isNewer(
  file: { mtimeNs: bigint; ctimeNs: bigint },
  startTicks: number,
  bootTimeNs: bigint,
): boolean {
  const began = bootTimeNs + (BigInt(startTicks) + TOLERANCE_TICKS) * NS_PER_TICK;
  return file.mtimeNs > began || file.ctimeNs > began;
}

function checkOptions(options: readonly string[], allowed: readonly string[]): void {
  const other = options.find((option) => !allowed.includes(option));
  if (other !== undefined)
    throw new Refusal("loader_forbidden", `interpreter option ${optionName(other)}`);
}

/**
 * Measures the script that an interpreter's command line names. None where a manifest stands for it and the code
 * does not come from a script file.
 * @param args the command line, the program's name first
 * @param judge on what the measurement rests
 * @throws Refusal `script_unmeasurable`, `loader_forbidden`, `program_changed`, `process_gone`, `process_unreadable`
 */
export async function measureScript(
  kind: Interpreter,
  process: { pid: number; startTime: number },
  args: readonly string[],
  entry: { interpreterOptions: readonly string[]; hasManifest: boolean },
  judge: JudgeBasis,
): Promise<readonly ScriptFact[]> {
  const line = readCommandLine(kind, args);
  checkOptions(line.options, entry.interpreterOptions);
  if (line.says === "elsewhere") {
    if (!entry.hasManifest) throw new Refusal("script_unmeasurable", `${kind.name}: ${line.why}`);
    checkOptions(line.code === undefined ? [] : [line.code], entry.interpreterOptions);
    return [];
  }
  if (line.path.includes("\ufffd"))
    throw new Refusal("script_unmeasurable", "the script's path is not UTF-8");
  const path = await pathSeen(process.pid, line.path, "script_unmeasurable");
  const handle = await openSeen(process.pid, path, "script_unmeasurable");
  try {
    const { d, stats } = await measure(handle);
    if (isNewer(stats, process.startTime, linux().bootTimeNs()))
      throw new Refusal("program_changed", "the script changed after the process began");
    const basis = await judge({ named: line.path, handle, stats });
    return [{ path: posix.normalize(path), d, basis }];
  } finally {
    await handle.close();
  }
}
