import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { isPkcs11Uri, parsePkcs11Uri } from "./uri.ts";
import type { Pkcs11Uri } from "./uri.ts";

describe("a PKCS#11 URI (RFC 7512)", () => {
  it.each<readonly [string, Pkcs11Uri]>([
    ["pkcs11:object=approve", { object: "approve" }],
    ["pkcs11:id=%01", { id: "01" }],
    ["pkcs11:id=%0aA%FF", { id: "0a41ff" }],
    ["pkcs11:token=corp;object=approve", { token: "corp", object: "approve" }],
    ["pkcs11:object=a%20b%3B%C3%A9;token=T", { object: "a b;é", token: "T" }],
    ["pkcs11:slot-id=0;id=%01", { slotId: 0, id: "01" }],
    ["pkcs11:slot-id=4294967295;id=%01", { slotId: 4_294_967_295, id: "01" }],
    // as p11tool and pkcs11-tool print them
    [
      "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=8f1f0e9a5d6c0e8a;token=corp;id=%01;object=approve;type=private",
      {
        model: "SoftHSM v2",
        manufacturer: "SoftHSM project",
        serial: "8f1f0e9a5d6c0e8a",
        token: "corp",
        id: "01",
        object: "approve",
      },
    ],
    [
      "pkcs11:object=approve?module-path=/usr/lib/softhsm/libsofthsm2.so",
      { object: "approve", modulePath: "/usr/lib/softhsm/libsofthsm2.so" },
    ],
  ])("%s", (text, wanted) => {
    expect(isPkcs11Uri(text)).toBe(true);
    expect(parsePkcs11Uri(text)).toEqual(wanted);
  });

  it("is what it was written from, and nothing else is taken", () => {
    const escaped = (text: string): string =>
      [...new TextEncoder().encode(text)]
        .map((octet) => `%${octet.toString(16).padStart(2, "0")}`)
        .join("");
    const label = fc
      .string({ unit: "binary", minLength: 1, maxLength: 32 })
      .filter((text) => !/[\u0000-\u001f\u007f]/.test(text));
    fc.assert(
      fc.property(label, label, (token, object) => {
        const text = `pkcs11:token=${escaped(token)};object=${escaped(object)}`;
        expect(parsePkcs11Uri(text)).toEqual({ token, object });
      }),
    );
    const piece = fc.constantFrom(
      "pkcs11:",
      ";",
      "?",
      "&",
      "=",
      "%",
      "%41",
      "object",
      "id",
      "pin-value",
      "a",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ unit: "binary" }))), (pieces) => {
        try {
          parsePkcs11Uri(pieces.join(""));
        } catch (problem) {
          expect(problem).toMatchObject({ code: "malformed_request" });
        }
      }),
    );
  });

  const SECRET = "847362";
  it.each([
    ["another scheme", "pkcs12:object=a"],
    ["an upper-case scheme", "PKCS11:object=a"],
    ["nothing", "pkcs11:"],
    ["no key", "pkcs11:token=corp"],
    ["an attribute without name", "pkcs11:=a;object=b"],
    ["an attribute without value", "pkcs11:object"],
    ["an empty value", "pkcs11:object="],
    ["an empty attribute", "pkcs11:object=a;"],
    ["one attribute twice", "pkcs11:object=a;object=b"],
    ["an unknown attribute", "pkcs11:object=a;colour=red"],
    ["a vendor's attribute", "pkcs11:object=a;x-acme=1"],
    ["a space", "pkcs11:object=a b"],
    ["a slash in the path", "pkcs11:object=a/b"],
    ["half an escape", "pkcs11:object=a%2"],
    ["an escape that is none", "pkcs11:object=%zz"],
    ["a label that is not UTF-8", "pkcs11:object=%ff"],
    ["a line feed", "pkcs11:object=a%0ab"],
    ["a zero octet", "pkcs11:object=a%00"],
    ["a letter outside ASCII as it is", "pkcs11:object=é"],
    ["a slot that is no number", "pkcs11:object=a;slot-id=0x1"],
    ["a slot too large", "pkcs11:object=a;slot-id=4294967296"],
    ["a certificate", "pkcs11:object=a;type=cert"],
    ["an empty query", "pkcs11:object=a?"],
    ["two queries", "pkcs11:object=a?module-path=/m?module-path=/n"],
    ["a module that is found by the loader", "pkcs11:object=a?module-path=m.so"],
    ["a module by name", "pkcs11:object=a?module-name=softhsm"],
    ["a PIN", `pkcs11:object=a?pin-value=${SECRET}`],
    ["a PIN in the path", `pkcs11:object=a;pin-value=${SECRET}`],
    ["a PIN that is badly written", `pkcs11:object=a?pin-value= ${SECRET}`],
    ["a PIN without name", `pkcs11:object=a?${SECRET}`],
    ["a file with the PIN", `pkcs11:object=a?pin-source=/tmp/${SECRET}`],
    ["2049 characters", `pkcs11:object=${"a".repeat(2035)}`],
  ])("refused: %s", (_name, text) => {
    let problem: unknown;
    try {
      parsePkcs11Uri(text);
    } catch (refusal) {
      problem = refusal;
    }
    if (!(problem instanceof Refusal)) throw problem;
    expect(problem.code).toBe("malformed_request");
    expect(`${problem.message} ${problem.next}`).not.toContain(SECRET);
  });
});
