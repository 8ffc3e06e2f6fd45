import { spawnSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  fromBase64url,
  parseCompact,
  Refusal,
  thumbprint,
  utf8,
  verifyApproval,
  verifyOwnerSignature,
  writeStatement,
} from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { fakeCli } from "../../packages/cli/src/cli.testing.ts";
import { heldPin } from "../../packages/cli/src/pkcs11/pins.ts";
import type { PinSource } from "../../packages/cli/src/pkcs11/pins.ts";
import { openOwnerKey, readOwnerKey } from "../../packages/cli/src/signing.ts";
import { CREDENTIAL, KEY } from "../conformance/consent-fixture.ts";
import { peer } from "./peers.ts";
import { PIN, SoftHsm } from "./token.ts";

const areHere = [peer("softhsm2-util"), peer("pkcs11-tool")].every(({ present }) => present);
const openssl = peer("openssl");

/** r ‖ s as OpenSSL takes it: SEQUENCE { INTEGER r, INTEGER s }. */
function derOf(raw: Uint8Array): Uint8Array {
  const integer = (half: Uint8Array): readonly number[] => {
    const digits = [...half.subarray(half.findIndex((octet) => octet !== 0))];
    const body = (digits[0] ?? 0) > 0x7f ? [0, ...digits] : digits;
    return [2, body.length, ...body];
  };
  const both = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))];
  return Uint8Array.of(0x30, both.length, ...both);
}

describe.skipIf(!areHere)("a key on a token, through pkcs11-tool", () => {
  let folder = "";
  let hsm: SoftHsm;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "countersign-pkcs11-"));
    hsm = new SoftHsm(folder);
    hsm.makeToken("corp");
    hsm.makeKey("corp", "EC:prime256v1", "01", "approve");
    hsm.makeKey("corp", "EC:edwards25519", "02", "edwards");
    hsm.makeKey("corp", "rsa:2048", "03", "rsa");
    hsm.makeKey("corp", "EC:secp384r1", "04", "p384");
    hsm.makeKey("corp", "EC:prime256v1", "05", "twins");
    hsm.makeKey("corp", "EC:prime256v1", "06", "twins");
    hsm.makeToken("spare");
    hsm.makeKey("spare", "EC:prime256v1", "01", "approve");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const cli = () => ({ ...fakeCli(), env: { all: { ...process.env, ...hsm.env } } });
  /** As typed, one after the other; how many were asked for can be seen. */
  const pins = (...typed: readonly string[]): PinSource & { readonly left: string[] } => {
    const left = [...typed];
    return {
      left,
      next: () => Promise.resolve(utf8(left.shift() ?? "")),
      refused: () => undefined,
      close: () => undefined,
    };
  };
  const refusalOf = async (run: () => Promise<unknown>): Promise<Refusal> => {
    try {
      await run();
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
    throw new Error("it was not refused");
  };

  it("signs each kind of statement, and our verifier says so", async () => {
    const uri = hsm.uri("token=corp;object=approve");
    const signer = await openOwnerKey(cli(), uri, "s.json", pins(PIN, PIN));
    const { key, comment } = signer;
    expect([key.jwk.crv, comment]).toEqual(["P-256", "corp: approve"]);
    expect(await readOwnerKey(cli(), uri)).toEqual(key);
    const jkt = thumbprint(nodeCrypto, key.jwk);
    const owner = { ...CREDENTIAL.owner, jkt };
    const credential = writeStatement(nodeCrypto, { ...CREDENTIAL, owner });
    const sig = await signer.sign(credential.bytes);
    const approval = await verifyApproval(nodeCrypto, credential, sig, key);
    expect(approval.assurance).toBe(2); // a PIN is not in the signature
    const { bytes } = writeStatement(nodeCrypto, KEY);
    const input = { statementBytes: bytes, signature: await signer.sign(bytes), key };
    expect(await verifyOwnerSignature(nodeCrypto, input)).toMatchObject({ kind: "jws" });
  });

  it.skipIf(!openssl.present)(
    "OpenSSL verifies it, with the public key that the token shows",
    async () => {
      const uri = hsm.uri("token=corp;id=%01");
      const signer = await openOwnerKey(cli(), uri, "s.json", pins(PIN));
      const { bytes } = writeStatement(nodeCrypto, CREDENTIAL);
      const { s } = (await signer.sign(bytes)) as { s: string }; // a JWS
      const jws = parseCompact(s, 16_384);
      const [pem, input, sig] = ["key.pem", "input", "sig"].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      const spki = createPublicKey({ key: { ...signer.key.jwk }, format: "jwk" });
      writeFileSync(pem, spki.export({ format: "pem", type: "spki" }));
      writeFileSync(input, jws.signingInput);
      writeFileSync(sig, derOf(fromBase64url(s.split(".")[2] ?? "")));
      const judged = spawnSync(
        openssl.path,
        ["dgst", "-sha256", "-verify", pem, "-signature", sig, input],
        { encoding: "utf8" },
      );
      expect(judged.stdout).toContain("Verified OK");
    },
  );

  it.each([
    ["no such token", "token=other;object=approve", "not_found", /"corp", "spare"/],
    ["two tokens that fit", "object=approve", "not_found", /2 tokens fit/],
    ["no such label", "token=corp;object=nope", "not_found", /no such key .*"approve"/],
    ["no such id", "token=corp;id=%99", "not_found", /no such key/],
    ["label and id of two keys", "token=corp;object=approve;id=%02", "not_found", /no such key/],
    ["two keys that fit", "token=corp;object=twins", "not_found", /2 keys fit/],
    ["an RSA key", "token=corp;object=rsa", "key_unsupported", /of type RSA/],
    ["a key on P-384", "token=corp;object=p384", "key_unsupported", /on another curve/],
    ["an Edwards key", "token=corp;object=edwards", "key_unsupported", /no more than 1024 octets/],
    ["another slot", "slot-id=1;object=approve", "not_found", /no such token/],
    ["another serial", "serial=00;object=approve", "not_found", /no such token/],
  ])("refused: %s", async (_name, path, code, why) => {
    const given = pins(PIN);
    const refusal = await refusalOf(() => openOwnerKey(cli(), hsm.uri(path), "s.json", given));
    expect([refusal.code, refusal.message]).toEqual([code, expect.stringMatching(why)]);
    expect(given.left).toEqual([PIN]); // no PIN is asked for what is not there
  });

  it("tells keys of one label apart by their id", async () => {
    const [five, six] = await Promise.all(
      ["05", "06"].map((id) => readOwnerKey(cli(), hsm.uri(`token=corp;object=twins;id=%${id}`))),
    );
    expect(five).not.toEqual(six);
  });

  it("refuses a module that is not there, and one that is none", async () => {
    const uri = (path: string) => `pkcs11:token=corp;object=approve?module-path=${path}`;
    const missing = await refusalOf(() => openOwnerKey(cli(), uri("/nowhere/m.so"), "s", pins()));
    expect([missing.code, missing.message]).toMatchObject(["not_found", /./]);
    const file = join(folder, "m.so");
    writeFileSync(file, "no module");
    expect((await refusalOf(() => openOwnerKey(cli(), uri(file), "s", pins()))).code).toBe(
      "token_refused",
    );
  });

  it("names what to install where there is no pkcs11-tool", async () => {
    const bare = { ...fakeCli(), env: { all: { PATH: folder } } };
    const refusal = await refusalOf(() =>
      openOwnerKey(bare, hsm.uri("token=corp;object=approve"), "s", pins(PIN)),
    );
    expect([refusal.code, refusal.next]).toEqual(["not_found", expect.stringContaining("opensc")]);
  });

  const statement = writeStatement(nodeCrypto, CREDENTIAL).bytes;
  it.each([
    ["a wrong PIN", "000000", "it refused the PIN"],
    ["a short PIN", "1", "it refused the PIN"],
  ])("%s is tried once, and not repeated", async (_name, wrong, why) => {
    const given = pins(wrong, PIN);
    const uri = hsm.uri("token=corp;object=approve");
    const signer = await openOwnerKey(cli(), uri, "s.json", given);
    const refusal = await refusalOf(() => signer.sign(statement));
    expect([refusal.code, refusal.message]).toEqual(["token_refused", `token_refused: ${why}`]);
    expect(given.left).toEqual([PIN]);
    expect(`${refusal.message}${refusal.next}`).not.toContain(wrong);
  });

  it("a held PIN that was refused is never given again, though many are to be signed", async () => {
    const given = pins("000000", PIN);
    const held = heldPin(given);
    const signer = await openOwnerKey(cli(), hsm.uri("token=corp;object=approve"), "s", held);
    const said = [];
    for (let count = 0; count < 5; count += 1)
      said.push((await refusalOf(() => signer.sign(statement))).message);
    expect(said).toEqual([
      "token_refused: it refused the PIN",
      ...Array.from({ length: 4 }, () => "token_refused: it refused this PIN before"),
    ]);
    expect(given.left).toEqual([PIN]);
  });

  it("refuses where nobody can type the PIN", async () => {
    const signer = await openOwnerKey(cli(), hsm.uri("token=corp;object=approve"), "s.json");
    expect((await refusalOf(() => signer.sign(statement))).code).toBe("terminal_required");
  });

  it("a token that is gone between the look and the signature", async () => {
    const signer = await openOwnerKey(cli(), hsm.uri("token=spare;id=%01"), "s.json", pins(PIN));
    hsm.removeToken("spare");
    const refusal = await refusalOf(() => signer.sign(statement));
    expect(refusal.code).toBe("token_refused");
  });
});
