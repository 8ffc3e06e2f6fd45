import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateSigner, nodeCrypto } from "../../../node/src/crypto.ts";
import { base64url, utf8 } from "../bytes.ts";
import { Members } from "../json/read.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { parseCompact } from "./compact.ts";
import { thumbprint } from "./jwk.ts";
import { digestOf, open, readConfirmationThumbprint, seal } from "./signed.ts";
import type { SignedType } from "./signed.ts";

interface Claims {
  readonly n: number;
}
const type = (key: SignedType<Claims>["key"]): SignedType<Claims> => ({
  typ: "test+jwt",
  key,
  algs: ["ES256", "Ed25519"],
  maxBytes: 1000,
  invalid: "request_invalid",
  read: (payload) => {
    const members = new Members(payload, "request_invalid");
    const claims = { n: members.integer("n") };
    members.end();
    return claims;
  },
  write: (claims) => claims,
});

const by = generateSigner();
const other = generateSigner();
const kid = thumbprint(nodeCrypto, by.key);

async function signed(header: object, payload: string, signer = by): Promise<string> {
  const input = `${base64url(utf8(JSON.stringify(header)))}.${base64url(utf8(payload))}`;
  return `${input}.${base64url(await signer.sign(utf8(input)))}`;
}

describe("signed objects", () => {
  const plain = { alg: "ES256", typ: "test+jwt" };
  test.each([
    ["key given", "given", plain, '{"n":1}', "accepted"],
    ["key in the header", "header", { ...plain, jwk: by.key }, '{"n":1}', "accepted"],
    ["key by kid", "kid", { ...plain, kid }, '{"n":1}', "accepted"],
    ["kid of nobody", "kid", { ...plain, kid: "x" }, '{"n":1}', "unknown_key"],
    ["kid absent", "kid", plain, '{"n":1}', "unknown_key"],
    ["another type", "given", { ...plain, typ: "JWT" }, '{"n":1}', "wrong_type"],
    ["crit", "given", { ...plain, crit: ["x"] }, '{"n":1}', "unsupported_critical"],
    [
      "jwk where the key is given",
      "given",
      { ...plain, jwk: by.key },
      '{"n":1}',
      "malformed_token",
    ],
    [
      "jku beside jwk",
      "header",
      { ...plain, jwk: by.key, jku: "https://x" },
      '{"n":1}',
      "malformed_token",
    ],
    ["alg none", "given", { ...plain, alg: "none" }, '{"n":1}', "unsupported_alg"],
    [
      "alg of another key type",
      "given",
      { ...plain, alg: "Ed25519" },
      '{"n":1}',
      "unsupported_alg",
    ],
    [
      "another key in the header",
      "header",
      { ...plain, jwk: other.key },
      '{"n":1}',
      "invalid_signature",
    ],
    [
      "a private key in the header",
      "header",
      { ...plain, jwk: { ...by.key, d: "AA" } },
      '{"n":1}',
      "invalid_key",
    ],
    [
      "a point off its curve",
      "header",
      { ...plain, jwk: { ...by.key, x: by.key.kty === "EC" ? by.key.y : "" } },
      '{"n":1}',
      "invalid_key",
    ],
    ["claims of another form", "given", plain, '{"n":"1"}', "request_invalid"],
    ["an unknown claim", "given", plain, '{"n":1,"m":2}', "request_invalid"],
    ["a member twice", "given", plain, '{"n":1,"n":1}', "malformed_token"],
    ["claims that are no object", "given", plain, "[1]", "malformed_token"],
  ] as const)("%s → %#", async (_, key, header, payload, code) => {
    const octets = await signed(header, payload);
    expect(await outcomeOf(() => open(nodeCrypto, type(key), octets, [by.key]))).toBe(code);
  });

  test("no key or two keys where one is given", async () => {
    const octets = await signed(plain, '{"n":1}');
    for (const keys of [[], [by.key, other.key]])
      expect(await outcomeOf(() => open(nodeCrypto, type("given"), octets, keys))).toBe(
        "unknown_key",
      );
  });

  test.each(["given", "header", "kid"] as const)("seal then open: %s", async (key) => {
    for (const signer of [by, generateSigner("Ed25519")]) {
      const sealed = await seal(nodeCrypto, type(key), { n: 7 }, signer);
      const read = await open(nodeCrypto, type(key), sealed.octets, [signer.key]);
      expect(read.claims).toEqual({ n: 7 });
      expect(read.digest).toBe(digestOf(nodeCrypto, sealed.octets));
      expect(read.key).toEqual(signer.key);
    }
  });

  test("any change of one character is refused", async () => {
    const { octets } = await seal(nodeCrypto, type("header"), { n: 7 }, by);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    await fc.assert(
      fc.asyncProperty(
        fc.nat(octets.length - 1),
        fc.constantFrom(...alphabet.split("")),
        async (at, character) => {
          fc.pre(octets.charAt(at) !== character);
          const changed = octets.slice(0, at) + character + octets.slice(at + 1);
          expect(await outcomeOf(() => open(nodeCrypto, type("header"), changed))).not.toBe(
            "accepted",
          );
        },
      ),
    );
  });

  test.each([
    ["a.b.c.d", "malformed_token"],
    ["a.b", "malformed_token"],
    ["..", "malformed_token"],
    [`${base64url(utf8("{}"))}.e30.`, "accepted"],
    [`${base64url(utf8("{}"))}.e30.AA=`, "malformed_token"],
    [` ${base64url(utf8("{}"))}.e30.AA`, "malformed_token"],
    ["x".repeat(1001), "too_large"],
  ])("compact form %s → %s", async (octets, code) => {
    expect(await outcomeOf(() => parseCompact(octets, 1000))).toBe(code);
  });

  test("returns or refuses, whatever comes", async () => {
    const codes = ["accepted", "malformed_token", "too_large"];
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), fc.string(), async (a, b, c) => {
        const octets = `${base64url(utf8(a))}.${base64url(utf8(b))}.${c}`;
        expect(codes).toContain(await outcomeOf(() => parseCompact(octets, 1000)));
      }),
    );
  });

  test.each([
    [{ jkt: kid }, "accepted"],
    [{ jkt: "x" }, "endorsement_invalid"],
    [{ jkt: kid, jwk: {} }, "endorsement_invalid"],
    [{}, "endorsement_invalid"],
    ["x", "endorsement_invalid"],
  ])("cnf %j → %s", async (cnf, code) => {
    expect(await outcomeOf(() => readConfirmationThumbprint(cnf, "endorsement_invalid"))).toBe(
      code,
    );
  });
});
