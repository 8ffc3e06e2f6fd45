import {
  checkWitnesses,
  cosignatureIn,
  EAR_PROFILE,
  isObject,
  makeLeaf,
  MAX_ADD_CHECKPOINT_BYTES,
  openCheckpoint,
  openNote,
  openRecord,
  openSubmission,
  parseAddCheckpoint,
  parseNote,
  parseTilePath,
  parseTlogProof,
  parseVkey,
  presentedOf,
  readApprovalPart,
  readBundle,
  readCredentialPart,
  readEntries,
  readEar,
  readIssueRecord,
  readLeaf,
  readSizeAnswer,
  readTile,
  readTrust,
  readTrustBundle,
  VERAISON_PROFILE,
  verify,
  verifyTlogProof,
  writeAddCheckpoint,
  writeApprovalPart,
  writeCredentialPart,
  writeEntries,
  writeTile,
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
  const salt = new Uint8Array(16);
  const draft = {
    type: "halt.set",
    t: NOW,
    actor: "admin",
    record: RECORD,
    recordSalt: salt,
  } as const;
  const made = makeLeaf(nodeCrypto, draft);
  const opens = readLeaf(made.leaf);
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
    ofOctets("leaf", "json", [leaf, made.leaf], readLeaf, 2048),
    ofOctets(
      "record",
      "json",
      [made.record],
      (octets) => openRecord(nodeCrypto, opens, octets, salt),
      65_536,
    ),
    ofJson("record of an issue", [RECORD], (value) =>
      readIssueRecord(isObject(value) ? value : {}),
    ),
    ofJson("EAR", EARS, (value) => readEar(isObject(value) ? value : {})),
  ];
}

function witnessParsers({ story }: Samples): readonly Parser[] {
  const { proof } = story.bundle.credential;
  const { checkpoint } = parseTlogProof(proof);
  const { witnesses } = story.domain;
  const { log } = story.domain.bundle;
  const [witness = ""] = witnesses?.vkeys ?? [];
  if (witnesses === undefined) throw new TypeError("the story has witnesses");
  const lines = checkpoint.slice(checkpoint.indexOf("\n\n") + 2);
  const submission = writeAddCheckpoint({ oldSize: 1, proof: [new Uint8Array(32)], checkpoint });
  const tile = { level: 0, index: 0, width: 2 };
  const hashes = [new Uint8Array(32), new Uint8Array(32).fill(1)];
  const logs = new Map([[log.origin, [log.vkey]]]);
  return [
    ofText("note", "lines", [checkpoint], parseNote, 131_072),
    ofText("verifier key of a witness", "lines", [witness], (text) =>
      parseVkey(nodeCrypto, text, "cosignature"),
    ),
    ofText("checkpoint with witnesses", "lines", [checkpoint], (text) =>
      checkWitnesses(credulous, text, witnesses),
    ),
    ofText("answer of a witness", "lines", [lines], (text) =>
      cosignatureIn(credulous, checkpoint, text, witness),
    ),
    ofText("size at a witness", "plain", ["17\n"], readSizeAnswer),
    ofText(
      "checkpoint for a witness",
      "lines",
      [submission],
      (text) => openSubmission(credulous, parseAddCheckpoint(text), logs),
      MAX_ADD_CHECKPOINT_BYTES,
    ),
    ofText("path of a tile", "plain", ["tile/0/x001/234.p/17", "tile/entries/000"], parseTilePath),
    ofOctets("tile", "plain", [writeTile(hashes)], (octets) => readTile(tile, octets)),
    ofOctets("entries of a tile", "ssh", [writeEntries(hashes)], (octets) =>
      readEntries(tile, octets),
    ),
  ];
}

/** Bundles, trust, logs and attestation results. */
export function bundleParsers(s: Samples): readonly Parser[] {
  const { story, bundleText, trustText, trustFile } = s;
  const { approval, credential } = story.bundle;
  if (approval === undefined) throw new TypeError("the story has an owner");
  const { wit, chain } = story.presented;
  const { st, sig, key } = approval;
  const logged = { leaf: credential.leaf, salt: credential.salts.wit, proof: credential.proof };
  const chained = writeApprovalPart({
    ...approval,
    enr: [{ st, sigs: [{ signature: sig, key }], logged }],
  });
  return [
    ...logParsers(s),
    ...witnessParsers(s),
    ofText("bundle", "json", [bundleText], readBundle, 65_536),
    ofJson("approval part", [writeApprovalPart(approval), chained], readApprovalPart),
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
