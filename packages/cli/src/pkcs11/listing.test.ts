import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner } from "@countersign/node";
import { jwkOfObject } from "./ec.ts";
import { isKey, isToken, readKeyObjects, readTokens } from "./listing.ts";
import { moduleOf, WELL_KNOWN_MODULES } from "./module.ts";
import { tokenRefusal } from "./refused.ts";
import { parsePkcs11Uri } from "./uri.ts";

// as pkcs11-tool 0.23 prints them
const SLOTS = `Available slots:
Slot 0 (0x3ead7965): SoftHSM slot ID 0x3ead7965
  token label        : corp
  token manufacturer : SoftHSM project
  token model        : SoftHSM v2
  token flags        : login required, rng, token initialized, PIN initialized, other flags=0x20
  hardware version   : 2.6
  firmware version   : 2.6
  serial num         : 6d593c823ead7965
  pin min/max        : 4/255
Slot 1 (0x1): Reader with a pad
  token label        : Alice: PIV (1)
  token manufacturer : piv_II
  token model        : PKCS#15 emulated
  token flags        : login required, rng, token initialized, PIN initialized, PIN pad present
  serial num         : 00000000
Slot 2 (0x2): A reader
  (empty)
Slot 3 (0x3): SoftHSM slot ID 0x3
  token state:   uninitialized
`;
const { x, y } = generateSigner().key as { x: string; y: string }; // it was made on P-256
const hex = (text: string): string => Buffer.from(text, "base64url").toString("hex");
const POINT = `04${hex(x)}${hex(y)}`;
const OBJECTS = `Using slot 0 with a present token (0x3ead7965)
Public Key Object; EC  EC_POINT 256 bits
  EC_POINT:   0441${POINT}
  EC_PARAMS:  06082a8648ce3d030107 (OID 1.2.840.10045.3.1.7)
  label:      approve
  ID:         0A41
  Usage:      verify
  Access:     local
Public Key Object; RSA 2048 bits
  label:      rsa: old
  ID:         03
Public Key Object; EC  EC_POINT 256 bits
  label:
`;

describe("what pkcs11-tool lists", () => {
  it("tokens: those that are there and initialised", () => {
    const [corp, pad, ...none] = readTokens(SLOTS);
    expect(none).toEqual([]);
    expect(corp).toEqual({
      slotId: 0x3ead7965,
      label: "corp",
      manufacturer: "SoftHSM project",
      model: "SoftHSM v2",
      serial: "6d593c823ead7965",
      needsLogin: true,
      hasPinPad: false,
    });
    expect(pad).toMatchObject({ slotId: 1, label: "Alice: PIV (1)", hasPinPad: true });
  });

  it("public keys, each with its id and point", () => {
    const [approve, rsa, bare] = readKeyObjects(OBJECTS);
    expect(approve).toMatchObject({ kind: "EC", label: "approve", id: "0a41" });
    expect(rsa).toMatchObject({ kind: "RSA", label: "rsa: old", id: "03", ecPoint: "" });
    expect(bare).toEqual({ kind: "EC", label: "", id: "", ecParams: "", ecPoint: "" });
  });

  it.each([
    "",
    "Error\n",
    "Slot 0 (0x1)\n",
    "  token label : x\n",
    "Slot 0 (0xzz): a\n  token label : b\n",
  ])("nothing: %j", (text) => {
    expect([readTokens(text), readKeyObjects(text)]).toEqual([[], []]);
  });

  it("whatever a driver says, no more than a bounded list", () => {
    const line = fc.constantFrom(
      ...SLOTS.split("\n"),
      ...OBJECTS.split("\n"),
      "  label:      \u001b[2J",
      "Slot 0 (0xffffffffffffffff):",
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(line, fc.string({ unit: "binary" })), { maxLength: 600 }),
        (all) => {
          const text = all.join("\n");
          expect(readTokens(text).length).toBeLessThanOrEqual(256);
          for (const object of readKeyObjects(text)) jwkOfObject(object);
        },
      ),
    );
  });

  it.each([
    ["object=approve", true],
    ["token=corp;object=approve", true],
    [
      "token=corp;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;serial=6d593c823ead7965;id=%0a%41",
      true,
    ],
    ["slot-id=1051556197;id=%0aA", true],
    ["token=cor;object=approve", false],
    ["token=Corp;object=approve", false],
    ["slot-id=0;object=approve", false],
    ["manufacturer=SoftHSM;object=approve", false],
    ["model=SoftHSM;object=approve", false],
    ["serial=6d59;object=approve", false],
    ["object=approve;id=%03", false],
    ["object=Approve", false],
    ["id=%0a", false],
  ])("is meant by pkcs11:%s: %s", (path, wanted) => {
    const uri = parsePkcs11Uri(`pkcs11:${path}`);
    const [corp] = readTokens(SLOTS);
    const [approve] = readKeyObjects(OBJECTS);
    if (corp === undefined || approve === undefined) throw new TypeError("both are listed");
    expect(isToken(uri, corp) && isKey(uri, approve)).toBe(wanted);
  });

  const P256 = "06082a8648ce3d030107";
  const object = { kind: "EC", label: "", id: "" };
  it.each([
    ["in an OCTET STRING", P256, `0441${POINT}`],
    ["bare", P256, POINT],
  ])("a point of P-256 %s", (_name, ecParams, ecPoint) => {
    expect(jwkOfObject({ ...object, ecParams, ecPoint })).toEqual({
      kty: "EC",
      crv: "P-256",
      x,
      y,
    });
  });
  it.each([
    ["on another curve", "06052b8104000a", POINT],
    ["compressed", P256, `02${hex(x)}`],
    ["that is cut off", P256, POINT.slice(0, -2)],
    ["off the curve", P256, `04${hex(x)}${hex(x)}`],
    ["that is not there", P256, ""],
    ["of Ed25519", "130c656477617264733235353139", `0420${hex(x)}`],
  ])("no key: a point %s", (_name, ecParams, ecPoint) => {
    expect(jwkOfObject({ ...object, ecParams, ecPoint })).toBeUndefined();
  });
});

describe("the module that is loaded", () => {
  const none = (): boolean => false;
  it("is the one named, else the first that is well known", () => {
    const [first = "", second = ""] = WELL_KNOWN_MODULES;
    expect(moduleOf("/opt/m.so", (path) => path === "/opt/m.so")).toBe("/opt/m.so");
    expect(moduleOf(undefined, () => true)).toBe(first);
    expect(moduleOf(undefined, (path) => path === second)).toBe(second);
  });
  it.each([undefined, "/opt/m.so"])("is not there: %s", (named) => {
    expect(() => moduleOf(named, none)).toThrow(expect.objectContaining({ code: "not_found" }));
  });
});

describe("what a token refuses", () => {
  it.each([
    ["CKR_PIN_INCORRECT (0xa0)", "it refused the PIN"],
    ["CKR_PIN_LEN_RANGE (0xa2)", "it refused the PIN"],
    ["CKR_PIN_LOCKED (0xa4)", "its PIN is locked"],
    ["CKR_PIN_EXPIRED (0xa3)", "its PIN must be set first"],
    ["CKR_USER_NOT_LOGGED_IN (0x101)", "no PIN was given"],
    ["CKR_TOKEN_NOT_PRESENT (0xe0)", "it is gone"],
    ["CKR_DEVICE_REMOVED (0x32)", "it is gone"],
    ["CKR_MECHANISM_INVALID (0x70)", "the key does not sign this way"],
    ["CKR_GENERAL_ERROR (0x5)", "PKCS11 function C_Sign failed: rv = CKR_GENERAL_ERROR (0x5)"],
  ])("%s: %s", (code, why) => {
    const err = `error: PKCS11 function C_Sign failed: rv = ${code}\nAborting.\n`;
    expect(tokenRefusal({ code: 1, out: "", err })).toMatchObject({
      code: "token_refused",
      message: `token_refused: ${why}`,
    });
  });

  it("shows no escape sequence of a driver", () => {
    const { message } = tokenRefusal({ code: 1, out: "", err: "error: \u001b[2Jgone\n" });
    expect(message).not.toContain("\u001b");
  });
});
