import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "../refusal.ts";
import { readClientCert, writeClientCert } from "./client-cert.ts";

const wordOf = (lines: readonly string[]): string => {
  try {
    return readClientCert(lines) === undefined ? "none" : "read";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
};

describe("RFC 9440 section 2.2: Client-Cert", () => {
  it("reads what it writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (der) => {
        expect(readClientCert([writeClientCert(der)])).toEqual(der);
      }),
    );
  });

  it.each<readonly [string, readonly string[], string]>([
    ["no line", [], "none"],
    ["one", [":AAAA:"], "read"],
    ["with spaces around", ["  :AAAA: "], "read"],
    ["two lines", [":AAAA:", ":AAAA:"], "malformed_request"],
    ["two in a line", [":AAAA:,:AAAA:"], "malformed_request"],
    ["parameters", [":AAAA:;a=1"], "malformed_request"],
    ["base64url", [":AA-_:"], "malformed_request"],
    ["no padding where there must be", [":AAA:"], "malformed_request"],
    ["bits left over", [":AB==:"], "malformed_request"],
    ["a token", ["AAAA"], "malformed_request"],
    ["nothing", ["::"], "malformed_request"],
    ["an empty line", [""], "malformed_request"],
    ["more than a certificate", [`:${"AAAA".repeat(6000)}:`], "malformed_request"],
  ])("%s", (_name, lines, word) => {
    expect(wordOf(lines)).toBe(word);
  });
});
