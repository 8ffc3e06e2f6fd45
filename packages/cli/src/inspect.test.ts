import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  base64url,
  canonicalJson,
  fromUtf8,
  Refusal,
  utf8,
  writeApprovalPart,
} from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { makeFolder, NOW } from "./folder.testing.ts";
import type { MadeFolder } from "./folder.testing.ts";
import { inspect } from "./inspect.ts";
import type { Inspection } from "./inspect.ts";

let made: MadeFolder;
beforeAll(async () => {
  made = await makeFolder();
});

const file = (name: string): Bytes => made.files.get(name) ?? new Uint8Array(0);
const look = (octets: Bytes): Inspection => inspect(c, octets, NOW);

const KINDS: readonly (readonly [string, () => Bytes, Inspection["kind"], string, RegExp])[] = [
  [
    "a WIT",
    () => file("wit.jwt"),
    "token",
    "Workload Identity Token",
    /expires {5}2027-01-15 .* \(in 10 min\)/,
  ],
  [
    "a proof",
    () => file("wpt.jwt"),
    "token",
    "Signed token of type wpt+jwt",
    /"aud": "https:\/\/mail/,
  ],
  [
    "a door's answer",
    () => utf8(JSON.stringify({ id: "x", wit: made.story.credential.wit })),
    "token",
    "Workload Identity Token",
    /owner {7}urn:agent-owner:example.org:alice-0001 \(person\)/,
  ],
  [
    "PEM",
    () => file("wic.pem"),
    "certificates",
    "Certificate",
    /name {8}spiffe:\/\/example.org\/agent\/mailer\//,
  ],
  [
    "DER",
    () => made.story.credential.chain[0] ?? new Uint8Array(0),
    "certificates",
    "Certificate",
    /owner {7}urn:agent-owner/,
  ],
  [
    "a chain",
    () => utf8(fromUtf8(file("wic.pem")) + fromUtf8(file("chain.pem"))),
    "certificates",
    "2 certificates",
    /Certificate of a CA/,
  ],
  [
    "a bundle",
    () => file("bundle.json"),
    "bundle",
    "Evidence bundle",
    /signed as {3}SSH signature/,
  ],
  [
    "what was signed, in a bundle",
    () => file("bundle.json"),
    "bundle",
    "Evidence bundle",
    /"https:\/\/mail.example.com\/"/,
  ],
  [
    "an approval",
    () =>
      utf8(
        canonicalJson(
          writeApprovalPart(
            made.story.bundle.approval ?? {
              st: new Uint8Array(0),
              sig: { k: "jws", s: "" },
              key: { jwk: made.story.keys.owner.key },
            },
          ),
        ),
      ),
    "approval",
    "Approval part of a bundle",
    /for agent {3}spiffe/,
  ],
  [
    "a trust bundle",
    () => file("trust-bundle.json"),
    "trust bundle",
    "Trust bundle of spiffe://example.org",
    /log {9}id.example.org\/log/,
  ],
  ["a key set", () => file("jwks.json"), "trust bundle", "JWK Set", /kid /],
];

describe("credential inspect", () => {
  it.each(KINDS)("knows %s by its content", (_name, octets, kind, title, line) => {
    const seen = look(octets());
    expect([seen.kind, seen.title]).toEqual([kind, title]);
    expect(seen.lines.join("\n")).toMatch(line);
  });

  it.each(["", "words", "{}", "[]", '{"v":1}', "a.b.c", "-----BEGIN CERTIFICATE-----\n"])(
    "refuses %j",
    (text) => {
      expect(() => look(utf8(text))).toThrow(Refusal);
    },
  );

  it("shows what is not well formed as such", () => {
    const part = (value: object): string => base64url(utf8(JSON.stringify(value)));
    const exp = Number.MAX_SAFE_INTEGER;
    const wit = `${part({ typ: "wit+jwt" })}.${part({ sub: "\u001b[31m\u202e", exp, iat: -1, cnf: 1, countersign_owner: {} })}.`;
    const { lines } = look(utf8(wit));
    expect(lines.join("\n")).toMatch(/owner {7}not well formed/);
    expect(lines.join("\n")).toMatch(/expires {5}second 9007199254740991/);
    expect(lines.join("\n")).not.toMatch(/[\u001b\u202e]/);
  });

  it("answers or refuses whatever it is given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
        try {
          look(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
        }
      }),
    );
  });

  it("answers or refuses any claims", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom("sub", "exp", "iat", "cnf", "countersign_owner", "x"),
          fc.jsonValue({ maxDepth: 3 }),
        ),
        (claims) => {
          const part = (value: object): string => base64url(utf8(JSON.stringify(value)));
          try {
            look(utf8(`${part({ typ: "wit+jwt" })}.${part(claims)}.AA`));
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
          }
        },
      ),
    );
  });
});
