import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../bytes.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { writeCbor } from "./authenticator.testing.ts";
import { closedMap, MAX_CBOR_BYTES, readCbor, readCborAt } from "./cbor.ts";
import type { Cbor } from "./cbor.ts";

const octets = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

const BAD = "malformed_request";
describe("CBOR: what is read and what is not", () => {
  it.each<readonly [string, string, Cbor]>([
    ["zero", "00", 0],
    ["23, in the head", "17", 23],
    ["24, in one octet", "1818", 24],
    ["256, in two", "190100", 256],
    ["65536, in four", "1a00010000", 65_536],
    ["the largest", "1affffffff", 4_294_967_295],
    ["minus one", "20", -1],
    ["minus 257", "390100", -257],
    ["false and true", "82f4f5", [false, true]],
    ["text", "6161", "a"],
    ["octets", "420102", Uint8Array.of(1, 2)],
    ["nothing in a list", "80", []],
  ])("%s", (_name, text, value) => {
    expect(readCbor(octets(text))).toEqual(value);
  });

  it.each([
    ["no octet", ""],
    ["24 in one octet too many", "1817"],
    ["255 in two", "1900ff"],
    ["65535 in four", "1a0000ffff"],
    ["a number of eight octets", "1b0000000100000000"],
    ["a reserved length", "1c"],
    ["octets of no definite length", "5f4101ff"],
    ["a text of no definite length", "7f6161ff"],
    ["a list of no definite length", "9f00ff"],
    ["a map of no definite length", "bf00ff"],
    ["a break alone", "ff"],
    ["a tag", "c000"],
    ["null", "f6"],
    ["undefined", "f7"],
    ["a fraction", "f93c00"],
    ["true in two octets", "f815"],
    ["a text that is not UTF-8", "61ff"],
    ["octets that end too early", "4201"],
    ["a list that ends too early", "8200"],
    ["a map without its last value", "a100"],
    ["a member twice", "a200000001"],
    ["a member named by octets", "a1410000"],
    ["a member named by a list", "a18000"],
    ["an octet after the end", "0000"],
    ["33 items", `9821${"00".repeat(33)}`],
    ["six levels", "818181818180"],
    ["a length of 4 GiB", "5affffffff"],
    ["4 Gi items", "9affffffff"],
  ])("%s is refused", async (_name, text) => {
    expect(await outcomeOf(() => readCbor(octets(text)))).toBe(BAD);
  });

  it("takes five levels and 32 items, and refuses more octets than its limit", async () => {
    expect(readCbor(octets("8181818180"))).toEqual([[[[[]]]]]);
    expect(readCbor(octets(`9820${"00".repeat(32)}`))).toHaveLength(32);
    const padded = concat(octets("59"), Uint8Array.of(0x1f, 0xfd), new Uint8Array(8189));
    expect(padded.length).toBe(MAX_CBOR_BYTES);
    expect(await outcomeOf(() => readCbor(padded))).toBe("accepted");
    expect(await outcomeOf(() => readCborAt(concat(padded, octets("00")), 0))).toBe(BAD);
  });

  it("tells where an item ends", () => {
    expect(readCborAt(octets("00016161f5"), 2)).toEqual({ value: "a", end: 4 });
  });

  it("a map has exactly the names that are asked for", async () => {
    const map = readCbor(octets("a2616101616202"));
    expect([...closedMap(map, ["b", "a"]).keys()]).toEqual(["a", "b"]);
    for (const names of [["a"], ["a", "b", "c"], ["a", "c"]])
      expect(await outcomeOf(() => closedMap(map, names))).toBe(BAD);
    expect(await outcomeOf(() => closedMap([], []))).toBe(BAD);
  });
});

describe("CBOR: properties", () => {
  const name = fc.oneof(fc.string({ maxLength: 8 }), fc.integer({ min: -70_000, max: 70_000 }));
  const leaf: fc.Arbitrary<Cbor> = fc.oneof(
    fc.integer({ min: -4_294_967_296, max: 4_294_967_295 }),
    fc.boolean(),
    fc.string({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
  );
  const { tree } = fc.letrec<{ tree: Cbor }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(name, tie("tree")), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    ),
  }));

  it("reads what is written, and its octets have no other reading", () => {
    fc.assert(
      fc.property(tree, (value) => {
        const written = writeCbor(value);
        fc.pre(written.length <= MAX_CBOR_BYTES);
        expect(readCbor(written)).toEqual(value);
        expect(writeCbor(readCbor(written))).toEqual(written);
      }),
    );
  });

  it("what it takes is the one form of what it says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (data) => {
        const input = Uint8Array.from(data);
        if ((await outcomeOf(() => readCbor(input))) === "accepted")
          expect(writeCbor(readCbor(input))).toEqual(input);
      }),
      { numRuns: 2000 },
    );
  });
});
