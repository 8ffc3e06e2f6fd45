import { Refusal } from "@countersign/core";

/** What `/proc/PID/stat` says that we need (proc_pid_stat(5)). */
export interface ProcStat {
  readonly parent: number;
  readonly startTime: number;
  /** Addresses that every exec draws anew; "0 0" where we may not look into the process. */
  readonly layout: string;
}

/** What `/proc/PID/status` says that we need (proc_pid_status(5)). */
export interface ProcStatus {
  /** Real, effective, saved, file system. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly tracer: number;
  readonly noNewPrivs: boolean;
  readonly seccomp: number;
  readonly capsEff: string;
  /** What may be made effective at any time. */
  readonly capsPermitted: bigint;
}

/** Supplementary groups reported; the kernel allows 65536. */
const MAX_GROUPS = 256;

/** @throws Refusal `process_gone` when the text is not a whole stat line */
export function parseStat(text: string): ProcStat {
  // the name of the program stands in brackets and may hold brackets, spaces and newlines itself
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const parent = Number(fields[1]);
  const startTime = Number(fields[19]);
  if (!text.includes(")") || !Number.isSafeInteger(parent) || !Number.isSafeInteger(startTime))
    throw new Refusal("process_gone", "stat is not readable");
  return { parent, startTime, layout: `${fields[23] ?? 0} ${fields[25] ?? 0}` };
}

/** @throws Refusal `process_gone` when a line is missing */
export function parseStatus(text: string): ProcStatus {
  const lines = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    // the first one counts: the name of the program is the first line, escaped by the kernel
    if (colon > 0 && !lines.has(name)) lines.set(name, line.slice(colon + 1).trim());
  }
  const text1 = (name: string): string => {
    const value = lines.get(name);
    if (value === undefined) throw new Refusal("process_gone", `status has no ${name}`);
    return value;
  };
  const numbers = (name: string): number[] =>
    text1(name)
      .split(/\s+/)
      .filter((word) => /^[0-9]+$/.test(word))
      .map(Number);
  const permitted = text1("CapPrm");
  if (!/^[0-9a-f]{16}$/.test(permitted))
    throw new Refusal("process_gone", "capabilities are not readable");
  const [seccomp = 0] = lines.has("Seccomp") ? numbers("Seccomp") : []; // a kernel built without it
  return {
    uids: numbers("Uid"),
    gids: numbers("Gid"),
    groups: numbers("Groups").slice(0, MAX_GROUPS),
    tracer: numbers("TracerPid")[0] ?? -1,
    noNewPrivs: text1("NoNewPrivs") === "1",
    seccomp,
    capsEff: text1("CapEff"),
    capsPermitted: BigInt(`0x${permitted}`),
  };
}

/** The number in `mnt:[4026531840]`. */
export function parseNamespace(link: string): number {
  const digits = /^[a-z_]+:\[([0-9]+)\]$/.exec(link)?.[1];
  if (digits === undefined) throw new Refusal("process_gone", "namespace is not readable");
  return Number(digits);
}

/** `major:minor` of a device number as stat(2) gives it. */
export function deviceName(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major}:${minor & 0xffffffffn}`;
}

/** The strings of a block in which each ends with NUL; a last one that was cut off is left out. */
export function splitNul(block: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (let at = block.indexOf(0); at >= 0; at = block.indexOf(0, from)) {
    parts.push(block.subarray(from, at));
    from = at + 1;
  }
  return parts;
}
