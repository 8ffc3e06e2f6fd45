import {
  appraise,
  base64url,
  EVIDENCE,
  EVIDENCE_PROFILE,
  open,
  seal,
  utf8,
} from "@countersign/core";
import type {
  AgentSubmod,
  Digest,
  EvidenceClaims,
  ProcessFacts,
  RefusalCode,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";

const proxy = generateSigner();
const agentKey = generateSigner();
const d = (n: number): Digest => `sha-256:${base64url(new Uint8Array(32).fill(n))}`;

const proc: ProcessFacts = {
  pid: 4711,
  start: 8_812_345,
  uid: 1001,
  gid: 1001,
  groups: [1001],
  exe: { path: "/usr/bin/node", d: d(1), dev: "8:1", ino: 393 },
  args: [{ path: "/opt/mailer/agent.mjs", d: d(2), basis: "argv" }],
  no_new_privs: true,
  seccomp: 2,
  caps_eff: "0000000000000000",
  ptraced: false,
  parents: [],
  key: { store: "proxy", exportable: false },
};

function evidence(agent: Partial<AgentSubmod> = {}): EvidenceClaims {
  return {
    eatNonce: "AAAAAAAAAAAAAAAAAAAAAA",
    aud: "https://id.example.org",
    iat: 1_795_430_000,
    key: agentKey.key,
    req: d(9),
    submods: {
      host: { countersign_os: { kernel: "6.1.0-28", lsm: ["apparmor"] } },
      agent: { countersign_proc: proc, ...agent },
    },
  };
}

const entry = { facts: [], pins: [d(1), d(2)], insecureSameUid: false, uid: 1001 };
const none: ReadonlySet<Digest> = new Set();

/** The payload of our evidence with some members changed, signed by the proxy. */
async function opened(change: object): Promise<unknown> {
  const payload = { ...EVIDENCE.write(evidence()), ...change };
  const header = base64url(utf8(JSON.stringify({ alg: "ES256", typ: "eat+jwt" })));
  const input = `${header}.${base64url(utf8(JSON.stringify(payload)))}`;
  const octets = `${input}.${base64url(await proxy.sign(utf8(input)))}`;
  return (await open(c, EVIDENCE, octets, [proxy.key])).claims;
}

describe("RFC 9711 (EAT), JSON", () => {
  it("what is written stands under its registered claim names", async () => {
    const { octets } = await seal(c, EVIDENCE, evidence(), proxy);
    const [, payload = ""] = octets.split(".");
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    expect(claims).toMatchObject({
      eat_profile: EVIDENCE_PROFILE,
      eat_nonce: "AAAAAAAAAAAAAAAAAAAAAA",
      cnf: { jwk: { kty: "EC", crv: "P-256", alg: "ES256" } },
      submods: { agent: { countersign_proc: { pid: 4711 } } },
    });
  });

  it.each<[string, object, RefusalCode]>([
    [
      "section 4.3.2: an unknown profile is not understood",
      { eat_profile: "urn:example:other" },
      "evidence_invalid",
    ],
    [
      "section 4.1: a nonce MUST be between 8 and 88 characters, 7",
      { eat_nonce: "AAAAAAA" },
      "evidence_invalid",
    ],
    [
      "section 4.1: a nonce MUST be between 8 and 88 characters, 89",
      { eat_nonce: "A".repeat(89) },
      "evidence_invalid",
    ],
    [
      "section 4.3.1: iat MUST NOT be a floating-point number",
      { iat: 1_795_430_000.25 },
      "evidence_invalid",
    ],
    ["section 4.2.7: swversion is an array", { swversion: "1.2.0" }, "evidence_invalid"],
  ])("%s", async (_, change, code) => {
    await expect(opened(change)).rejects.toMatchObject({ code });
  });

  it("claims that are not understood are ignored", async () => {
    expect(await opened({ oemid: "Av8B", hwversion: ["1.2.5", 16_384] })).toEqual(await opened({}));
  });
});

describe("draft-messous-eat-ai: digests by name only", () => {
  const bytes = (n: number): string => base64url(new Uint8Array(n));
  it.each([
    ["SHA-256", 32, "ok"],
    ["SHA-384", 48, "ok"],
    ["SHA-512", 64, "ok"],
    ["SHA-384", 32, "evidence_invalid"],
    ["SHA3-256", 32, "evidence_invalid"],
    ["sha-256", 32, "evidence_invalid"],
    [-44, 48, "evidence_invalid"],
  ])("I-15: %s of %i octets: %s", async (alg, size, outcome) => {
    const agent = { countersign_proc: proc, model_arch_digest: { alg, hash: bytes(size) } };
    const reading = opened({ submods: { host: evidence().submods.host, agent } });
    if (outcome === "ok") await expect(reading).resolves.toBeDefined();
    else await expect(reading).rejects.toMatchObject({ code: outcome });
  });

  it("I-15: an unknown model is not affirmed", () => {
    const stated = evidence({ ai_model_hash: { alg: "SHA-256", hash: d(7).slice(8) } });
    const appraisal = appraise(stated, entry, none, "standard", 900);
    expect(appraisal.agent.ear_trustworthiness_vector.executables).toBe(33);
    expect(appraisal.verdict).toBe("refuse");
  });

  it("I-15: what the deployer allows or owns changes nothing", () => {
    const words = { allowed_apis: ["https://x.example"], owner_id: "alice", capabilities: ["all"] };
    expect(appraise(evidence(words), entry, none, "standard", 900)).toEqual(
      appraise(evidence(), entry, none, "standard", 900),
    );
  });
});

describe("appraisal, DESIGN 7", () => {
  const scripted = (n: number): EvidenceClaims =>
    evidence({ countersign_proc: { ...proc, args: [{ path: "a", d: d(n), basis: "argv" }] } });

  it("I-10: a changed entry script under the same executable is not affirmed and asks", () => {
    const appraisal = appraise(scripted(3), entry, none, "standard", 900);
    expect(appraisal.agent.ear_trustworthiness_vector.executables).toBe(33);
    expect(appraisal.verdict).toBe("unrecognised");
    expect(appraisal.reasons).toEqual(["script is not among the reference values"]);
  });

  it("reference values are the entry's pins and the measurements of live grants", () => {
    expect(appraise(scripted(3), entry, new Set([d(3)]), "standard", 900).verdict).toBe("ok");
    expect(
      appraise(scripted(3), { ...entry, pins: [] }, new Set([d(3)]), "standard", 900).verdict,
    ).toBe("unrecognised");
  });

  it.each<[string, "standard" | "laptop" | "hardened", number, string]>([
    ["standard refuses the proxy's uid", "standard", 1001, "posture_refused"],
    ["laptop lets it pass with a warning", "laptop", 1001, "ok"],
    ["standard lets a basis argv pass with a warning", "standard", 900, "ok"],
    ["hardened refuses warnings and basis argv", "hardened", 900, "posture_refused"],
  ])("%s", (_, policy, proxyUid, outcome) => {
    const appraisal = appraise(evidence(), entry, none, policy, proxyUid);
    expect(appraisal.refusal ?? appraisal.verdict).toBe(outcome);
    expect(appraisal.agent.ear_trustworthiness_vector.executables).toBe(32);
  });

  it("a fact that the entry demands and that is absent refuses", () => {
    const demanding = { ...entry, facts: ["agent.countersign_proc.container.image"] };
    expect(appraise(evidence(), demanding, none, "standard", 900).refusal).toBe("facts_missing");
  });
});
