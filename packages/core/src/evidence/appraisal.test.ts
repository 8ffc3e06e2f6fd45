import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import { base64url } from "../bytes.ts";
import type { Digest } from "../crypto.ts";
import { appraise } from "./appraisal.ts";
import type { Appraisal, EntryForAppraisal } from "./appraisal.ts";
import { TRUST_CLAIMS } from "./ar4si.ts";
import { measurementsOf } from "./eat.ts";
import type { EvidenceClaims } from "./eat.ts";
import type { AgentSubmod, HostFacts, ProcessFacts } from "./facts.ts";
import { isInterpreterPath, POSTURE_ROWS } from "./posture.ts";
import type { AppraisalPolicy } from "./posture.ts";

const d = (n: number): Digest => `sha-256:${base64url(new Uint8Array(32).fill(n))}`;
const PROXY_UID = 900;

/** Nothing to complain about, not even under `hardened`. */
const proc: ProcessFacts = {
  pid: 4711,
  start: 1,
  uid: 1001,
  gid: 1001,
  groups: [],
  exe: { path: "/usr/bin/node", d: d(1), dev: "8:1", ino: 1 },
  args: [{ path: "/app/agent.mjs", d: d(2), basis: "image" }],
  no_new_privs: true,
  seccomp: 2,
  caps_eff: "0000000000000000",
  ptraced: false,
  container: { rt: "containerd", id: "x", image: d(3), ro: true },
  parents: [],
  key: { store: "tpm", exportable: false },
};

interface Case {
  /** Facts that the host could not tell. */
  readonly without?: readonly (keyof ProcessFacts)[];
  readonly proc?: Partial<ProcessFacts>;
  readonly agent?: Partial<AgentSubmod>;
  readonly os?: Partial<HostFacts>;
  readonly entry?: Partial<EntryForAppraisal>;
  readonly policy?: AppraisalPolicy;
  readonly proxyUid?: number | "unknown";
  /** Digests that are reference values; default: all that was measured. */
  readonly references?: readonly Digest[];
}

function run(change: Case): Appraisal {
  const told = Object.entries({ ...proc, ...change.proc }).filter(
    ([name]) => !change.without?.some((left) => left === name),
  );
  const evidence: EvidenceClaims = {
    eatNonce: "AAAAAAAA",
    aud: "https://id.example.org",
    iat: 1,
    key: generateSigner().key,
    req: d(9),
    submods: {
      host: { countersign_os: { kernel: "6.1", lsm: ["apparmor"], ...change.os } },
      agent: {
        countersign_proc: Object.fromEntries(told) as unknown as ProcessFacts,
        ...change.agent,
      },
    },
  };
  const measured = measurementsOf(evidence).map((measurement) => measurement.d);
  const entry = { facts: [], pins: [], insecureSameUid: false, uid: 1001, ...change.entry };
  const references = new Set(change.references ?? measured);
  const proxyUid = change.proxyUid === "unknown" ? undefined : (change.proxyUid ?? PROXY_UID);
  return appraise(evidence, entry, references, change.policy ?? "standard", proxyUid);
}

/** A submod's claim and the value that the case must give it, or the verdict only. */
type Want = readonly [verdict: string, claim?: string, value?: number | undefined];

const seccomp = "agent.countersign_proc.seccomp";
const root = { proc: { uid: 0 }, entry: { uid: 0 } } as const;
const manifest = (
  n: "prompt" | "tools" | "model" | "manifest",
  basis: "image" | "argv" = "image",
): Partial<AgentSubmod> => ({
  countersign_manifest: [{ n, d: d(7), basis }],
});
const withoutManifest = [d(1), d(2), d(3)];

const CASES: readonly (readonly [string, Case, Want])[] = [
  ["the approved agent", {}, ["ok", "agent.executables", -2]],
  ["the approved agent, identity", {}, ["ok", "host.instance-identity", 2]],
  ["the approved agent, host", {}, ["ok", "host.configuration", 2]],
  ["the approved agent, configuration", {}, ["ok", "agent.configuration", 2]],
  ["the approved agent, file system", {}, ["ok", "agent.file-system", 2]],
  ["the approved agent, key", {}, ["ok", "agent.storage-opaque", 2]],
  ["the approved agent, hardened", { policy: "hardened" }, ["ok"]],
  [
    "pins for references",
    { references: [], entry: { pins: withoutManifest } },
    ["ok", "agent.executables", -2],
  ],

  ["root", root, ["posture_refused", "agent.configuration", 96]],
  ["root on a laptop", { ...root, policy: "laptop" }, ["ok", "agent.configuration", 36]],
  [
    "root that the entry tolerates",
    { ...root, entry: { uid: 0, insecureSameUid: true } },
    ["ok", "agent.configuration", 36],
  ],
  [
    "root tolerated, hardened",
    { ...root, entry: { uid: 0, insecureSameUid: true }, policy: "hardened" },
    ["posture_refused"],
  ],
  ["the proxy's uid", { proxyUid: 1001 }, ["posture_refused", "agent.configuration", 96]],
  [
    "the proxy's uid on a laptop",
    { proxyUid: 1001, policy: "laptop" },
    ["ok", "agent.configuration", 36],
  ],
  ["an unknown uid of the proxy", { proxyUid: "unknown" }, ["ok", "agent.configuration", 36]],
  [
    "an unknown uid of the proxy, hardened",
    { proxyUid: "unknown", policy: "hardened" },
    ["posture_refused"],
  ],
  [
    "another uid than the entry's",
    { proc: { uid: 1002 } },
    ["peer_unexpected", "agent.configuration", 96],
  ],
  ["another uid on a laptop", { proc: { uid: 1002 }, policy: "laptop" }, ["peer_unexpected"]],
  ["a traced process", { proc: { ptraced: true } }, ["posture_refused", "agent.configuration", 96]],
  [
    "a traced process on a laptop",
    { proc: { ptraced: true }, policy: "laptop" },
    ["posture_refused"],
  ],
  ["no seccomp", { proc: { seccomp: 0 } }, ["ok", "agent.configuration", 36]],
  ["no seccomp, hardened", { proc: { seccomp: 0 }, policy: "hardened" }, ["posture_refused"]],
  [
    "no seccomp where demanded",
    { proc: { seccomp: 0 }, entry: { facts: [seccomp] } },
    ["posture_refused", "agent.configuration", 96],
  ],
  ["seccomp where demanded", { entry: { facts: [seccomp] } }, ["ok", "agent.configuration", 2]],
  ["new privileges", { proc: { no_new_privs: false } }, ["ok", "agent.configuration", 36]],
  [
    "new privileges where forbidden",
    { proc: { no_new_privs: false }, entry: { facts: ["agent.countersign_proc.no_new_privs"] } },
    ["posture_refused", "agent.configuration", 96],
  ],
  ["CAP_SYS_ADMIN", { proc: { caps_eff: "0000000000200000" } }, ["ok", "agent.configuration", 36]],
  [
    "CAP_SYS_ADMIN where forbidden",
    {
      proc: { caps_eff: "0000000000200000" },
      entry: { facts: ["agent.countersign_proc.caps_eff"] },
    },
    ["posture_refused", "agent.configuration", 96],
  ],
  [
    "CAP_NET_BIND_SERVICE",
    { proc: { caps_eff: "0000000000000400" } },
    ["ok", "agent.configuration", 2],
  ],
  ["seccomp that nobody told", { without: ["seccomp"] }, ["ok", "agent.configuration", 36]],
  ["privileges that nobody told", { without: ["no_new_privs"] }, ["ok", "agent.configuration", 36]],
  ["capabilities that nobody told", { without: ["caps_eff"] }, ["ok", "agent.configuration", 36]],
  [
    "seccomp that nobody told, demanded",
    { without: ["seccomp"], entry: { facts: [seccomp] } },
    ["facts_missing"],
  ],
  ["no container", { without: ["container"] }, ["ok", "agent.file-system", undefined]],
  ["no LSM", { os: { lsm: [] } }, ["ok", "host.configuration", 36]],
  [
    "no LSM where demanded",
    { os: { lsm: [] }, entry: { facts: ["host.countersign_os.lsm"] } },
    ["posture_refused", "host.configuration", 96],
  ],

  [
    "an absent fact that is demanded",
    { entry: { facts: ["agent.countersign_proc.unit"] } },
    ["facts_missing"],
  ],
  [
    "an unknown fact that is demanded",
    { entry: { facts: ["agent.constructor"] } },
    ["facts_missing"],
  ],
  [
    "a TPM that is demanded",
    { entry: { facts: ["tpm.countersign_tpm.quote"] } },
    ["facts_missing", "host.hardware", 97],
  ],

  ["an unknown binary", { references: [d(2), d(3)] }, ["unrecognised", "agent.executables", 33]],
  ["an unknown script", { references: [d(1), d(3)] }, ["unrecognised", "agent.executables", 33]],
  ["an unknown image", { references: [d(1), d(2)] }, ["unrecognised", "agent.executables", 33]],
  [
    "an unknown manifest",
    { agent: manifest("manifest"), references: withoutManifest },
    ["unrecognised", "agent.executables", 33],
  ],
  [
    "an unknown model",
    { agent: manifest("model"), references: withoutManifest },
    ["unrecognised", "agent.executables", 33],
  ],
  [
    "an unknown prompt",
    { agent: manifest("prompt"), references: withoutManifest },
    ["unrecognised", "agent.configuration", 36],
  ],
  [
    "unknown tools",
    { agent: manifest("tools"), references: withoutManifest },
    ["unrecognised", "agent.configuration", 36],
  ],
  [
    "an unknown program, hardened",
    { references: [], policy: "hardened" },
    ["unrecognised", "agent.executables", 33],
  ],
  ["an unknown program run by root", { ...root, references: [] }, ["posture_refused"]],
  [
    "a stated model that is known",
    { agent: { ai_model_hash: { alg: "SHA-256", hash: d(1).slice(8) } } },
    ["ok"],
  ],
  [
    "a stated model that is not",
    { agent: { ai_model_hash: { alg: "SHA-256", hash: d(7).slice(8) } } },
    ["measurement_unknown", "agent.executables", 33],
  ],
  [
    "a model elsewhere",
    { agent: { ai_model_id: "urn:example:m" } },
    ["ok", "agent.sourced-data", 32],
  ],
  [
    "a model elsewhere, hardened",
    { agent: { ai_model_id: "urn:example:m" }, policy: "hardened" },
    ["posture_refused"],
  ],
  [
    "APIs that the deployer allows",
    { agent: { allowed_apis: ["https://x.example"] } },
    ["ok", "agent.configuration", 2],
  ],

  [
    "an interpreter without script",
    { proc: { args: [] } },
    ["script_unmeasurable", "agent.executables", 33],
  ],
  [
    "an interpreter with a manifest",
    { proc: { args: [] }, agent: manifest("manifest") },
    ["ok", "agent.executables", -2],
  ],
  [
    "a program of its own",
    { proc: { args: [], exe: { ...proc.exe, path: "/app/agent" } } },
    ["ok", "agent.executables", -2],
  ],
  [
    "mappings of no known file",
    { proc: { maps: { n: 9, unknown: 1 } } },
    ["posture_refused", "agent.executables", 33],
  ],
  [
    "mappings of known files",
    { proc: { maps: { n: 9, unknown: 0 } } },
    ["ok", "agent.executables", -2],
  ],
  [
    "a script as the program states",
    { proc: { args: [{ path: "a", d: d(2), basis: "argv" }] } },
    ["ok", "agent.executables", 32],
  ],
  [
    "the same, hardened",
    { proc: { args: [{ path: "a", d: d(2), basis: "argv" }] }, policy: "hardened" },
    ["posture_refused"],
  ],
  [
    "a script of the unit",
    { proc: { args: [{ path: "a", d: d(2), basis: "unit" }] }, policy: "hardened" },
    ["ok", "agent.executables", -2],
  ],
  [
    "a manifest as the program states",
    { agent: manifest("tools", "argv") },
    ["ok", "agent.executables", 32],
  ],
  [
    "a root that can be written",
    { proc: { container: { rt: "x", id: "y", image: d(3), ro: false } } },
    ["ok", "agent.file-system", 32],
  ],
  [
    "an unknown read-only image",
    { references: [d(1), d(2)] },
    ["unrecognised", "agent.file-system", undefined],
  ],
  [
    "a key in memory",
    { proc: { key: { store: "proxy", exportable: false } } },
    ["ok", "agent.storage-opaque", 32],
  ],
  [
    "a key in memory, hardened",
    { proc: { key: { store: "proxy", exportable: false } }, policy: "hardened" },
    ["posture_refused", "agent.storage-opaque", 32],
  ],
  [
    "a key in a file",
    { proc: { key: { store: "file", exportable: true } } },
    ["ok", "agent.storage-opaque", 32],
  ],
  [
    "a key in a file where forbidden",
    {
      proc: { key: { store: "file", exportable: true } },
      entry: { facts: ["agent.countersign_proc.key.store"] },
    },
    ["posture_refused", "agent.storage-opaque", 96],
  ],
  [
    "a key of the agent's own",
    { proc: { key: { store: "agent", exportable: true } }, entry: { custody: "agent" } },
    ["ok", "agent.storage-opaque", 32],
  ],
  [
    "a key of the agent's own where a place is demanded",
    {
      proc: { key: { store: "agent", exportable: true } },
      entry: { custody: "agent", facts: ["agent.countersign_proc.key.store"] },
    },
    ["posture_refused", "agent.storage-opaque", 96],
  ],
  [
    "a key of the agent's own where the proxy holds it",
    { proc: { key: { store: "agent", exportable: true } } },
    ["custody_mismatch", "agent.storage-opaque", 96],
  ],
  [
    "a key of the proxy's where the agent holds it",
    { proc: { key: { store: "proxy", exportable: false } }, entry: { custody: "agent" } },
    ["custody_mismatch", "agent.storage-opaque", 96],
  ],
];

describe("appraise", () => {
  it.each(CASES)("judges %s", (_, change, [verdict, where, value]) => {
    const appraisal = run(change);
    expect(appraisal.refusal ?? appraisal.verdict).toBe(verdict);
    if (where === undefined) return;
    const [submod, name] = where.split(".");
    const result = submod === "host" ? appraisal.host : appraisal.agent;
    const claim = TRUST_CLAIMS.find((candidate) => candidate === name);
    expect(claim).toBeDefined();
    if (claim !== undefined) expect(result.ear_trustworthiness_vector[claim]).toBe(value);
  });

  it("reaches every row", () => {
    const reasons = new Set(
      CASES.map(([, change]) => run(change)).flatMap(({ warnings, reasons: why }) => [
        ...warnings,
        ...why,
      ]),
    );
    const silent = POSTURE_ROWS.filter(({ value }) => value === 2 || value === -2 || value === 97);
    const unreached = POSTURE_ROWS.filter(
      (row) => !silent.includes(row) && !reasons.has(row.reason),
    );
    expect(unreached.map(({ reason }) => reason)).toEqual([]);
  });

  it("says the status of the worst claim and the policy applied", () => {
    const { agent, host } = run({ proc: { seccomp: 0 }, policy: "laptop" });
    expect(agent.ear_status).toBe("warning");
    expect(host.ear_status).toBe("affirming");
    expect(agent.ear_appraisal_policy_ids).toEqual([
      "tag:countersign.example,2026:appraisal/laptop#1",
    ]);
    expect(run(root).agent.ear_status).toBe("contraindicated");
  });

  it("keeps warnings apart from reasons", () => {
    const ok = run({ proc: { seccomp: 0 } });
    expect(ok.warnings).toEqual(["no seccomp filter"]);
    expect(ok.reasons).toEqual([]);
    const asked = run({ proc: { seccomp: 0 }, references: [d(1), d(3)] });
    expect(asked.warnings).toEqual(["no seccomp filter"]);
    expect(asked.reasons).toEqual(["script is not among the reference values"]);
    expect(asked.recognised).toBe(false);
    expect(ok.recognised).toBe(true);
  });
});

describe("interpreters by name", () => {
  it.each([
    ["/usr/bin/node", true],
    ["/usr/bin/python3.11", true],
    ["/opt/venv/bin/python", true],
    ["/bin/bash", true],
    ["/bin/busybox", true],
    ["/lib64/ld-linux-x86-64.so.2", true],
    ["/usr/bin/perl5.36.0", true],
    ["/usr/bin/node_exporter", false],
    ["/usr/bin/shutdown", false],
    ["/app/mailer", false],
    ["/opt/node/app", false],
  ])("%s: %s", (path, is) => {
    expect(isInterpreterPath(path)).toBe(is);
  });
});
