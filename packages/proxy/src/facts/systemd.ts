import { execFile } from "node:child_process";
import { bounded, fromUtf8, Members, parseJson, Refusal } from "@countersign/core";
import type { Bytes, Json } from "@countersign/core";

/** What the system manager says of one of its services. */
export interface UnitWord {
  readonly mainPid: number;
  /** Whether nobody but systemd can have said which process is the main one: a service may name another by notify. */
  readonly isMainPidOwn: boolean;
  readonly controlGroup: string;
  /** The file that it executes and its arguments, the program's name first. Absent unless it is one fixed command. */
  readonly command?: { readonly file: string; readonly argv: readonly string[] };
  /** Its unit file and drop-ins, and the files from which variables come. */
  readonly files: readonly string[];
}

/**
 * Asks systemd about the unit of a process. Undefined where there is no systemd, no such service, no answer in time or
 * one that does not read: then nothing rests on it. Never rejects, never retries. An answer that names the process as
 * the main one may be remembered while that process lives: it is about its start.
 */
export type AskUnit = (
  unit: string,
  process: { readonly pid: number; readonly startTime: number },
) => Promise<UnitWord | undefined>;

const NAME = "org.freedesktop.systemd1";
const SERVICE = [
  "MainPID",
  "Type",
  "NotifyAccess",
  "ControlGroup",
  "ExecStart",
  "EnvironmentFiles",
] as const;
const UNIT = ["Id", "FragmentPath", "DropInPaths"] as const;
const MAX_ANSWER_BYTES = 64 * 1024;
const ANSWER_SECONDS = 2;
const MAX_REMEMBERED = 256;
/** Types of which systemd knows the main process because it forked it. */
const FORKED = ["simple", "exec", "idle"];

/** The object of a unit: everything but letters and digits as `_` and two hexadecimal digits (sd_bus_path_encode(3)). */
export function objectPath(unit: string): string {
  const label = unit.replaceAll(
    /[^A-Za-z0-9]|^[0-9]/g,
    (one) => `_${one.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `/org/freedesktop/systemd1/unit/${label}`;
}

function unreadable(why: string): never {
  throw new Refusal("malformed_json", `systemd's answer: ${why}`);
}

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

/** One line for each property, in the order in which they were asked for: its D-Bus type and its value. */
function readLines<N extends string>(
  answer: Bytes,
  names: readonly N[],
  types: Readonly<Record<N, string>>,
): Readonly<Record<N, Json>> {
  const lines = fromUtf8(answer).trimEnd().split("\n");
  if (lines.length !== names.length) unreadable("another number of properties");
  const found = names.map((name, at) => {
    const line = parseJson(lines[at] ?? "", { maxBytes: MAX_ANSWER_BYTES, maxDepth: 6 });
    const members = new Members(line, "malformed_json", name);
    members.choice("type", [types[name]]);
    return [name, members.raw("data") ?? unreadable(`${name} has no value`)] as const;
  });
  return Object.fromEntries(found) as Record<N, Json>; // one for each name
}

function text(value: Json): string {
  return typeof value === "string" ? value : unreadable("no string");
}

function items(value: Json): readonly Json[] {
  return isList(value) ? value : unreadable("no list");
}

const texts = (value: Json): readonly string[] => items(value).map(text);

/** A service with several commands, or with variables that systemd fills in, has no command that it would vouch for. */
function commandOf(value: Json): UnitWord["command"] {
  const [only, ...more] = items(value);
  if (only === undefined || more.length > 0) return undefined;
  const [file = null, words = null] = items(only);
  const argv = texts(words);
  return argv.some((word) => word.includes("$")) ? undefined : { file: text(file), argv };
}

/**
 * Reads what `busctl --json=short get-property` prints of a service's properties and of its unit's. Pure.
 * @throws Refusal `malformed_json`, `too_large`
 */
export function readUnitWord(unit: string, ofService: Bytes, ofUnit: Bytes): UnitWord {
  const service = readLines(ofService, SERVICE, {
    MainPID: "u",
    Type: "s",
    NotifyAccess: "s",
    ControlGroup: "s",
    ExecStart: "a(sasbttttuii)",
    EnvironmentFiles: "a(sb)",
  });
  const about = readLines(ofUnit, UNIT, { Id: "s", FragmentPath: "s", DropInPaths: "as" });
  if (about.Id !== unit) unreadable("it is about another unit");
  const { MainPID: mainPid } = service;
  if (typeof mainPid !== "number") return unreadable("no process");
  const command = commandOf(service.ExecStart);
  return {
    mainPid,
    isMainPidOwn: FORKED.includes(text(service.Type)) && service.NotifyAccess === "none",
    controlGroup: text(service.ControlGroup),
    ...(command === undefined ? {} : { command }),
    files: [
      text(about.FragmentPath),
      ...texts(about.DropInPaths),
      ...items(service.EnvironmentFiles).map((file) => text(items(file)[0] ?? null)),
    ],
  };
}

/** Where busctl lies, and the bus if it is not the system's. */
export interface BusctlOptions {
  /** Default: /usr/bin/busctl, whatever the environment says. */
  readonly program?: string;
  readonly address?: string;
}

function properties(
  { program = "/usr/bin/busctl", address }: BusctlOptions,
  unit: string,
  kind: "Service" | "Unit",
  names: readonly string[],
): Promise<Bytes> {
  const bus = address === undefined ? "--system" : `--address=${address}`;
  const args = [bus, "--json=short", `--timeout=${ANSWER_SECONDS}`, "get-property", NAME];
  const limits = {
    env: {},
    timeout: (ANSWER_SECONDS + 1) * 1000,
    killSignal: "SIGKILL",
    maxBuffer: MAX_ANSWER_BYTES,
    encoding: "buffer",
  } as const;
  return new Promise((resolve, reject) => {
    execFile(
      program,
      [...args, objectPath(unit), `${NAME}.${kind}`, ...names],
      limits,
      (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(new Refusal("unreachable", "systemd was not asked"));
      },
    );
  });
}

/** Asks over the system's bus, whose name `org.freedesktop.systemd1` only the system manager may own. */
export function askByBusctl(options: BusctlOptions = {}): AskUnit {
  const remembered = bounded<UnitWord>(MAX_REMEMBERED);
  const ask = async (unit: string): Promise<UnitWord | undefined> => {
    try {
      const [ofService, ofUnit] = await Promise.all([
        properties(options, unit, "Service", SERVICE),
        properties(options, unit, "Unit", UNIT),
      ]);
      return readUnitWord(unit, ofService, ofUnit);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  };
  return async (unit, { pid, startTime }) => {
    const name = `${pid}:${startTime}:${unit}`;
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const word = await ask(unit);
    if (word?.mainPid === pid) remembered.set(name, word);
    return word;
  };
}
