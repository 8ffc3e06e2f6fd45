import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../json/strict.ts";
import { parseJsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { EAR_PROFILE, readEar, VERAISON_PROFILE, writeEar } from "./ear.ts";

const LIMITS = { maxBytes: 65_536, maxDepth: 16, nullAllowed: true, fractionsAllowed: true };

/** As a payload arrives: members that are undefined are absent. */
function read(payload: object): ReturnType<typeof readEar> {
  return readEar(parseJsonObject(JSON.stringify(payload), LIMITS));
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

const agent = {
  ear_status: "warning",
  ear_trustworthiness_vector: { executables: 32, configuration: 2 },
  ear_appraisal_policy_ids: ["https://v.example/policy/1"],
  eat_nonce: "AAAAAAAA",
};
const ear = {
  eat_profile: EAR_PROFILE,
  iat: 1000,
  exp: 1300,
  ear_verifier_id: { developer: "https://v.example", build: "1" },
  ear_status: "warning",
  eat_nonce: "BBBBBBBB",
  ear_raw_evidence: "AAAA",
  submods: { agent },
};
const veraison = {
  eat_profile: VERAISON_PROFILE,
  iat: 1000,
  "ear.verifier-id": { developer: "https://veraison-project.org", build: "vts 0.0.1" },
  "ear.raw-evidence": "AAAA",
  submods: {
    PSA: {
      "ear.status": "contraindicated",
      "ear.trustworthiness-vector": { executables: 96, hardware: 2 },
      "ear.appraisal-policy-id": "https://veraison.example/policy/1/60a0068d",
    },
  },
};
const withAgent = (change: object): object => ({
  ...ear,
  submods: { agent: { ...agent, ...change } },
});
const vector = (claims: object): object => withAgent({ ear_trustworthiness_vector: claims });

describe("EAR", () => {
  it("reads what it writes", () => {
    expect(writeEar(read(ear))).toEqual(ear);
  });

  it("reads the older names and writes the ones of the draft", () => {
    const read1 = read(veraison);
    expect(writeEar(read1)).toEqual({
      eat_profile: EAR_PROFILE,
      iat: 1000,
      ear_verifier_id: veraison["ear.verifier-id"],
      ear_raw_evidence: "AAAA",
      submods: {
        PSA: {
          ear_status: "contraindicated",
          ear_trustworthiness_vector: { executables: 96, hardware: 2 },
          ear_appraisal_policy_ids: ["https://veraison.example/policy/1/60a0068d"],
        },
      },
    });
  });

  it.each<[string, object, string]>([
    ["the result", ear, "ok"],
    ["an unknown claim", { ...ear, zz: null }, "ok"],
    ["an extension", withAgent({ ear_veraison_key_attestation: { akpub: "AA" } }), "ok"],
    ["a dropped vector", withAgent({ ear_trustworthiness_vector: undefined }), "ok"],
    ["no exp", { ...ear, exp: undefined }, "ok"],
    ["another profile", { ...ear, eat_profile: "tag:ietf.org,2026:rats/ear#04" }, "ear_invalid"],
    ["no profile", { ...ear, eat_profile: undefined }, "ear_invalid"],
    [
      "the older names under the profile of the draft",
      { ...veraison, eat_profile: EAR_PROFILE },
      "ear_invalid",
    ],
    [
      "the names of the draft under the older profile",
      { ...ear, eat_profile: VERAISON_PROFILE },
      "ear_invalid",
    ],
    ["a float for exp", { ...ear, exp: 1300.5 }, "ear_invalid"],
    ["a float for iat", { ...ear, iat: 1000.5 }, "ear_invalid"],
    ["no iat", { ...ear, iat: undefined }, "ear_invalid"],
    ["no verifier", { ...ear, ear_verifier_id: undefined }, "ear_invalid"],
    ["a verifier without build", { ...ear, ear_verifier_id: { developer: "x" } }, "ear_invalid"],
    ["no submods", { ...ear, submods: undefined }, "ear_invalid"],
    ["empty submods", { ...ear, submods: {} }, "ear_invalid"],
    [
      "submods without end",
      {
        ...ear,
        submods: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`s${i}`, agent])),
      },
      "ear_invalid",
    ],
    ["a submod that is a text", { ...ear, submods: { agent: "affirming" } }, "ear_invalid"],
    ["no status", withAgent({ ear_status: undefined }), "ear_invalid"],
    ["a status as a number", withAgent({ ear_status: 32 }), "ear_invalid"],
    ["a status better than the worst claim", withAgent({ ear_status: "affirming" }), "ear_invalid"],
    [
      "a status that says nothing above a warning",
      withAgent({ ear_status: "none" }),
      "ear_invalid",
    ],
    [
      "a status worse than the worst claim",
      { ...withAgent({ ear_status: "contraindicated" }), ear_status: "contraindicated" },
      "ok",
    ],
    [
      "an affirmation over a broken verifier",
      {
        ...withAgent({
          ear_status: "affirming",
          ear_trustworthiness_vector: { executables: 2, hardware: -1 },
        }),
      },
      "ear_invalid",
    ],
    ["a result better than its submods", { ...ear, ear_status: "affirming" }, "ear_invalid"],
    ["an empty vector", vector({}), "ear_invalid"],
    ["an unknown trust claim", vector({ executables: 32, kindness: 2 }), "ear_invalid"],
    ["a value outside eight bits", vector({ executables: 128 }), "ear_invalid"],
    ["a fractional value", vector({ executables: 2.5 }), "ear_invalid"],
    ["empty policies", withAgent({ ear_appraisal_policy_ids: [] }), "ear_invalid"],
    ["a policy as a text", withAgent({ ear_appraisal_policy_ids: "x" }), "ear_invalid"],
    [
      "older policies as a list",
      {
        ...veraison,
        submods: { PSA: { ...veraison.submods.PSA, "ear.appraisal-policy-id": ["x"] } },
      },
      "ear_invalid",
    ],
    ["two nonces", withAgent({ eat_nonce: ["AAAAAAAA", "BBBBBBBB"] }), "ok"],
    ["a list of one nonce", withAgent({ eat_nonce: ["AAAAAAAA"] }), "ear_invalid"],
    ["a short nonce", withAgent({ eat_nonce: "AAAAAAA" }), "ear_invalid"],
  ])("judges %s", (_, payload, code) => {
    expect(codeOf(() => read(payload))).toBe(code);
  });

  it("answers any object with a refusal", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (noise) => {
        const payloads = [
          { noise },
          { ...ear, submods: noise },
          { ...ear, ear_verifier_id: noise },
        ];
        for (const payload of payloads) {
          // values of fast-check are JSON
          const code = codeOf(() => readEar(payload as unknown as JsonObject));
          expect(code).toBe("ear_invalid");
        }
      }),
      { seed: 7, numRuns: 100 },
    );
  });
});
