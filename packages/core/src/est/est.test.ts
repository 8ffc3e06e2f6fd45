import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../crypto.ts";
import { concat } from "../bytes.ts";
import {
  explicit,
  implicitConstructed,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
} from "../der/write.ts";
import { codeOf } from "../x509/estate.testing.ts";
import { readEstBody, writeEstBody, writeEstRequestBody } from "./body.ts";
import { readCertsOnly, writeCertsOnly } from "./certs-only.ts";

const a = sequence(integer(1));
const b = sequence(integer(2));
const data = oid("1.2.840.113549.1.7.1");
const M = "malformed_certificate";

interface Parts {
  type: Bytes;
  version: Bytes;
  digests: Bytes;
  content: Bytes;
  certificates: Bytes;
  crls: Bytes;
  signers: Bytes;
}
function assemble(change: Partial<Parts>): Bytes {
  const { type, version, digests, content, certificates, crls, signers } = {
    type: oid("1.2.840.113549.1.7.2"),
    version: integer(1),
    digests: setOf(),
    content: sequence(data),
    certificates: implicitConstructed(0, b, a),
    crls: new Uint8Array(0),
    signers: setOf(),
    ...change,
  };
  return sequence(
    type,
    explicit(0, sequence(version, digests, content, certificates, crls, signers)),
  );
}

describe("certs-only (RFC 5652 5.1)", () => {
  it.each<[string, Partial<Parts>, string]>([
    ["two certificates", {}, "ok"],
    ["with revocation lists", { crls: implicitConstructed(1, a) }, "ok"],
    ["another content type", { type: data }, M],
    ["version 3", { version: integer(3) }, M],
    ["with a digest algorithm", { digests: setOf(a) }, M],
    ["with content", { content: sequence(data, explicit(0, octetString(a))) }, M],
    ["content of another type", { content: sequence(oid("1.2.3")) }, M],
    ["no certificates", { certificates: new Uint8Array(0) }, M],
    ["an empty set of certificates", { certificates: implicitConstructed(0) }, M],
    [
      "a certificate of another kind",
      { certificates: implicitConstructed(0, implicitConstructed(1, a)) },
      M,
    ],
    [
      "17 certificates",
      { certificates: implicitConstructed(0, ...Array.from({ length: 17 }, () => a)) },
      M,
    ],
    ["with a signer", { signers: setOf(a) }, M],
    ["no signers", { signers: new Uint8Array(0) }, M],
  ])("judges %s", async (_, change, wanted) => {
    expect(await codeOf(() => readCertsOnly(assemble(change)))).toBe(wanted);
  });

  it("reads back what it writes, ordered", async () => {
    expect(readCertsOnly(writeCertsOnly([b, a]))).toEqual([a, b]);
    expect(readCertsOnly(assemble({}))).toEqual([b, a]);
    expect(await codeOf(() => writeCertsOnly([]))).toBe(M);
    expect(await codeOf(() => writeCertsOnly(Array.from({ length: 17 }, () => a)))).toBe(M);
    expect(await codeOf(() => readCertsOnly(concat(writeCertsOnly([a]), Uint8Array.of(0))))).toBe(
      M,
    );
  });

  it("returns or refuses, whatever the octets are", async () => {
    const whole = writeCertsOnly([a, b]);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, octet) => {
        const changed = Uint8Array.from(whole);
        changed[at] = octet;
        expect(await codeOf(() => readCertsOnly(changed))).not.toMatch(/^bug/);
      }),
    );
  });
});

describe("EST bodies (RFC 8951 3)", () => {
  const der = Uint8Array.from({ length: 100 }, (_, at) => at);
  const body = writeEstBody(der);
  it("writes one line for clients, 64 columns for servers", () => {
    expect(body.split("\n").map((line) => line.length)).toEqual([136, 0]);
    expect(
      writeEstRequestBody(der)
        .split("\n")
        .map((line) => line.length),
    ).toEqual([64, 64, 8, 0]);
    expect(writeEstRequestBody(der).replaceAll("\n", "")).toBe(body.trimEnd());
  });

  it.each<[string, string, string]>([
    ["one line", body, "ok"],
    ["64 columns", writeEstRequestBody(der), "ok"],
    ["CR LF", writeEstRequestBody(der).replaceAll("\n", "\r\n"), "ok"],
    ["spaces and tabs", body.replaceAll("AA", "A \tA"), "ok"],
    ["a NUL at the end", `${body}\0`, "ok"],
    ["base64url", body.replaceAll("+", "-").replace("AA", "-A"), "malformed_request"],
    ["no padding", body.replaceAll("=", ""), "malformed_request"],
    ["a vertical tab", `${body}\v`, "malformed_request"],
    ["PEM", `-----BEGIN CERTIFICATE-----\n${body}-----END CERTIFICATE-----\n`, "malformed_request"],
    ["too large", writeEstBody(new Uint8Array(151)), "too_large"],
    ["too much white space", body + " ".repeat(300), "too_large"],
  ])("judges %s", async (_, text, wanted) => {
    expect(await codeOf(() => readEstBody(text, 150))).toBe(wanted);
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (octets) => {
        const whole = Uint8Array.from(octets);
        expect(readEstBody(writeEstBody(whole), 300)).toEqual(whole);
        expect(readEstBody(writeEstRequestBody(whole), 300)).toEqual(whole);
      }),
    );
  });
});
