import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "@countersign/core";
import { generateSigner } from "@countersign/node";
import { AUD, makeFolder, NOW } from "./folder.testing.ts";
import type { FolderChange, MadeFolder } from "./folder.testing.ts";
import { isGap } from "./check.ts";
import { FILE_CHECKS, FOLDER_FILES, readTerms, verifyFolder } from "./verify-folder.ts";
import type { FolderOptions } from "./verify-folder.ts";
import type { Shown } from "./verify-shown.ts";

interface Row {
  readonly name: string;
  readonly change?: FolderChange;
  /** Changes files after they were made. */
  readonly edit?: (made: MadeFolder, other: MadeFolder) => void;
  readonly options?: Partial<FolderOptions>;
  /** `id code` of the first gap; absent: verified. */
  readonly gap?: string;
}

/** Takes one file of another true folder: right in itself, but of another issue. */
const taken =
  (name: string) =>
  (made: MadeFolder, other: MadeFolder): void => {
    made.files.set(name, other.files.get(name) ?? new Uint8Array(0));
  };

function replaced(name: string, from: string | RegExp, to: string) {
  return ({ files }: MadeFolder): void => {
    const before = fromUtf8(files.get(name) ?? new Uint8Array(0));
    const after = before.replace(from, to);
    expect(after).not.toBe(before);
    files.set(name, utf8(after));
  };
}

const ROWS: readonly Row[] = [
  { name: "a true folder" },
  {
    name: "a folder without the newline after tokens",
    edit: replaced("wit.jwt", "\n", ""),
  },
  {
    name: "the proof of another key",
    change: { proofBy: generateSigner() },
    gap: "wpt invalid_signature",
  },
  {
    name: "the proof for another address",
    change: { aud: "https://else.example/" },
    gap: "wpt audience_mismatch",
  },
  { name: "a proof of another issue", edit: taken("wpt.jwt"), gap: "wpt invalid_signature" },
  { name: "no proof", edit: ({ files }) => files.delete("wpt.jwt"), gap: "wpt not_found" },
  { name: "a key set of others", edit: taken("jwks.json"), gap: "published unknown_key" },
  { name: "another root", edit: taken("root.pem"), gap: "published untrusted_chain" },
  {
    name: "a trust bundle of another log",
    edit: taken("trust-bundle.json"),
    gap: "published trust_bundle_changed",
  },
  {
    name: "a newline behind the statement",
    edit: replaced("statement.json", /$/, "\n"),
    gap: "statement-file payload_mismatch",
  },
  {
    name: "another signature file",
    edit: taken("statement.sshsig"),
    gap: "sshsig-file signature_invalid",
  },
  {
    name: "another owner's line",
    edit: taken("allowed_signers"),
    gap: "allowed-signers owner_key_unaccepted",
  },
  {
    name: "an owner's line for other uses",
    edit: replaced("allowed_signers", / namespaces="[^"]*"/, ""),
    gap: "allowed-signers namespace_mismatch",
  },
  {
    name: "another proof file",
    edit: taken("leaf.tlog-proof"),
    gap: "log-files log_proof_invalid",
  },
  {
    name: "another checkpoint file",
    edit: taken("checkpoint.txt"),
    gap: "log-files checkpoint_invalid",
  },
  { name: "another record", edit: taken("record.json"), gap: "record record_invalid" },
  { name: "another salt", edit: taken("record.salt"), gap: "record record_invalid" },
  {
    name: "a record with a changed number",
    edit: replaced("record.json", '"n":1', '"n":2'),
    gap: "record record_invalid",
  },
  {
    name: "a record of another credential, logged as such",
    change: { record: (record) => ({ ...record, jti: "A".repeat(22) }) },
    gap: "record record_invalid",
  },
  { name: "other evidence", edit: taken("evidence.jwt"), gap: "evidence-file evidence_invalid" },
  { name: "another proxy's key", edit: taken("proxy.jwk"), gap: "evidence-file evidence_invalid" },
  {
    name: "evidence for another key",
    change: { evidence: (claims) => ({ ...claims, key: generateSigner().key }) },
    gap: "evidence-file evidence_invalid",
  },
  {
    name: "evidence for another server",
    change: { evidence: (claims) => ({ ...claims, aud: "https://id.else.example" }) },
    gap: "evidence-file evidence_invalid",
  },
  {
    name: "evidence of another request",
    change: { record: (record) => ({ ...record, req: `sha-256:${"B".repeat(42)}A` }) },
    gap: "evidence-file evidence_invalid",
  },
  {
    name: "evidence 360 s before the issue",
    change: { evidence: (claims) => ({ ...claims, iat: NOW - 390 }) },
  },
  {
    name: "evidence 361 s before the issue",
    change: { evidence: (claims) => ({ ...claims, iat: NOW - 391 }) },
    gap: "evidence-file evidence_invalid",
  },
  {
    name: "evidence 60 s after the issue",
    change: { evidence: (claims) => ({ ...claims, iat: NOW + 30 }) },
  },
  {
    name: "evidence 61 s after the issue",
    change: { evidence: (claims) => ({ ...claims, iat: NOW + 31 }) },
    gap: "evidence-file evidence_invalid",
  },
  { name: "a bundle of another issue", edit: taken("bundle.json"), gap: "statement owner_claim" },
  { name: "a certificate of another issue", edit: taken("wic.pem"), gap: "wic untrusted_chain" },
  { name: "a day later", options: { now: NOW + 86_400 }, gap: "wit expired" },
  {
    name: "a service outside of the approval",
    options: { demand: { proof: "logged", resource: "https://bank.example" } },
    gap: "ceiling outside_ceiling",
  },
  { name: "nobody trusted", options: { trust: new Map() }, gap: "wit unknown_trust_domain" },
];

async function shownOf(row: Row): Promise<Shown> {
  const made = await makeFolder(row.change);
  row.edit?.(made, await makeFolder());
  return verifyFolder(made.story.c, made.files, {
    trust: made.story.trust,
    demand: { proof: "logged", resource: AUD },
    now: NOW,
    aud: AUD,
    ...row.options,
  });
}

describe("a demo's folder (formats 7)", () => {
  it.each(ROWS)("$name: $gap", async (row) => {
    const shown = await shownOf(row);
    const gaps = shown.checks.filter((check) => isGap(check));
    expect(gaps.map(({ id, result }) => `${id} ${result}`)).toEqual(
      row.gap === undefined ? [] : [row.gap],
    );
    expect(shown.verdict === undefined).toBe(row.gap !== undefined);
  });

  it("lists every check, also those behind a gap", async () => {
    const shown = await shownOf({ name: "", options: { now: NOW + 86_400 } });
    expect(shown.checks.filter(({ result }) => result === "not reached")).toHaveLength(
      shown.checks.length - 1,
    );
    expect(shown.checks.at(-1)?.id).toBe(FILE_CHECKS.at(-1)?.id);
  });

  it("knows every file that the fixture writes, and no other", async () => {
    const { files } = await makeFolder();
    expect([...files.keys()].toSorted()).toEqual([...FOLDER_FILES].toSorted());
  });
});

describe("CHECK.md", () => {
  const terms = (text: string) => readTerms(new Map([["CHECK.md", utf8(text)]]));
  it("gives the second and the address", () => {
    expect(terms("words\nnow: 12\naud: https://a.example/\n")).toEqual({
      now: 12,
      aud: "https://a.example/",
    });
  });
  it.each([
    "",
    "now: 12\n",
    "aud: https://a.example/\n",
    "now: x\naud: https://a.example/\n",
    "  now: 12\naud: u\n",
  ])("refuses %j", (text) => {
    expect(() => terms(text)).toThrow("malformed_request");
  });
});
