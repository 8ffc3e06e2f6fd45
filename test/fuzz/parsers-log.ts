import {
  canonicalJson,
  EAR_PROFILE,
  isObject,
  openCheckpoint,
  openNote,
  openRecord,
  parseTlogProof,
  parseVkey,
  presentedOf,
  readApprovalPart,
  readBundle,
  readCredentialPart,
  readEar,
  readIssueRecord,
  readLeaf,
  readTrust,
  readTrustBundle,
  VERAISON_PROFILE,
  verify,
  verifyTlogProof,
  writeApprovalPart,
  writeCredentialPart,
} from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { credulous, ofJson, ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";
import { NOW, RESOURCE } from "./samples.ts";
import type { Samples } from "./samples.ts";

const DIGEST = `sha-256:${"A".repeat(43)}`;
const RESULT = {
  ear_status: "affirming",
  ear_trustworthiness_vector: { executables: 2, configuration: 2 },
  ear_appraisal_policy_ids: ["https://id.example.org/policy/1"],
};
const EARS: readonly [object, object] = [
  {
    eat_profile: EAR_PROFILE,
    iat: NOW,
    exp: NOW + 300,
    ear_verifier_id: { developer: "https://v.example", build: "1" },
    ear_status: "affirming",
    eat_nonce: ["AAAAAAAA", "BBBBBBBB"],
    ear_raw_evidence: "AAAA",
    submods: { agent: { ...RESULT, eat_nonce: "AAAAAAAA" } },
  },
  {
    eat_profile: VERAISON_PROFILE,
    iat: NOW,
    "ear.verifier-id": { developer: "https://veraison-project.org", build: "vts 0.0.1" },
    submods: {
      PSA: {
        "ear.status": "contraindicated",
        "ear.trustworthiness-vector": { executables: 96 },
        "ear.appraisal-policy-id": "https://veraison.example/policy/1",
      },
    },
  },
];
const RECORD = {
  v: 1,
  agent: "spiffe://example.org/agent/mailer/0011223344556677",
  entry: "spiffe://example.org/agent/mailer",
  owner: "urn:agent-owner:example.org:alice-0001",
  cs: DIGEST,
  n: 1,
  jti: "A".repeat(22),
  req: DIGEST,
  evidence: DIGEST,
  proxy: { id: "spiffe://example.org/proxy/laptop", jkt: "A".repeat(43) },
  appraisal: { host: RESULT, agent: RESULT },
  policy: { decision: "issue", id: "standard" },
  iat: NOW,
  nbf: NOW - 10,
  exp: NOW + 600,
};

function logParsers({ story }: Samples): readonly Parser[] {
  const { leaf, proof } = story.bundle.credential;
  const { vkey } = story.domain.bundle.log;
  const { checkpoint } = parseTlogProof(proof);
  const key = parseVkey(nodeCrypto, vkey);
  const read = readLeaf(leaf);
  return [
    ofText("verifier key", "lines", [vkey], (text) => parseVkey(nodeCrypto, text)),
    ofText(
      "note with signatures",
      "lines",
      [checkpoint],
      (text) => openNote(credulous, text, key),
      131_072,
    ),
    ofText(
      "checkpoint",
      "lines",
      [checkpoint],
      (text) => openCheckpoint(credulous, text, vkey),
      131_072,
    ),
    ofText("tlog-proof", "lines", [proof], parseTlogProof, 140_000),
    ofText("verified tlog-proof", "lines", [proof], (text) =>
      verifyTlogProof(credulous, { proof: text, entry: leaf, vkey }),
    ),
    ofOctets("leaf", "json", [leaf], readLeaf, 2048),
    ofOctets(
      "record",
      "json",
      [Buffer.from(canonicalJson(RECORD))],
      (octets) => openRecord(nodeCrypto, read, octets, new Uint8Array(16)),
      65_536,
    ),
    ofJson("record of an issue", [RECORD], (value) =>
      readIssueRecord(isObject(value) ? value : {}),
    ),
    ofJson("EAR", EARS, (value) => readEar(isObject(value) ? value : {})),
  ];
}

/** Bundles, trust, logs and attestation results. */
export function bundleParsers(s: Samples): readonly Parser[] {
  const { story, bundleText, trustText, trustFile } = s;
  const { approval, credential } = story.bundle;
  if (approval === undefined) throw new TypeError("the story has an owner");
  const { wit, chain } = story.presented;
  return [
    ...logParsers(s),
    ofText("bundle", "json", [bundleText], readBundle, 65_536),
    ofJson("approval part", [writeApprovalPart(approval)], readApprovalPart),
    ofJson("credential part", [writeCredentialPart(credential)], readCredentialPart),
    ofText("bundle that is verified", "json", [bundleText], (text) =>
      verify(
        credulous,
        presentedOf(wit, chain, readBundle(text)),
        story.trust,
        { proof: "logged", resource: `${RESOURCE}/` },
        NOW,
      ),
    ),
    ofText("trust bundle", "json", [trustText], (text) => readTrustBundle(text, NOW), 1_048_576),
    ofText("trust bundle after another", "json", [trustText], (text) =>
      readTrustBundle(text, NOW, story.domain.bundle),
    ),
    ofText("trust file", "json", [trustFile], (text) => readTrust(text, NOW), 1_048_576),
  ];
}
