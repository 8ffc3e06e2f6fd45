import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64url, utf8 } from "../bytes.ts";
import type { Digest, Signer } from "../crypto.ts";
import { writeCompact } from "../jose/compact.ts";
import { open, seal } from "../jose/signed.ts";
import { Refusal } from "../refusal.ts";
import { EVIDENCE, EVIDENCE_PROFILE, measurementsOf } from "./eat.ts";
import type { EvidenceClaims } from "./eat.ts";

const proxy = generateSigner();
const agentKey = generateSigner();
const d = (n: number): Digest => `sha-256:${base64url(new Uint8Array(32).fill(n))}`;

const claims: EvidenceClaims = {
  eatNonce: "AAAAAAAAAAAAAAAAAAAAAA",
  aud: "https://id.example.org",
  iat: 1_795_430_000,
  key: agentKey.key,
  req: d(1),
  ueid: base64url(new Uint8Array(17).fill(1)),
  swname: "countersign-proxy",
  swversion: ["0.1.0", 16_384],
  bootseed: base64url(new Uint8Array(16)),
  run: { uid: 1001, since: 1_795_429_900 },
  submods: {
    host: {
      countersign_os: {
        kernel: "6.1.0-28",
        machine_id: d(2),
        lsm: ["apparmor"],
        ptrace_scope: 1,
        secure_boot: true,
        ima: "enforce",
      },
    },
    agent: {
      countersign_proc: {
        pid: 4711,
        start: 8_812_345,
        uid: 1001,
        gid: 1001,
        groups: [1001],
        exe: { path: "/usr/bin/node", d: d(3), dev: "8:1", ino: 393 },
        args: [{ path: "/opt/mailer/agent.mjs", d: d(4), basis: "image" }],
        maps: { n: 41, unknown: 0 },
        no_new_privs: true,
        seccomp: 2,
        caps_eff: "0000000000000000",
        ptraced: false,
        cgroup: "/system.slice/mailer.service",
        ns: { mnt: 4_026_532_001, pid: 4_026_531_836, user: 4_026_531_837 },
        unit: "mailer.service",
        container: { rt: "containerd", id: "abc", image: d(5), ro: true },
        parents: [{ pid: 1, exe: d(6) }, { pid: 2 }],
        key: { store: "proxy", exportable: false },
      },
      countersign_manifest: [
        { n: "tools", d: d(8), basis: "image" },
        { n: "prompt", d: d(7), basis: "image" },
      ],
      ai_model_id: "urn:uuid:d0e5",
      input_policy_digest: { alg: "SHA-256", hash: d(9).slice(8) },
      allowed_apis: ["https://api.example.com"],
    },
  },
};
const agent = claims.submods.agent;
const proc = agent.countersign_proc;

type Wire = Record<string, unknown>;
const wire = EVIDENCE.write(claims) as Wire;
const withAgent = (change: object): Wire => ({
  ...wire,
  submods: { ...claims.submods, agent: { ...agent, ...change } },
});
const withProc = (change: object): Wire => withAgent({ countersign_proc: { ...proc, ...change } });

async function sign(payload: string, by: Signer = proxy, header?: object): Promise<string> {
  const head = JSON.stringify(header ?? { alg: "ES256", typ: "eat+jwt" });
  const input = `${base64url(utf8(head))}.${base64url(utf8(payload))}`;
  return writeCompact(input, await by.sign(utf8(input)));
}

async function codeOf(octets: string): Promise<string> {
  try {
    await open(c, EVIDENCE, octets, [proxy.key]);
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

describe("evidence", () => {
  it("reads what it writes", async () => {
    const sealed = await seal(c, EVIDENCE, claims, proxy);
    expect(sealed.claims).toEqual(claims);
    expect((await open(c, EVIDENCE, sealed.octets, [proxy.key])).digest).toBe(sealed.digest);
  });

  it.each<[string, Wire, string]>([
    ["the evidence", wire, "ok"],
    ["claims that nobody knows", { ...withProc({ future: null }), zz: 1.5 }, "ok"],
    [
      "no optional claims",
      { ...wire, ueid: undefined, swname: undefined, swversion: undefined, bootseed: undefined },
      "ok",
    ],
    [
      "no optional facts",
      withProc({
        maps: undefined,
        no_new_privs: undefined,
        seccomp: undefined,
        caps_eff: undefined,
        cgroup: undefined,
        ns: undefined,
        unit: undefined,
        container: undefined,
      }),
      "ok",
    ],
    ["another profile", { ...wire, eat_profile: `${EVIDENCE_PROFILE}2` }, "evidence_invalid"],
    ["no profile", { ...wire, eat_profile: undefined }, "evidence_invalid"],
    ["a float for iat", { ...wire, iat: 1_795_430_000.5 }, "evidence_invalid"],
    ["a text for iat", { ...wire, iat: "1795430000" }, "evidence_invalid"],
    ["a nonce of seven characters", { ...wire, eat_nonce: "AAAAAAA" }, "evidence_invalid"],
    ["two nonces", { ...wire, eat_nonce: ["AAAAAAAA", "BBBBBBBB"] }, "evidence_invalid"],
    ["no audience", { ...wire, aud: undefined }, "evidence_invalid"],
    ["no run", { ...wire, countersign_run: undefined }, "ok"],
    [
      "a run of the superuser, of which it is not known when it began",
      { ...wire, countersign_run: { uid: 0, since: 0 } },
      "ok",
    ],
    ["a run of nobody", { ...wire, countersign_run: { since: 0 } }, "evidence_invalid"],
    [
      "a run of a user below 0",
      { ...wire, countersign_run: { uid: -1, since: 0 } },
      "evidence_invalid",
    ],
    ["a run with digits", { ...wire, countersign_run: { uid: 7, since: 1, digits: "07" } }, "ok"],
    [
      "a run with three digits",
      { ...wire, countersign_run: { uid: 7, since: 1, digits: "007" } },
      "evidence_invalid",
    ],
    [
      "a run with a number for its digits",
      { ...wire, countersign_run: { uid: 7, since: 1, digits: 42 } },
      "evidence_invalid",
    ],
    ["a run without its time", { ...wire, countersign_run: { uid: 0 } }, "evidence_invalid"],
    ["a bare req", { ...wire, req: d(1).slice(8) }, "evidence_invalid"],
    ["no key", { ...wire, cnf: {} }, "invalid_key"],
    ["a key without alg", { ...wire, cnf: { jwk: claims.key } }, "missing_confirmation_alg"],
    [
      "a private key",
      { ...wire, cnf: { jwk: { ...claims.key, alg: "ES256", d: "AA" } } },
      "invalid_key",
    ],
    [
      "an Ed25519 key",
      { ...wire, cnf: { jwk: { ...generateSigner("Ed25519").key, alg: "Ed25519" } } },
      "forbidden_confirmation_alg",
    ],
    [
      "a key off its curve",
      {
        ...wire,
        cnf: { jwk: { kty: "EC", crv: "P-256", x: d(1).slice(8), y: d(1).slice(8), alg: "ES256" } },
      },
      "invalid_key",
    ],
    ["a version that is a text", { ...wire, swversion: "0.1.0" }, "evidence_invalid"],
    ["a version of three parts", { ...wire, swversion: ["0.1.0", 1, 2] }, "evidence_invalid"],
    [
      "a version with a named scheme",
      { ...wire, swversion: ["0.1.0", "semver"] },
      "evidence_invalid",
    ],
    ["no submods", { ...wire, submods: undefined }, "evidence_invalid"],
    ["no host", { ...wire, submods: { agent } }, "evidence_invalid"],
    ["no process", withAgent({ countersign_proc: undefined }), "evidence_invalid"],
    ["a text for pid", withProc({ pid: "4711" }), "evidence_invalid"],
    ["pid 0", withProc({ pid: 0 }), "evidence_invalid"],
    ["a negative uid", withProc({ uid: -1 }), "evidence_invalid"],
    ["a uid of 33 bits", withProc({ uid: 2 ** 32 }), "evidence_invalid"],
    ["a null uid", withProc({ uid: null }), "evidence_invalid"],
    ["a group that is a name", withProc({ groups: ["wheel"] }), "evidence_invalid"],
    [
      "an executable without digest",
      withProc({ exe: { ...proc.exe, d: undefined } }),
      "evidence_invalid",
    ],
    [
      "a device that is a name",
      withProc({ exe: { ...proc.exe, dev: "sda1" } }),
      "evidence_invalid",
    ],
    [
      "a basis that is none",
      withProc({ args: [{ ...proc.args[0], basis: "said" }] }),
      "evidence_invalid",
    ],
    ["a script that is a text", withProc({ args: ["/opt/agent.mjs"] }), "evidence_invalid"],
    ["seccomp 3", withProc({ seccomp: 3 }), "evidence_invalid"],
    ["capabilities as a number", withProc({ caps_eff: 0 }), "evidence_invalid"],
    ["ptraced left out", withProc({ ptraced: undefined }), "evidence_invalid"],
    [
      "a container without image",
      withProc({ container: { rt: "x", id: "y", ro: true } }),
      "evidence_invalid",
    ],
    [
      "a key store that is none",
      withProc({ key: { store: "cloud", exportable: false } }),
      "evidence_invalid",
    ],
    ["an agent's own key", withProc({ key: { store: "agent", exportable: true } }), "ok"],
    [
      "an agent's own key that is said to stay there",
      withProc({ key: { store: "agent", exportable: false } }),
      "evidence_invalid",
    ],
    [
      "a manifest that names a thing twice",
      withAgent({
        countersign_manifest: [agent.countersign_manifest?.[0], agent.countersign_manifest?.[0]],
      }),
      "evidence_invalid",
    ],
    [
      "a manifest of unknown things",
      withAgent({ countersign_manifest: [{ n: "weights", d: d(1), basis: "image" }] }),
      "evidence_invalid",
    ],
    [
      "an lsm that is a text",
      { ...wire, submods: { agent, host: { countersign_os: { kernel: "6", lsm: "apparmor" } } } },
      "evidence_invalid",
    ],
    [
      "a digest named by number",
      withAgent({ ai_model_hash: { alg: -44, hash: d(1).slice(8) } }),
      "evidence_invalid",
    ],
    [
      "a digest of an unknown hash",
      withAgent({ ai_model_hash: { alg: "SHA3-256", hash: d(1).slice(8) } }),
      "evidence_invalid",
    ],
    [
      "a digest as an array",
      withAgent({ ai_model_hash: ["SHA-256", d(1).slice(8)] }),
      "evidence_invalid",
    ],
    [
      "a digest of the wrong length",
      withAgent({ ai_model_hash: { alg: "SHA-384", hash: d(1).slice(8) } }),
      "evidence_invalid",
    ],
    [
      "a digest that is not base64url",
      withAgent({ ai_model_hash: { alg: "SHA-256", hash: "=" } }),
      "evidence_invalid",
    ],
    ["a model id that is a number", withAgent({ ai_model_id: 7 }), "evidence_invalid"],
    ["a fraction for dp_epsilon", withAgent({ dp_epsilon: 0.5 }), "ok"],
    ["a text for dp_epsilon", withAgent({ dp_epsilon: "0.5" }), "evidence_invalid"],
    ["an SBOM as a map", withAgent({ ai_sbom_ref: { uri: "https://example.com" } }), "ok"],
  ])("judges %s", async (_, payload, code) => {
    expect(await codeOf(await sign(JSON.stringify(payload)))).toBe(code);
  });

  const text = JSON.stringify(wire);
  it.each<[string, Promise<string>, string]>([
    ["signed by another proxy", sign(text, generateSigner()), "invalid_signature"],
    ["of another type", sign(text, proxy, { alg: "ES256", typ: "JWT" }), "wrong_type"],
    ["with alg none", sign(text, proxy, { alg: "none", typ: "eat+jwt" }), "unsupported_alg"],
    [
      "with a key in its header",
      sign(text, proxy, { alg: "ES256", typ: "eat+jwt", jwk: {} }),
      "malformed_token",
    ],
    ["with a member twice", sign(text.replace("{", '{"iat":1,')), "malformed_token"],
    ["of more than 16 KiB", sign(JSON.stringify({ ...wire, zz: "x".repeat(13_000) })), "too_large"],
  ])("refuses evidence %s", async (_, octets, code) => {
    expect(await codeOf(await octets)).toBe(code);
  });

  it("answers any JSON with a refusal", async () => {
    await fc.assert(
      fc.asyncProperty(fc.object(), async (payload) => {
        const code = await codeOf(await sign(JSON.stringify(payload)));
        expect(["evidence_invalid", "malformed_token"]).toContain(code);
      }),
      { seed: 6, numRuns: 50 },
    );
  });

  it("measures each thing once, sorted by name", () => {
    expect(measurementsOf(claims)).toEqual([
      { n: "binary", d: d(3) },
      { n: "image", d: d(5) },
      { n: "prompt", d: d(7) },
      { n: "script", d: d(4) },
      { n: "tools", d: d(8) },
    ]);
  });
});
