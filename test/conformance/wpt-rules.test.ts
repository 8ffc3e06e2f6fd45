import { describe, expect, test } from "vitest";
import {
  answerOf,
  credentialsOf,
  FOREIGN_PROOF_LIFE_SECONDS,
  hashOf,
  memoryReplayStore,
  OWN_PROOF_LIFE_SECONDS,
  Refusal,
  sealWpt,
  thumbprint,
  verifyWit,
  verifyWpt,
} from "@countersign/core";
import type { HeaderLines, ProofInput, VerifiedWit, WitTrust, WptClaims } from "@countersign/core";
import { generateSigner, nodeCrypto } from "../../packages/node/src/crypto.ts";
import { outcomeOf } from "./outcome.ts";
import { sealFor } from "./wit-of.ts";

const fresh = (): ProofInput["replay"] => memoryReplayStore({ maxEntries: 100 });

describe("draft-ietf-wimse-wpt-02: own rows", () => {
  const issuer = generateSigner();
  const trust: WitTrust = new Map([
    [
      "spiffe://example.org",
      { keys: [{ kid: thumbprint(nodeCrypto, issuer.key), key: issuer.key }] },
    ],
  ]);
  const AUD = "https://api.example.org/v1/things";

  async function prepared(): Promise<{ wit: VerifiedWit; by: ReturnType<typeof generateSigner> }> {
    const { octets, holder } = await sealFor("spiffe://example.org/agent/a", issuer);
    return { wit: await verifyWit(nodeCrypto, octets, trust, 1000), by: holder };
  }
  const story = prepared();

  interface Row {
    readonly name: string;
    readonly claims?: Partial<WptClaims>;
    readonly input?: Partial<ProofInput>;
    readonly code: string;
  }
  const hash = (text: string): string => hashOf(nodeCrypto, text);
  const context = { headers: [["X-Ctx", "Token abc"]], contextHeaders: ["x-ctx"] } as const;
  const rows: readonly Row[] = [
    { name: "the valid one", code: "accepted" },
    {
      name: "W-45: listed header without oth",
      input: context,
      code: "other_token_binding_mismatch",
    },
    {
      name: "listed header in oth",
      input: context,
      claims: { oth: { "x-ctx": hash("Token abc") } },
      code: "accepted",
    },
    {
      name: "list written in another case",
      input: { ...context, contextHeaders: ["X-CTX"] },
      code: "other_token_binding_mismatch",
    },
    {
      name: "oth covers a header that is not listed",
      input: { headers: context.headers },
      claims: { oth: { "x-ctx": hash("Token abc") } },
      code: "other_token_binding_mismatch",
    },
    {
      name: "the field stands twice",
      input: {
        ...context,
        headers: [
          ["X-Ctx", "Token abc"],
          ["x-ctx", "Token abc"],
        ],
      },
      claims: { oth: { "x-ctx": hash("Token abc") } },
      code: "other_token_binding_mismatch",
    },
    {
      name: "oth names a header with a mechanism of its own",
      input: { headers: [["Txn-Token", "t"]], contextHeaders: ["txn-token"] },
      claims: { tth: hash("t"), oth: { "txn-token": hash("t") } },
      code: "other_token_binding_mismatch",
    },
    {
      name: "oth in upper case",
      input: context,
      claims: { oth: { "X-Ctx": hash("Token abc") } },
      code: "other_token_binding_mismatch",
    },
    {
      name: "outer white space is not hashed",
      input: { ...context, headers: [["X-Ctx", " Token abc\t"]] },
      claims: { oth: { "x-ctx": hash("Token abc") } },
      code: "accepted",
    },
    {
      name: "two transaction tokens",
      input: {
        headers: [
          ["Txn-Token", "t"],
          ["Txn-Token", "t"],
        ],
      },
      claims: { tth: hash("t") },
      code: "txn_token_binding_mismatch",
    },
    {
      name: "W-46: a forged Host changes nothing",
      input: {
        headers: [
          ["Host", "evil.example"],
          ["X-Forwarded-Host", "evil.example"],
        ],
      },
      code: "accepted",
    },
    {
      name: "W-46: made for the forged Host",
      claims: { aud: "https://evil.example/v1/things" },
      code: "audience_mismatch",
    },
    {
      name: "an alias of the service",
      input: { audiences: ["https://alias.example/v1/things", AUD] },
      code: "accepted",
    },
    {
      name: "own trust domain: 60 s and skew",
      claims: { exp: 1070 },
      input: { maxLifeSeconds: OWN_PROOF_LIFE_SECONDS },
      code: "accepted",
    },
    {
      name: "own trust domain: one second more",
      claims: { exp: 1071 },
      input: { maxLifeSeconds: OWN_PROOF_LIFE_SECONDS },
      code: "lifetime_too_long",
    },
    { name: "others: 600 s and skew", claims: { exp: 1610 }, code: "accepted" },
    { name: "others: one second more", claims: { exp: 1611 }, code: "lifetime_too_long" },
    { name: "at expiry, skew 0", input: { now: 1030, skewSeconds: 0 }, code: "expired" },
    { name: "before expiry, skew 0", input: { now: 1029, skewSeconds: 0 }, code: "accepted" },
    { name: "a jti of 256 characters", claims: { jti: "j".repeat(256) }, code: "accepted" },
    {
      name: "full replay store",
      input: { replay: memoryReplayStore({ maxEntries: 0 }) },
      code: "indeterminate",
    },
    { name: "skew over its cap", input: { skewSeconds: 121 }, code: "configuration_invalid" },
  ];
  async function judge(row: Row): Promise<unknown> {
    const { wit, by } = await story;
    const claims: WptClaims = {
      aud: AUD,
      exp: 1030,
      jti: "j-1",
      wth: hash(wit.octets),
      ...row.claims,
    };
    const { octets } = await sealWpt(nodeCrypto, claims, by);
    return verifyWpt(nodeCrypto, {
      proof: octets,
      wit,
      headers: [],
      audiences: [AUD],
      maxLifeSeconds: FOREIGN_PROOF_LIFE_SECONDS,
      now: 1000,
      replay: fresh(),
      ...row.input,
    });
  }
  test.each(rows)("$name → $code", async (row) => {
    expect(await outcomeOf(() => judge(row))).toBe(row.code);
  });

  test("W-45: a header off the list is not part of what the caller proved", async () => {
    const proof = await judge({ name: "", input: { headers: [["X-Other", "t"]] }, code: "" });
    expect([...(proof as { context: Map<string, string> }).context]).toEqual([]);
  });

  test("W-48: 2 alg MUST be string-equal: Ed25519 is not EdDSA", async () => {
    const holder = generateSigner("Ed25519");
    const { octets } = await sealFor("spiffe://example.org/agent/a", issuer, {
      confirmation: { key: holder.key, alg: "EdDSA" },
    });
    const wit = await verifyWit(nodeCrypto, octets, trust, 1000);
    const claims = { aud: AUD, exp: 1030, jti: "j", wth: hash(octets) };
    const outcome = async (alg: "Ed25519" | "EdDSA"): Promise<string> => {
      const proof = await sealWpt(nodeCrypto, claims, { ...holder, alg });
      return outcomeOf(() =>
        verifyWpt(nodeCrypto, {
          proof: proof.octets,
          wit,
          headers: [],
          audiences: [AUD],
          maxLifeSeconds: 60,
          now: 1000,
          replay: fresh(),
        }),
      );
    };
    expect(await outcome("Ed25519")).toBe("alg_mismatch");
    expect(await outcome("EdDSA")).toBe("accepted");
  });

  test("W-24: a WIT alone authenticates nobody", async () => {
    const { wit } = await story;
    const headers: HeaderLines = [["Workload-Identity-Token", wit.octets]];
    expect(await outcomeOf(() => credentialsOf(headers))).toBe("wpt_missing");
    expect(wit).not.toHaveProperty("caller");
  });

  test.each([
    [
      "a fault of the proof",
      { claims: { aud: "https://x.example/" } },
      401,
      [["WWW-Authenticate", "WPT"]],
    ],
    ["expiry of the proof", { input: { now: 1041 } }, 401, [["WWW-Authenticate", "WPT"]]],
    ["no replay store", { input: { replay: memoryReplayStore({ maxEntries: 0 }) } }, 503, []],
  ])("W-62: 8 %s", async (_, change, status, headers) => {
    const refusal = await judge({ name: "", code: "", ...change }).catch((error: unknown) => error);
    if (!(refusal instanceof Refusal)) throw new Error("was not refused");
    const answer = answerOf(refusal);
    expect([answer.status, answer.problem.status, answer.headers]).toEqual([
      status,
      status,
      headers,
    ]);
    expect(Object.keys(answer.problem)).toEqual(["type", "title", "status", "reason", "next"]);
    const { wit } = await story;
    expect(JSON.stringify(answer)).not.toContain(wit.octets.slice(0, 20));
    expect(refusal.message).not.toContain(wit.octets.slice(0, 20));
  });

  test("W-62: a fault of the WIT is 400 without a challenge, even beside a bad proof", () => {
    const headers: HeaderLines = [["Authorization", "Bearer x"]];
    let answer;
    try {
      credentialsOf(headers);
    } catch (error) {
      if (error instanceof Refusal) answer = answerOf(error);
    }
    expect([answer?.status, answer?.problem.reason, answer?.headers]).toEqual([
      400,
      "wit_missing",
      [],
    ]);
  });
});
