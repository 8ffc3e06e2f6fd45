import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hex, utf8 } from "../bytes.ts";
import { sha256, sha512 } from "./hash.ts";

// FIPS 180-4 examples (CSRC "Cryptographic Standards and Guidelines: Examples", SHA-256 and SHA-512)
const TWO_BLOCKS_256 = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
const TWO_BLOCKS_512 =
  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

describe("hashes in JavaScript", () => {
  it.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [TWO_BLOCKS_256, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
  ])("SHA-256 of %j", (text, wanted) => {
    expect(hex(sha256(utf8(text)))).toBe(wanted);
  });

  it.each([
    [
      "",
      "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    ],
    [
      "abc",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ],
    [
      TWO_BLOCKS_512,
      "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
    ],
  ])("SHA-512 of %j", (text, wanted) => {
    expect(hex(sha512(utf8(text)))).toBe(wanted);
  });

  it.each([
    ["sha256", sha256],
    ["sha512", sha512],
  ] as const)("%s agrees with OpenSSL on octets of any length", (name, hash) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
        expect(hex(hash(data))).toBe(createHash(name).update(data).digest("hex"));
      }),
    );
  });
});
