import type { Digest } from "../crypto.ts";
import type { Json } from "../json/strict.ts";
import type { Members } from "../json/read.ts";
import type { EatAiClaims } from "./eat-ai.ts";

/** Where a measurement of a file comes from: a read-only image, a unit file, or what the program states about itself. */
export type Basis = "image" | "unit" | "argv";

/** A file named on the command line of an interpreter, hashed by the proxy; the first is the entry script. */
export interface ScriptFact {
  readonly path: string;
  readonly d: Digest;
  readonly basis: Basis;
}

/**
 * `countersign_proc`: what the kernel says about the asking process. Members that a host may be unable to tell are
 * optional; an absent one lowers the appraisal and is never read as harmless.
 */
export interface ProcessFacts {
  readonly pid: number;
  /** Start time in clock ticks since boot. */
  readonly start: number;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly exe: {
    readonly path: string;
    readonly d: Digest;
    /** `major:minor` of the device. */
    readonly dev: string;
    readonly ino: number;
  };
  readonly args: readonly ScriptFact[];
  /** Executable mappings, and how many of them are of no known file. */
  readonly maps?: { readonly n: number; readonly unknown: number };
  readonly no_new_privs?: boolean;
  /** 0 off, 1 strict, 2 filter. */
  readonly seccomp?: number;
  /** Effective capabilities, 16 hexadecimal digits. */
  readonly caps_eff?: string;
  readonly ptraced: boolean;
  readonly cgroup?: string;
  /** Inode numbers of the namespaces. */
  readonly ns?: { readonly mnt: number; readonly pid: number; readonly user: number };
  readonly unit?: string;
  readonly container?: {
    readonly rt: string;
    readonly id: string;
    readonly image: Digest;
    readonly ro: boolean;
  };
  /** Nearest first; `exe` is absent where the proxy may not read it. */
  readonly parents: readonly { readonly pid: number; readonly exe?: Digest }[];
  /**
   * Where the credential's key is kept. `agent`: the process made it and keeps it, and nobody else can say how; so it
   * is never said to stay there.
   */
  readonly key: {
    readonly store: "tpm" | "proxy" | "file" | "agent";
    readonly exportable: boolean;
  };
}

/** `countersign_os`: the host, as the proxy sees it without a TPM. */
export interface HostFacts {
  readonly kernel: string;
  /** Digest of the machine id, never the id. */
  readonly machine_id?: Digest;
  readonly lsm?: readonly string[];
  readonly ptrace_scope?: number;
  readonly secure_boot?: boolean;
  readonly ima?: string;
}

/** One file of the manifest that the entry names. */
export interface ManifestFact {
  readonly n: "manifest" | "model" | "prompt" | "tools";
  readonly d: Digest;
  readonly basis: Basis;
}

/** The `agent` submodule, members named as on the wire. */
export interface AgentSubmod extends EatAiClaims {
  readonly countersign_proc: ProcessFacts;
  readonly countersign_manifest?: readonly ManifestFact[];
}

/** The `host` submodule. */
export interface HostSubmod {
  readonly countersign_os: HostFacts;
}

const MAX_ID = 0xffff_ffff;
const MAX_PATH = 4096;
const MAX_LIST = 256;
const BASES = ["image", "unit", "argv"] as const;

/** Leaves out members that are `undefined`, so that the result fits exact optional properties. */
export function present<T extends object>(
  members: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }; // exactly what the filter did
}

function ids(members: Members, name: string): readonly number[] {
  return members.list(
    name,
    (item) =>
      typeof item === "number" && Number.isSafeInteger(item) && item >= 0 && item <= MAX_ID
        ? item
        : members.fail(name, "holds something else"),
    MAX_LIST,
  );
}

function texts(members: Members, name: string): readonly string[] {
  return members.list(
    name,
    (item) =>
      typeof item === "string" && item.length <= 64
        ? item
        : members.fail(name, "holds something else"),
    16,
  );
}

type Sub = (item: Json) => Members;

function readScript(members: Members): ScriptFact {
  return {
    path: members.text("path", { maxLength: MAX_PATH }),
    d: members.digest("d"),
    basis: members.choice("basis", BASES),
  };
}

function readContainer(members: Members): NonNullable<ProcessFacts["container"]> {
  return {
    rt: members.text("rt", { maxLength: 64 }),
    id: members.text("id", { maxLength: 256 }),
    image: members.digest("image"),
    ro: members.flag("ro"),
  };
}

function readExe(members: Members): ProcessFacts["exe"] {
  return {
    path: members.text("path", { maxLength: MAX_PATH }),
    d: members.digest("d"),
    dev: members.text("dev", { pattern: /^[0-9]{1,10}:[0-9]{1,10}$/ }),
    ino: members.integer("ino"),
  };
}

/** Posture that a kernel or a right may withhold. */
function readPosture(m: Members): Partial<ProcessFacts> {
  const maps = m.optional("maps", (name) => m.object(name));
  const ns = m.optional("ns", (name) => m.object(name));
  const container = m.optional("container", (name) => m.object(name));
  return present({
    maps: maps && { n: maps.integer("n"), unknown: maps.integer("unknown") },
    no_new_privs: m.optional("no_new_privs", (name) => m.flag(name)),
    seccomp: m.optional("seccomp", (name) => m.integer(name, 0, 2)),
    caps_eff: m.optional("caps_eff", (name) => m.text(name, { pattern: /^[0-9a-f]{16}$/ })),
    cgroup: m.optional("cgroup", (name) => m.text(name, { maxLength: MAX_PATH })),
    ns: ns && { mnt: ns.integer("mnt"), pid: ns.integer("pid"), user: ns.integer("user") },
    unit: m.optional("unit", (name) => m.text(name, { maxLength: 256 })),
    container: container && readContainer(container),
  });
}

function readKey(members: Members): ProcessFacts["key"] {
  const store = members.choice("store", ["tpm", "proxy", "file", "agent"] as const);
  const exportable = members.flag("exportable");
  if (store === "agent" && !exportable)
    members.fail("exportable", "is more than can be known of an agent's key");
  return { store, exportable };
}

/** Reads `countersign_proc`; refuses with the code of `m`. `sub` wraps list items with that same code. */
export function readProcessFacts(m: Members, sub: Sub): ProcessFacts {
  return {
    pid: m.integer("pid", 1, MAX_ID),
    start: m.integer("start"),
    uid: m.integer("uid", 0, MAX_ID),
    gid: m.integer("gid", 0, MAX_ID),
    groups: ids(m, "groups"),
    exe: readExe(m.object("exe")),
    args: m.list("args", (item) => readScript(sub(item)), 16),
    ptraced: m.flag("ptraced"),
    ...readPosture(m),
    parents: m.list(
      "parents",
      (item) => {
        const parent = sub(item);
        const exe = parent.optional("exe", (name) => parent.digest(name));
        return { pid: parent.integer("pid", 0, MAX_ID), ...present({ exe }) };
      },
      64,
    ),
    key: readKey(m.object("key")),
  };
}

/** Reads `countersign_os`. */
export function readHostFacts(m: Members): HostFacts {
  return {
    kernel: m.text("kernel", { maxLength: 256 }),
    ...present({
      machine_id: m.optional("machine_id", (name) => m.digest(name)),
      lsm: m.optional("lsm", (name) => texts(m, name)),
      ptrace_scope: m.optional("ptrace_scope", (name) => m.integer(name, 0, 3)),
      secure_boot: m.optional("secure_boot", (name) => m.flag(name)),
      ima: m.optional("ima", (name) => m.text(name, { maxLength: 64 })),
    }),
  };
}

/** Reads one member of `countersign_manifest`. */
export function readManifestFact(m: Members): ManifestFact {
  return {
    n: m.choice("n", ["manifest", "model", "prompt", "tools"] as const),
    d: m.digest("d"),
    basis: m.choice("basis", BASES),
  };
}
