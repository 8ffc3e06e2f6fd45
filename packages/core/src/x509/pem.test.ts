import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "./estate.testing.ts";
import { pemDecode, pemEncode } from "./pem.ts";

const one = pemEncode("CERTIFICATE", new Uint8Array(100).fill(1));
const two = pemEncode("CERTIFICATE", new Uint8Array(49).fill(2));
const M = "malformed_certificate";

describe("PEM (RFC 7468)", () => {
  it.each<[string, string, string]>([
    ["one", one, "ok"],
    ["two", one + two, "ok"],
    ["two with blank lines", `\n${one}\n\n${two}\n`, "ok"],
    ["lines that end in CR LF", one.replaceAll("\n", "\r\n"), "ok"],
    ["no newline at the end", one.trimEnd(), "ok"],
    ["three, at most two", one + one + two, M],
    ["none", "", M],
    ["text before", `Subject: x\n${one}`, M],
    ["another label", one.replaceAll("CERTIFICATE", "PRIVATE KEY"), M],
    ["no end", one.slice(0, -30), M],
    ["a begin inside", one.replace("\n", "\n-----BEGIN CERTIFICATE-----\n"), M],
    ["an end of another label", one.replace("END CERTIFICATE", "END X"), M],
    ["a blank line inside", one.replace("\n", "\n\n"), M],
    ["a header inside", one.replace("\n", "\nProc-Type: 4,ENCRYPTED\n"), M],
    ["base64 that is cut", one.replace("AQ", "A"), M],
    ["an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", M],
    ["more than fits", `${one}${"\n".repeat(70_000)}`, M],
  ])("judges %s", async (_, text, wanted) => {
    expect(await codeOf(() => pemDecode(text, "CERTIFICATE", 2))).toBe(wanted);
  });

  it("reads back what it writes", async () => {
    expect(await codeOf(() => pemDecode("x", "CERTIFICATE REQUEST", 1, "malformed_csr"))).toBe(
      "malformed_csr",
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (octets) => {
        const der = Uint8Array.from(octets);
        expect(pemDecode(pemEncode("X", der), "X", 1)).toEqual([der]);
      }),
    );
  });
});
