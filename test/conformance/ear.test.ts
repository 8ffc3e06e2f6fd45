import {
  EAR_PROFILE,
  fromUtf8,
  parseJsonObject,
  readEar,
  tierOf,
  TRUST_CLAIMS,
  writeEar,
} from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { describe, expect, it } from "vitest";
import { vectorFile, vectorsPresent } from "./vectors.ts";

/** The JSON examples are printed in diagnostic notation, of which they use no more than JSON and comments. */
function diagnostic(path: string): JsonObject {
  const text = fromUtf8(vectorFile(path));
  const withoutComments = text.replaceAll(
    /("(?:[^"\\]|\\.)*")|\/\/.*|#.*|\/[^/\n]*\//g,
    (_, quoted: string | undefined) => quoted ?? "",
  );
  return parseJsonObject(withoutComments, { maxBytes: 65_536, maxDepth: 16 });
}

const VECTORS = [
  ["ear/ear-json-1.diag", { PSA: "contraindicated" }],
  ["ear/ear-json-2.diag", { "CCA Platform": "affirming", "CCA Realm": "affirming" }],
  ["ear/ext-teep-json-1.diag", { PSA: "contraindicated" }],
  ["ear/ext-veraison-json-1.diag", { PSA_IOT: "contraindicated" }],
  ["ear/ext-veraison-json-2.diag", { PARSEC_TPM: "affirming" }],
] as const;

describe.skipIf(!vectorsPresent)("draft-ietf-rats-ear-03, its JSON examples", () => {
  it.each(VECTORS)("%s: tiers of its submods", (path, tiers) => {
    const ear = readEar(diagnostic(path));
    const read = [...ear.submods].map(([label, { ear_status }]) => [label, ear_status]);
    expect(Object.fromEntries(read)).toEqual(tiers);
  });

  it.each(VECTORS)("%s: written again, without the extensions", (path) => {
    const payload = diagnostic(path);
    const written = writeEar(readEar(payload));
    expect(payload).toMatchObject(written);
    expect(written).toHaveProperty("eat_profile", EAR_PROFILE);
  });

  it.each(VECTORS)(
    "%s: ear_status MUST NOT be better than the worst claim of the vector",
    (path) => {
      const text = JSON.stringify(diagnostic(path));
      const flattered = text
        .replace(/"executables":\d+/, '"executables":96')
        .replaceAll("contraindicated", "affirming");
      expect(flattered).toContain('"executables":96');
      const payload = parseJsonObject(flattered, { maxBytes: 65_536, maxDepth: 16 });
      expect(() => readEar(payload)).toThrow(/^ear_invalid/);
    },
  );
});

describe("I-13: EAR in both dialects", () => {
  const older = {
    eat_profile: "tag:github.com,2023:veraison/ear",
    iat: 1_666_529_184,
    "ear.verifier-id": { developer: "https://veraison-project.org", build: "vts 0.0.1" },
    submods: {
      PSA: {
        "ear.status": "affirming",
        "ear.trustworthiness-vector": { "instance-identity": 2, executables: 2, hardware: 2 },
        "ear.appraisal-policy-id": "https://veraison.example/policy/1/60a0068d",
      },
    },
  };

  it("the older names give the same result as the names of -03", () => {
    const ear = readEar(older);
    const again = parseJsonObject(JSON.stringify(writeEar(ear)), { maxBytes: 4096, maxDepth: 16 });
    expect(readEar(again)).toEqual(ear);
  });

  it.each([
    ["a status better than the worst claim", { "ear.trustworthiness-vector": { executables: 33 } }],
    ["an unknown tier", { "ear.status": "excellent" }],
  ])("%s is refused", (_, change) => {
    const payload = { ...older, submods: { PSA: { ...older.submods.PSA, ...change } } };
    expect(() => readEar(payload)).toThrow(/^ear_invalid/);
  });

  it("exp as a float is refused", () => {
    expect(() => readEar({ ...older, exp: 1_666_529_484.5 })).toThrow(/^ear_invalid/);
  });
});

describe("draft-ietf-rats-ar4si section 2.3", () => {
  it("2.3.2: every standard value of the eight claims falls into its tier", () => {
    expect(TRUST_CLAIMS).toHaveLength(8);
    expect([-1, 0, 1].map(tierOf)).toEqual(["none", "none", "none"]);
    expect([2, 3].map(tierOf)).toEqual(["affirming", "affirming"]);
    expect([32, 33, 36].map(tierOf)).toEqual(["warning", "warning", "warning"]);
    expect([96, 97, 99].map(tierOf)).toEqual([
      "contraindicated",
      "contraindicated",
      "contraindicated",
    ]);
  });
});
