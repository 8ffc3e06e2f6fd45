import type { Digest } from "../crypto.ts";
import type { RefusalCode } from "../refusal.ts";
import type { TrustClaim } from "./ar4si.ts";
import type { AgentSubmod, HostSubmod } from "./facts.ts";
import type { MeasurementName } from "./eat.ts";

export type AppraisalPolicy = "standard" | "laptop" | "hardened";

/** Everything that a row may look at. */
export interface Posture {
  readonly host: HostSubmod;
  readonly agent: AgentSubmod;
  readonly measured: ReadonlyMap<MeasurementName, Digest>;
  readonly isReference: (d: Digest) => boolean;
  readonly entryUid: number;
  /** Who holds the key, as the entry says; absent: the proxy. */
  readonly custody: "agent" | undefined;
  /** Whether sharing the uid of the proxy, or being root, is let pass with a warning. */
  readonly sameUidTolerated: boolean;
  readonly proxyUid: number | undefined;
  /** Whether the entry demands a fact: then it must be there, and good. */
  readonly demands: (path: string) => boolean;
}

/** One row of the mapping from facts to AR4SI values: where `holds`, the claim gets the value for that reason. */
export interface PostureRow {
  readonly submod: "host" | "agent";
  readonly claim: TrustClaim;
  readonly value: number;
  readonly reason: string;
  readonly holds: (p: Posture) => boolean;
  /** `unrecognised`: the owner may accept it. A code: no approval helps, it is refused for this. */
  readonly then?: "unrecognised" | RefusalCode;
}

/**
 * Programs that run code which their own digest does not cover, by file name. A second wall only: the proxy, which
 * also knows them by digest and reads their command lines, refuses first.
 */
const INTERPRETER =
  /^(node(js)?|bunx?|deno|j?ruby|truffleruby|perl|php(-cgi)?|lua(jit)?|java|dotnet|tclsh|wish|expect|python|pypy|([kz]|ba|da|a|mk|pdk|fi)?sh|busybox|toybox|ld[\w.-]{0,64}\.so)[0-9.-]*[tdw]?$/;

/** Whether a program of this path runs code that its executable's digest does not cover. */
export function isInterpreterPath(path: string): boolean {
  return INTERPRETER.test(path.slice(path.lastIndexOf("/") + 1));
}

/** SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN: each of them reaches every other process of the host. */
const HOST_REACHING_CAPS = (1n << 16n) | (1n << 17n) | (1n << 19n) | (1n << 21n);

const PROC = "agent.countersign_proc";
const proc = (p: Posture): AgentSubmod["countersign_proc"] => p.agent.countersign_proc;
const isUnknown = (p: Posture, n: MeasurementName): boolean => {
  const d = p.measured.get(n);
  return d !== undefined && !p.isReference(d);
};
const reachesHost = (p: Posture): boolean =>
  (BigInt(`0x${proc(p).caps_eff ?? "0"}`) & HOST_REACHING_CAPS) !== 0n;
const lacksLsm = (p: Posture): boolean => (p.host.countersign_os.lsm ?? []).length === 0;
const isBasis = (p: Posture, basis: string): boolean =>
  [...proc(p).args.slice(0, 1), ...(p.agent.countersign_manifest ?? [])].some(
    (file) => file.basis === basis,
  );

/** A posture that warns, and contradicts where the entry demands the fact. */
function weakness(row: Omit<PostureRow, "value">, path: string): readonly [PostureRow, PostureRow] {
  return [
    { ...row, value: 96, holds: (p) => row.holds(p) && p.demands(path) },
    { ...row, value: 36, holds: (p) => row.holds(p) && !p.demands(path) },
  ];
}

/** A uid that can read the proxy's keys: contradicts, or warns where that is tolerated. */
function sharedUid(reason: string, holds: (p: Posture) => boolean): readonly PostureRow[] {
  const row = { submod: "agent", claim: "configuration", reason } as const;
  return [
    { ...row, value: 96, holds: (p) => holds(p) && !p.sameUidTolerated },
    { ...row, value: 36, holds: (p) => holds(p) && p.sameUidTolerated },
  ];
}

function unapproved(n: MeasurementName, claim: TrustClaim, value: number): PostureRow {
  return {
    submod: "agent",
    claim,
    value,
    reason: `${n} is not among the reference values`,
    holds: (p) => isUnknown(p, n),
    then: "unrecognised",
  };
}

const always = (): boolean => true;

/**
 * AR4SI values of process facts (AR4SI section 2.3, DESIGN 7). Of the rows of one claim that hold, the worst one
 * gives the value; a claim of which no row holds is left out. Not here, because nothing measures them yet: TPM and
 * boot values (executables 2, hardware 2), deny-lists (executables 96) and known flaws (configuration 32).
 */
export const POSTURE_ROWS: readonly PostureRow[] = [
  {
    submod: "host",
    claim: "instance-identity",
    value: 2,
    reason: "signed by an enrolled proxy",
    holds: always,
  },
  {
    submod: "host",
    claim: "hardware",
    value: 97,
    reason: "the entry demands a TPM and there is no evidence of one",
    holds: (p) => p.demands("tpm"),
  },
  { submod: "host", claim: "configuration", value: 2, reason: "as approved", holds: always },
  ...weakness(
    {
      submod: "host",
      claim: "configuration",
      reason: "no Linux security module is active",
      holds: lacksLsm,
    },
    "host.countersign_os.lsm",
  ),

  { submod: "agent", claim: "configuration", value: 2, reason: "as approved", holds: always },
  {
    submod: "agent",
    claim: "configuration",
    value: 96,
    reason: "another process traces it",
    holds: (p) => proc(p).ptraced,
  },
  {
    submod: "agent",
    claim: "configuration",
    value: 96,
    reason: "it runs as another uid than its entry says",
    holds: (p) => proc(p).uid !== p.entryUid,
    then: "peer_unexpected",
  },
  ...sharedUid("it runs as root", (p) => proc(p).uid === 0),
  ...sharedUid("it shares the uid of the proxy", (p) => proc(p).uid === p.proxyUid),
  {
    submod: "agent",
    claim: "configuration",
    value: 36,
    reason: "the uid of the proxy is not known",
    holds: (p) => p.proxyUid === undefined,
  },
  ...weakness(
    {
      submod: "agent",
      claim: "configuration",
      reason: "no seccomp filter",
      holds: (p) => (proc(p).seccomp ?? 0) === 0,
    },
    `${PROC}.seccomp`,
  ),
  ...weakness(
    {
      submod: "agent",
      claim: "configuration",
      reason: "no_new_privs is not set",
      holds: (p) => proc(p).no_new_privs !== true,
    },
    `${PROC}.no_new_privs`,
  ),
  ...weakness(
    {
      submod: "agent",
      claim: "configuration",
      reason: "its capabilities reach the whole host",
      holds: reachesHost,
    },
    `${PROC}.caps_eff`,
  ),
  {
    submod: "agent",
    claim: "configuration",
    value: 36,
    reason: "its capabilities are not known",
    holds: (p) => proc(p).caps_eff === undefined,
  },
  unapproved("prompt", "configuration", 36),
  unapproved("tools", "configuration", 36),

  {
    submod: "agent",
    claim: "executables",
    value: -2,
    reason: "approved; the boot is not measured",
    holds: always,
  },
  unapproved("binary", "executables", 33),
  unapproved("script", "executables", 33),
  unapproved("image", "executables", 33),
  unapproved("manifest", "executables", 33),
  unapproved("model", "executables", 33),
  {
    submod: "agent",
    claim: "executables",
    value: 33,
    reason: "the stated model is not among the reference values",
    holds: (p) => {
      const stated = p.agent.ai_model_hash;
      return (
        stated !== undefined &&
        !(stated.alg === "SHA-256" && p.isReference(`sha-256:${stated.hash}`))
      );
    },
    then: "measurement_unknown",
  },
  {
    submod: "agent",
    claim: "executables",
    value: 33,
    reason: "an interpreter whose script or manifest was not measured",
    holds: (p) =>
      isInterpreterPath(proc(p).exe.path) &&
      !p.measured.has("script") &&
      !p.measured.has("manifest"),
    then: "script_unmeasurable",
  },
  {
    submod: "agent",
    claim: "executables",
    value: 33,
    reason: "it runs code that belongs to no known file",
    holds: (p) => (proc(p).maps?.unknown ?? 0) > 0,
    then: "posture_refused",
  },
  {
    submod: "agent",
    claim: "executables",
    value: 32,
    reason: "a script or manifest is the one that the program states",
    holds: (p) => isBasis(p, "argv"),
  },

  {
    submod: "agent",
    claim: "file-system",
    value: 2,
    reason: "a read-only image that is approved",
    holds: (p) => proc(p).container?.ro === true && !isUnknown(p, "image"),
  },
  {
    submod: "agent",
    claim: "file-system",
    value: 32,
    reason: "its root file system can be written",
    holds: (p) => proc(p).container?.ro === false,
  },

  {
    submod: "agent",
    claim: "storage-opaque",
    value: 2,
    reason: "the key is in a TPM",
    holds: (p) => proc(p).key.store === "tpm",
  },
  {
    submod: "agent",
    claim: "storage-opaque",
    value: 32,
    reason: "the key is in software",
    holds: (p) => proc(p).key.store === "proxy" || proc(p).key.store === "file",
  },
  {
    submod: "agent",
    claim: "storage-opaque",
    value: 32,
    reason: "the agent holds the key itself: where is not known",
    holds: (p) => proc(p).key.store === "agent",
  },
  {
    submod: "agent",
    claim: "storage-opaque",
    value: 96,
    reason: "the key is not held by the side that the entry names",
    holds: (p) => (proc(p).key.store === "agent") !== (p.custody === "agent"),
    then: "custody_mismatch",
  },
  {
    submod: "agent",
    claim: "storage-opaque",
    value: 96,
    reason: "nobody can say that the agent's key lies in no file, against the entry",
    holds: (p) => proc(p).key.store === "agent" && p.demands(`${PROC}.key`),
  },
  {
    submod: "agent",
    claim: "storage-opaque",
    value: 96,
    reason: "the key lies in a file, against the entry",
    holds: (p) => proc(p).key.store === "file" && p.demands(`${PROC}.key`),
  },

  {
    submod: "agent",
    claim: "sourced-data",
    value: 32,
    reason: "a model elsewhere that nobody attests",
    holds: (p) =>
      p.agent.ai_model_id !== undefined &&
      p.agent.ai_model_hash === undefined &&
      !p.measured.has("model"),
  },
];
