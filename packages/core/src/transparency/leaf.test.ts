import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64url, concat, fromUtf8, utf8 } from "../bytes.ts";
import type { Bytes, Digest } from "../crypto.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { Refusal } from "../refusal.ts";
import { readIssueRecord, writeIssueRecord } from "./issue-record.ts";
import type { IssueRecord } from "./issue-record.ts";
import { commitment, formPayload, makeLeaf, openRecord, opensForm, readLeaf } from "./leaf.ts";
import type { LeafDraft } from "./leaf.ts";

const salt = (n: number): Bytes => new Uint8Array(16).fill(n);
const hash = base64url(new Uint8Array(32).fill(7));
const digest: Digest = `sha-256:${hash}`;

function codeOf(run: () => unknown): string {
  try {
    run();
    return "ok";
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

const wit = formPayload(c, digest, utf8("a.b.c"));
const draft: LeafDraft = {
  type: "credential.issued",
  t: 1_795_430_000,
  actor: "server",
  record: { v: 1, agent: "spiffe://example.org/agent/a" },
  recordSalt: salt(1),
  forms: [
    { salt: salt(2), payload: wit },
    { salt: salt(3), payload: formPayload(c, digest, utf8("DER")) },
  ],
};

describe("commitment", () => {
  it("covers tag, zero octet, salt and payload in this order", () => {
    const expected = c.sha256(
      concat(utf8("countersign-commit/1"), new Uint8Array([0]), salt(5), utf8("payload")),
    );
    expect(commitment(c, salt(5), utf8("payload"))).toEqual(expected);
  });

  it("puts the statement's digest, or zeros, before the hash of the form", () => {
    expect(wit).toEqual(concat(new Uint8Array(32).fill(7), c.sha256(utf8("a.b.c"))));
    expect(formPayload(c, undefined, utf8("x")).subarray(0, 32)).toEqual(new Uint8Array(32));
  });
});

describe("leaf", () => {
  const { leaf, record } = makeLeaf(c, draft);
  const read = readLeaf(leaf);

  it("is canonical and opens to its record and forms", () => {
    expect(leaf).toEqual(canonicalBytes(read));
    expect(openRecord(c, read, record, salt(1))).toEqual(draft.record);
    expect(opensForm(c, read, 1, { salt: salt(2), payload: wit })).toBe(true);
    expect(opensForm(c, read, 2, { salt: salt(2), payload: wit })).toBe(false);
    expect(opensForm(c, read, 0, { salt: salt(1), payload: c.sha256(record) })).toBe(false);
  });

  it("shows nothing of the record", () => {
    expect(fromUtf8(leaf)).not.toContain("example.org");
  });

  it.each<[string, Partial<LeafDraft>, string]>([
    ["the draft", {}, "ok"],
    ["a reason", { reason: "halted" }, "ok"],
    ["a reason in words", { reason: "Mr. Smith" }, "log_proof_invalid"],
    ["an issue by an admin", { actor: "admin" }, "log_proof_invalid"],
    ["an issue with one form", { forms: draft.forms?.slice(1) ?? [] }, "log_proof_invalid"],
    ["a halt with forms", { type: "halt.set" }, "log_proof_invalid"],
    ["a halt", { type: "halt.set", actor: "admin", forms: [] }, "ok"],
    ["an act of an admin", { type: "admin.join_token", actor: "admin", forms: [] }, "ok"],
    [
      "an act with a name in it",
      { type: "admin.Alice", actor: "admin", forms: [] },
      "log_proof_invalid",
    ],
    [
      "a key",
      { type: "key.added", actor: "owner", forms: [{ salt: salt(2), payload: wit }] },
      "ok",
    ],
    ["a fractional time", { t: 1.5 }, "malformed_json"],
    ["a short salt", { recordSalt: new Uint8Array(15) }, "record_invalid"],
    ["a record with null", { record: { a: null } }, "record_invalid"],
    ["a record of great depth", { record: nested(17) }, "record_invalid"],
    ["a record of depth 16", { record: nested(16) }, "ok"],
    ["a record without end", { record: { a: "x".repeat(70_000) } }, "record_invalid"],
  ])("is made of %s", (_, change, code) => {
    expect(codeOf(() => makeLeaf(c, { ...draft, ...change }))).toBe(code);
  });

  const text = fromUtf8(leaf);
  it.each([
    ["the leaf", text, "ok"],
    ["white space", text.replace(":", ": "), "log_proof_invalid"],
    ["an unknown member", text.replace("{", '{"a":1,'), "log_proof_invalid"],
    ["a member twice", text.replace("{", '{"actor":"server",'), "log_proof_invalid"],
    ["another version", text.replace('"v":1', '"v":2'), "log_proof_invalid"],
    ["an unknown type", text.replace("credential.issued", "credential.lost"), "log_proof_invalid"],
    ["an unknown actor", text.replace('"server"', '"agent"'), "log_proof_invalid"],
    ["a commit that is no hash", text.replace(/"[A-Za-z0-9_-]{43}"/, '"x"'), "log_proof_invalid"],
    ["no commits", text.replace(/\[.*\]/, "[]"), "log_proof_invalid"],
    ["more than 2 KiB", `${text}${" ".repeat(2048)}`, "log_proof_invalid"],
    ["an array", "[]", "log_proof_invalid"],
    ["nothing", "", "log_proof_invalid"],
  ])("judges %s", (_, given, code) => {
    expect(codeOf(() => readLeaf(utf8(given)))).toBe(code);
  });

  it("refuses a record that is another, is not canonical, or comes with another salt", () => {
    const codes = [
      codeOf(() => openRecord(c, read, canonicalBytes({ v: 2 }), salt(1))),
      codeOf(() => openRecord(c, read, utf8(`${fromUtf8(record)} `), salt(1))),
      codeOf(() => openRecord(c, read, record, salt(2))),
      codeOf(() => openRecord(c, read, utf8("{"), salt(1))),
    ];
    expect(codes).toEqual(Array.from({ length: 4 }, () => "record_invalid"));
  });

  it("answers any octets with a refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
        expect(codeOf(() => readLeaf(noise))).toBe("log_proof_invalid");
        expect(codeOf(() => openRecord(c, read, noise, salt(1)))).toBe("record_invalid");
      }),
      { seed: 5, numRuns: 100 },
    );
  });
});

function nested(depth: number): object {
  return depth === 1 ? {} : { a: nested(depth - 1) };
}

describe("record of an issue", () => {
  const appraised = {
    ear_status: "warning",
    ear_trustworthiness_vector: { executables: 32, configuration: 2 },
    ear_appraisal_policy_ids: ["tag:countersign.example,2026:appraisal/standard#1"],
  } as const;
  const valid: Omit<IssueRecord, "v"> = {
    agent: "spiffe://example.org/agent/mailer/0123456789abcdef",
    entry: "spiffe://example.org/agent/mailer",
    owner: "urn:agent-owner:example.org:AAAABBBB",
    cs: digest,
    n: 1,
    jti: "AAAAAAAAAAAAAAAAAAAAAA",
    req: digest,
    evidence: digest,
    proxy: { id: "spiffe://example.org/proxy/host", jkt: hash },
    appraisal: { host: appraised, agent: appraised },
    policy: { decision: "issue", id: "standard" },
    iat: 1000,
    nbf: 970,
    exp: 1900,
  };
  const { owner: _owner, cs: _cs, n: _n, ...unbound } = valid;
  const worse = { ...appraised, ear_status: "affirming" } as const;

  it.each<[string, object, string]>([
    ["the record", { v: 1, ...valid }, "ok"],
    ["a record without owner", { v: 1, ...unbound }, "ok"],
    ["a half owner", { v: 1, ...unbound, cs: digest }, "record_invalid"],
    ["an unknown member", { v: 1, ...valid, wit: "a.b.c" }, "record_invalid"],
    [
      "a member too many below",
      { v: 1, ...valid, proxy: { ...valid.proxy, uid: 0 } },
      "record_invalid",
    ],
    ["another version", { ...valid, v: 2 }, "record_invalid"],
    ["a bare digest", { v: 1, ...valid, req: hash }, "record_invalid"],
    [
      "a thumbprint with a prefix",
      { v: 1, ...valid, proxy: { ...valid.proxy, jkt: digest } },
      "record_invalid",
    ],
    ["count 0", { v: 1, ...valid, n: 0 }, "record_invalid"],
    ["a life that is over", { v: 1, ...valid, exp: 1000 }, "record_invalid"],
    ["validity after issue", { v: 1, ...valid, nbf: 1001 }, "record_invalid"],
    [
      "another decision",
      { v: 1, ...valid, policy: { decision: "perhaps", id: "x" } },
      "record_invalid",
    ],
    [
      "a status above its claims",
      { v: 1, ...valid, appraisal: { host: appraised, agent: worse } },
      "record_invalid",
    ],
    ["one appraisal", { v: 1, ...valid, appraisal: { host: appraised } }, "record_invalid"],
  ])("judges %s", (_, object, code) => {
    // the table's objects stand for parsed JSON
    const json = object as Parameters<typeof readIssueRecord>[0];
    expect(codeOf(() => readIssueRecord(json))).toBe(code);
  });

  it("reads what it writes", () => {
    const record = writeIssueRecord(valid);
    const { leaf, record: bytes } = makeLeaf(c, { ...draft, record });
    expect(readIssueRecord(openRecord(c, readLeaf(leaf), bytes, draft.recordSalt))).toEqual(record);
    expect(codeOf(() => writeIssueRecord({ ...valid, jti: "short" }))).toBe("record_invalid");
  });
});
