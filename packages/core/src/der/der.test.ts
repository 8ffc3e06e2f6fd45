import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../crypto.ts";
import { Refusal } from "../refusal.ts";
import { readDer } from "./read.ts";
import type { DerReader } from "./read.ts";
import { GENERALIZED_FROM, LAST_SECOND } from "./time.ts";
import {
  bitString,
  boolean,
  ia5String,
  implicitConstructed,
  implicitPrimitive,
  integer,
  namedBits,
  nullValue,
  octetString,
  oid,
  printableString,
  sequence,
  setOf,
  time,
  utf8String,
} from "./write.ts";

function octetsOf(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
function hexOf(octets: Bytes): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}
function ascii(tag: string, text: string): string {
  return tag + text.length.toString(16).padStart(2, "0") + hexOf(new TextEncoder().encode(text));
}

function judge(der: Bytes, read: (reader: DerReader) => unknown): unknown {
  try {
    const reader = readDer(der, 4096, "malformed_certificate");
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    return error instanceof Refusal ? error.code : `bug: ${String(error)}`;
  }
}

const REFUSED = "malformed_certificate";

describe("writer", () => {
  it.each([
    ["empty sequence", sequence(), "3000"],
    ["length 127", octetString(new Uint8Array(127)).subarray(0, 2), "047f"],
    ["length 128", octetString(new Uint8Array(128)).subarray(0, 3), "048180"],
    ["length 256", octetString(new Uint8Array(256)).subarray(0, 4), "04820100"],
    ["zero", integer(0), "020100"],
    ["127", integer(127), "02017f"],
    ["128 gets a sign octet", integer(128), "02020080"],
    ["2^53 − 1", integer(Number.MAX_SAFE_INTEGER), "02071fffffffffffff"],
    ["octets with leading zeros", integer(octetsOf("0000ff")), "020200ff"],
    ["octets of zero", integer(octetsOf("0000")), "020100"],
    ["bit string", bitString(octetsOf("ab")), "030200ab"],
    ["digitalSignature", namedBits([0]), "03020780"],
    ["keyCertSign", namedBits([5]), "03020204"],
    ["decipherOnly", namedBits([8]), "0303070080"],
    ["true", boolean(true), "0101ff"],
    ["false", boolean(false), "010100"],
    ["null", nullValue(), "0500"],
    ["object identifier", oid("1.3.6.1.4.1.32473.1.1"), "060a2b0601040181fd590101"],
    ["object identifier 2.5.29.17", oid("2.5.29.17"), "0603551d11"],
    ["UTF-8", utf8String("é"), "0c02c3a9"],
    ["printable", printableString("A"), "130141"],
    ["IA5", ia5String("a"), "160161"],
    ["last second of UTCTime", time(GENERALIZED_FROM - 1), ascii("17", "491231235959Z")],
    ["first second of GeneralizedTime", time(GENERALIZED_FROM), ascii("18", "20500101000000Z")],
    ["end of time", time(LAST_SECOND), ascii("18", "99991231235959Z")],
    ["set in order", setOf(integer(2), integer(1)), "3106020101020102"],
    ["[0] implicit", implicitPrimitive(0, octetsOf("03")), "800103"],
    ["[5] implicit", implicitConstructed(5, integer(1)), "a503020101"],
  ])("writes %s", (_, der, wanted) => {
    expect(hexOf(der)).toBe(wanted);
  });
});

describe("reader: lengths and tags", () => {
  it.each([
    ["one element", "0500", "ok"],
    ["nothing", "", REFUSED],
    ["tag only", "05", REFUSED],
    ["trailing octet", "050000", REFUSED],
    ["high tag number", "1f8100", REFUSED],
    ["indefinite length", "30800000", REFUSED],
    ["length over the end", "0402ff", REFUSED],
    ["long form for a short length", "04817f" + "00".repeat(127), REFUSED],
    ["long form with a leading zero", "04820080" + "00".repeat(128), REFUSED],
    ["long form, minimal", "048180" + "00".repeat(128), "ok"],
    ["length of five octets", "0485000000000100", REFUSED],
    ["length ends early", "0482", REFUSED],
  ])("judges %s", (_, text, wanted) => {
    const result = judge(octetsOf(text), (reader) => {
      reader.any();
      return "ok";
    });
    expect(result).toBe(wanted);
  });

  it("bounds size and depth", () => {
    expect(judge(new Uint8Array(5000), () => "ok")).toBe(REFUSED);
    let der = sequence();
    for (let i = 0; i < 40; i += 1) der = sequence(der);
    const descend = (reader: DerReader): unknown =>
      reader.isDone ? "ok" : descend(reader.sequence());
    expect(judge(der, descend)).toBe(REFUSED);
    expect(judge(sequence(sequence()), (reader) => reader.sequence().sequence().isDone)).toBe(true);
  });

  it("refuses another type than the one asked for", () => {
    expect(judge(integer(1), (reader) => reader.octets())).toBe(REFUSED);
    expect(judge(sequence(), (reader) => reader.set())).toBe(REFUSED);
    expect(judge(sequence(), (reader) => reader.context(0))).toBe(REFUSED);
  });
});

describe("reader: values", () => {
  it.each<[string, string, (reader: DerReader) => unknown, unknown]>([
    ["integer 5", "020105", (r) => r.small(9), 5],
    ["integer over its bound", "02010a", (r) => r.small(9), REFUSED],
    ["integer 128", "02020080", (r) => r.small(255), 128],
    ["integer without octets", "0200", (r) => r.small(9), REFUSED],
    ["negative integer", "020180", (r) => r.small(255), REFUSED],
    ["integer that is not minimal", "02020005", (r) => r.small(9), REFUSED],
    ["integer of five octets", "02050100000000", (r) => r.small(2 ** 31), REFUSED],
    ["true", "0101ff", (r) => r.boolean(), true],
    ["false", "010100", (r) => r.boolean(), false],
    ["true as 01", "010101", (r) => r.boolean(), REFUSED],
    ["boolean of two octets", "0102ffff", (r) => r.boolean(), REFUSED],
    ["null", "0500", (r) => r.null(), undefined],
    ["null with content", "050100", (r) => r.null(), REFUSED],
    ["whole bits", "030200ab", (r) => hexOf(r.wholeBits()), "ab"],
    ["bits not whole", "030204a0", (r) => hexOf(r.wholeBits()), REFUSED],
    ["bits with a set unused bit", "030204a8", (r) => r.bits(), REFUSED],
    ["bits, eight unused", "03020800", (r) => r.bits(), REFUSED],
    ["bits, unused of none", "030101", (r) => r.bits(), REFUSED],
    ["bits without octets", "0300", (r) => r.bits(), REFUSED],
    ["named bits", "03020186", (r) => [...r.namedBits()], [0, 5, 6]],
    ["named bits, trailing zero", "03020680", (r) => r.namedBits(), REFUSED],
    ["named bits, none", "030100", (r) => r.namedBits(), REFUSED],
    ["object identifier", "0603551d11", (r) => r.oid(), "2.5.29.17"],
    ["object identifier, first arc 0", "060103", (r) => r.oid(), "0.3"],
    ["object identifier, second arc over 39", "06028837", (r) => r.oid(), "2.999"],
    ["object identifier, arc of 28 bits", "060555ffffff7f", (r) => r.oid(), "2.5.268435455"],
    ["object identifier, arc of 29 bits", "0606558180808000", (r) => r.oid(), "2.5.268435456"],
    ["object identifier, padded long arc", "06065580ffffff7f", (r) => r.oid(), REFUSED],
    [
      "object identifier, large arc",
      "060b6982808080808080808000",
      (r) => r.oid(),
      "2.25.18446744073709551616",
    ],
    ["object identifier, empty", "0600", (r) => r.oid(), REFUSED],
    ["object identifier, unfinished", "060181", (r) => r.oid(), REFUSED],
    ["object identifier, padded arc", "0603558011", (r) => r.oid(), REFUSED],
    ["UTF-8 that is none", "0c01ff", (r) => r.utf8Text(), REFUSED],
    ["UTCTime", ascii("17", "700101000001Z"), (r) => r.time(), 1],
    ["UTCTime before 1970", ascii("17", "691231235959Z"), (r) => r.time(), REFUSED],
    ["UTCTime 2049", ascii("17", "491231235959Z"), (r) => r.time(), GENERALIZED_FROM - 1],
    ["UTCTime 1950", ascii("17", "500101000000Z"), (r) => r.time(), REFUSED],
    ["UTCTime without seconds", ascii("17", "7001010000Z"), (r) => r.time(), REFUSED],
    ["UTCTime with an offset", ascii("17", "700101000001+0100"), (r) => r.time(), REFUSED],
    ["UTCTime, 30 February", ascii("17", "240230000000Z"), (r) => r.time(), REFUSED],
    ["UTCTime, 24 o'clock", ascii("17", "240229240000Z"), (r) => r.time(), REFUSED],
    ["GeneralizedTime before 2050", ascii("18", "20490101000000Z"), (r) => r.time(), REFUSED],
    ["GeneralizedTime with a fraction", ascii("18", "20500101000000.5Z"), (r) => r.time(), REFUSED],
    ["GeneralizedTime", ascii("18", "20500101000000Z"), (r) => r.time(), GENERALIZED_FROM],
  ])("judges %s", (_, text, read, wanted) => {
    expect(judge(octetsOf(text), read)).toEqual(wanted);
  });
});

describe("properties", () => {
  it("reads back what it writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (value) => {
        expect(judge(integer(value), (reader) => reader.small(2 ** 31 - 1))).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST_SECOND }), (at) => {
        expect(judge(time(at), (reader) => reader.time())).toBe(at);
      }),
    );
    const arcs = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 39 }), arcs, (second, rest) => {
        const name = [1, second, ...rest].join(".");
        expect(judge(oid(name), (reader) => reader.oid())).toBe(name);
      }),
    );
    const bits = fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { minLength: 1 });
    fc.assert(
      fc.property(bits, (set) => {
        const sorted = set.toSorted((a, b) => a - b);
        expect(judge(namedBits(set), (reader) => [...reader.namedBits()])).toEqual(sorted);
      }),
    );
  });

  it("returns or refuses, whatever the octets are", () => {
    const reads: readonly ((reader: DerReader) => unknown)[] = [
      (r) => r.any(),
      (r) => r.sequence(),
      (r) => r.unsigned(20),
      (r) => r.namedBits(),
      (r) => r.oid(),
      (r) => r.utf8Text(),
      (r) => r.time(),
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(...reads), (octets, read) => {
        expect(String(judge(octets, read))).not.toMatch(/^bug/);
      }),
    );
  });
});
