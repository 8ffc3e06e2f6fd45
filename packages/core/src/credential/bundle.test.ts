import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64url, fromUtf8, utf8 } from "../bytes.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { makeStory } from "../verify/story.testing.ts";
import {
  readApprovalPart,
  readBundle,
  readCredentialPart,
  writeApprovalPart,
  writeBundle,
  writeCredentialPart,
  writeEvidenceHeader,
} from "./bundle.ts";
import type { Bundle } from "./bundle.ts";
import type { EnrolmentStep } from "./enrolment.ts";

const { bundle } = await makeStory();
const text = JSON.stringify(writeBundle(bundle));
const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject; // plain JSON
const { approval } = bundle;
if (approval === undefined) throw new Error("the story has an owner");
const APPROVAL = plain(writeApprovalPart(approval));
const CREDENTIAL = plain(writeCredentialPart(bundle.credential));
const { cs: _cs, end: _end, ...UNBOUND } = CREDENTIAL;
const bad = "malformed_request";
const without = (object: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
const KEY = APPROVAL["key"] as JsonObject; // as written above

describe("in a header", () => {
  const step = (octets: number): EnrolmentStep => ({
    st: approval.st,
    sigs: [{ signature: approval.sig, key: { jwk: approval.key.jwk ?? expect.fail("no key") } }],
    att: { fmt: "packed", obj: new Uint8Array(octets), cd: new Uint8Array(100) },
  });
  const shown = (...enr: readonly EnrolmentStep[]): Bundle =>
    readBundle(
      fromUtf8(fromBase64url(writeEvidenceHeader({ ...bundle, approval: { ...approval, enr } }))),
    );

  it("an attestation travels where it fits", () => {
    expect(shown(step(100)).approval?.enr).toEqual([step(100)]);
  });

  it("one that does not fit is left out, and all else stays", () => {
    const { att: _left, ...rest } = step(3000);
    const { enr, ...others } = shown(step(3000)).approval ?? {};
    expect([enr, others]).toEqual([[rest], approval]);
  });

  it("what does not fit without it either is refused", async () => {
    expect(await outcomeOf(() => shown(step(100), step(100), step(100)))).toBe("too_large");
  });
});

describe("the approval part", () => {
  it.each<readonly [string, JsonObject, string]>([
    ["as written", APPROVAL, "accepted"],
    ...Object.keys(APPROVAL).map(
      (name) => [`${name} absent`, without(APPROVAL, name), bad] as const,
    ),
    ["an unknown member", { ...APPROVAL, more: [] }, bad],
    ["version 2", { ...APPROVAL, v: 2 }, bad],
    ["a statement too long", { ...APPROVAL, st: "A".repeat(11_001) }, bad],
    ["a statement that is no base64url", { ...APPROVAL, st: "***" }, "malformed_token"],
    ["an enrolment chain", { ...APPROVAL, enr: [{}] }, bad],
    ["a certificate", { ...APPROVAL, key: { ...KEY, x5c: ["AA"] } }, bad],
    ["an application", { ...APPROVAL, key: { ...KEY, app: "ssh:" } }, "accepted"],
    [
      "a private key",
      { ...APPROVAL, key: { jwk: { kty: "OKP", crv: "Ed25519", x: "AA", d: "AA" } } },
      "invalid_key",
    ],
  ])("%s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readApprovalPart(value))).toBe(code);
  });

  it("a signature of a kind nobody knows is refused", async () => {
    const value = { ...APPROVAL, sig: { k: "pgp", s: "AA" } };
    expect(await outcomeOf(() => readApprovalPart(value))).not.toBe("accepted");
  });
});

describe("the credential part", () => {
  it.each<readonly [string, JsonObject, string]>([
    ["as written", CREDENTIAL, "accepted"],
    ["without an owner", UNBOUND, "accepted"],
    ...Object.keys(CREDENTIAL).map(
      (name) => [`${name} absent`, without(CREDENTIAL, name), bad] as const,
    ),
    ["an unknown member", { ...CREDENTIAL, more: 1 }, bad],
    ["a short jti", { ...CREDENTIAL, jti: "AA" }, bad],
    ["a jti with a slash", { ...CREDENTIAL, jti: "../../../../../etc/x" }, bad],
    [
      "a salt of 15 octets",
      { ...CREDENTIAL, salts: { wit: "A".repeat(20), x509: "A".repeat(22) } },
      bad,
    ],
    [
      "a third salt",
      {
        ...CREDENTIAL,
        salts: { wit: "A".repeat(22), x509: "A".repeat(22), record: "A".repeat(22) },
      },
      bad,
    ],
    ["a leaf too long", { ...CREDENTIAL, leaf: "A".repeat(2801) }, bad],
    ["a proof too long", { ...CREDENTIAL, proof: "x".repeat(16_385) }, bad],
  ])("%s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readCredentialPart(value))).toBe(code);
  });
});

describe("the whole bundle", () => {
  it.each<readonly [string, Json | Uint8Array, string]>([
    ["as text", text, "accepted"],
    ["as octets", utf8(text), "accepted"],
    ["as a value", plain(writeBundle(bundle)), "accepted"],
    ["without an approval", { credential: UNBOUND }, "accepted"],
    ["without a credential", { approval: APPROVAL }, bad],
    ["an unknown member", { credential: UNBOUND, more: 1 }, bad],
    [
      "a member twice",
      text.replace('{"approval"', '{"credential":{},"approval"'),
      "malformed_json",
    ],
    ["too large", `${text}${" ".repeat(65_536)}`, "too_large"],
    ["nothing", "", "malformed_json"],
    ["a list", [], bad],
  ])("%s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readBundle(value))).toBe(code);
  });

  it("reads back", () => {
    expect(readBundle(text)).toEqual(bundle);
    const { approval: _approval, credential } = bundle;
    const { cs: _c, end: _e, ...rest } = credential;
    expect(readBundle(JSON.stringify(writeBundle({ credential: rest })))).toEqual({
      credential: rest,
    });
  });

  it("any text is read or refused with a code", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (value) => {
        expect(await outcomeOf(() => readBundle(value))).not.toBe("accepted");
      }),
    );
  });
});
