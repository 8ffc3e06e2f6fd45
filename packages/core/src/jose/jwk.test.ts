import { calculateJwkThumbprint } from "jose";
import { describe, expect, test } from "vitest";
import { generateSigner, nodeCrypto } from "../../../node/src/crypto.ts";
import type { Json } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { algorithmsFor, readConfirmationJwk, readJwk, sameKey, thumbprint } from "./jwk.ts";

const ec = generateSigner().key;
const okp = generateSigner("Ed25519").key;

describe("public keys", () => {
  test.each<readonly [string, Json, string]>([
    ["P-256", { ...ec }, "accepted"],
    ["Ed25519", { ...okp }, "accepted"],
    ["a private member", { ...ec, d: ec.x }, "invalid_key"],
    ["kid beside the key", { ...ec, kid: "a" }, "invalid_key"],
    ["x too short", { ...ec, x: ec.x.slice(0, 42) }, "invalid_key"],
    ["x padded", { ...ec, x: `${ec.x}=` }, "invalid_key"],
    ["x with a zero octet in front", { ...ec, x: `AA${ec.x}` }, "invalid_key"],
    ["x is a number", { ...ec, x: 1 }, "invalid_key"],
    ["unknown curve", { ...ec, crv: "secp256k1" }, "invalid_key"],
    ["unknown type", { kty: "oct", k: "AA" }, "invalid_key"],
    ["y on an Edwards key", { ...okp, y: okp.x }, "invalid_key"],
    ["no object", "x", "invalid_key"],
  ])("%s → %#", async (_, value, code) => {
    expect(await outcomeOf(() => readJwk(value))).toBe(code);
    expect(await outcomeOf(() => readJwk(value, "owner_claim"))).toBe(
      code === "accepted" ? code : "owner_claim",
    );
  });

  test.each<readonly [string, Json, string]>([
    ["ES256", { ...ec, alg: "ES256" }, "accepted"],
    ["EdDSA", { ...okp, alg: "EdDSA" }, "accepted"],
    ["no alg", { ...ec }, "missing_confirmation_alg"],
    ["alg none", { ...ec, alg: "none" }, "forbidden_confirmation_alg"],
    ["alg of another key", { ...ec, alg: "Ed25519" }, "forbidden_confirmation_alg"],
    ["alg is no string", { ...ec, alg: 1 }, "forbidden_confirmation_alg"],
    ["a private member", { ...ec, alg: "ES256", d: ec.x }, "invalid_key"],
  ])("confirmation: %s → %#", async (_, value, code) => {
    expect(await outcomeOf(() => readConfirmationJwk(value))).toBe(code);
  });

  test("thumbprints are those of another implementation (RFC 7638)", async () => {
    for (const key of [ec, okp])
      expect(thumbprint(nodeCrypto, key)).toBe(await calculateJwkThumbprint({ ...key }));
  });

  test("RFC 8037 A.3: thumbprint of the example key", () => {
    const x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    expect(thumbprint(nodeCrypto, { kty: "OKP", crv: "Ed25519", x })).toBe(
      "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    );
  });

  test("keys are the same key when all members agree", () => {
    expect(sameKey(ec, { ...ec })).toBe(true);
    expect(sameKey(ec, okp)).toBe(false);
    expect(sameKey(ec, generateSigner().key)).toBe(false);
    expect(algorithmsFor(ec)).toEqual(["ES256"]);
    expect(algorithmsFor(okp)).toEqual(["Ed25519", "EdDSA"]);
  });
});
