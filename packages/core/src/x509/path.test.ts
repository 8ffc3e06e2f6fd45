import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { boolean, integer, namedBits, oid, sequence, time } from "../der/write.ts";
import {
  authorityKeyId,
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyId,
} from "./build.ts";
import type { Certificate } from "./certificate.ts";
import {
  AGENT,
  assemble,
  assembleCa,
  c,
  codeOf,
  leafExtensions,
  leafParts,
  makeEstate,
  makeWic,
  nameOf,
  NOW,
  OFF_CURVE_SPKI,
} from "./estate.testing.ts";
import type { Estate, Parts } from "./estate.testing.ts";
import { writeExtension } from "./extension.ts";
import { OID } from "./oids.ts";
import { verifyPath } from "./path.ts";
import type { PathInput } from "./path.ts";

const estate = await makeEstate();
const other = await makeEstate(undefined, "example.org other");
const key = generateSigner().key;
const wic = await makeWic(estate, AGENT, key);
const valid: PathInput = {
  chain: [wic, estate.issuing.der],
  anchors: [estate.root.der],
  purpose: "client",
  now: NOW,
};
const good = leafExtensions(estate.issuing, key);
const BASIC = 1;
const USAGE = 2;
const AKI = 4;
const EKU = 5;

function leaf(change: Partial<Parts>, extensions: readonly Bytes[] = good): Promise<Bytes> {
  return assemble(leafParts(estate.issuing, key, change, extensions), estate.issuingKey);
}
async function withLeaf(
  change: Partial<Parts>,
  extensions: readonly Bytes[] = good,
): Promise<Partial<PathInput>> {
  return { chain: [await leaf(change, extensions), estate.issuing.der] };
}

describe("path (RFC 5280 6): chain, dates, leaf", () => {
  it.each<[string, Partial<PathInput> | Promise<Partial<PathInput>>, string]>([
    ["the valid path", {}, "ok"],
    ["with the root sent along", { chain: [...valid.chain, estate.root.der] }, "ok"],
    ["with another anchor before it", { anchors: [other.root.der, estate.root.der] }, "ok"],
    ["with the issuing CA as anchor", { chain: [wic], anchors: [estate.issuing.der] }, "ok"],
    ["no certificate", { chain: [] }, "untrusted_chain"],
    ["no anchor", { anchors: [] }, "untrusted_chain"],
    ["another anchor", { anchors: [other.root.der] }, "untrusted_chain"],
    ["no intermediate", { chain: [wic] }, "untrusted_chain"],
    ["the wrong intermediate", { chain: [wic, other.issuing.der] }, "untrusted_chain"],
    [
      "an intermediate twice",
      { chain: [wic, estate.issuing.der, estate.issuing.der] },
      "untrusted_chain",
    ],
    ["the wrong order", { chain: [estate.issuing.der, wic] }, "untrusted_chain"],
    ["five certificates", { chain: [...valid.chain, ...valid.chain] }, "untrusted_chain"],
    ["the leaf as its own anchor", { chain: [wic], anchors: [wic] }, "untrusted_chain"],
    [
      "65 anchors",
      { anchors: Array.from({ length: 65 }, () => estate.root.der) },
      "untrusted_chain",
    ],
    [
      "something else than a certificate",
      { chain: [Uint8Array.of(5, 0)] },
      "malformed_certificate",
    ],
    ["an anchor that is none", { anchors: [Uint8Array.of(5, 0)] }, "malformed_certificate"],
    ["a leaf key off its curve", withLeaf({ spki: OFF_CURVE_SPKI }), "malformed_certificate"],
    ["before it begins", { now: NOW - 61 }, "not_yet_valid"],
    ["before it begins, within the skew", { now: NOW - 61, skewSeconds: 1 }, "ok"],
    ["in its first second", { now: NOW - 60 }, "ok"],
    ["in its last second", { now: NOW + 899 }, "ok"],
    ["at its end", { now: NOW + 900 }, "expired"],
    ["at its end, within the skew", { now: NOW + 900, skewSeconds: 1 }, "ok"],
    ["past the skew", { now: NOW + 901, skewSeconds: 1 }, "expired"],
    ["issuer name of another CA", withLeaf({ issuer: nameOf("x") }), "untrusted_chain"],
    ["empty issuer name", withLeaf({ issuer: sequence() }), "untrusted_chain"],
    [
      "key id of another CA",
      withLeaf({}, good.with(AKI, authorityKeyId(new Uint8Array(20)))),
      "untrusted_chain",
    ],
    ["no authority key id", withLeaf({}, good.toSpliced(AKI, 1)), "ok"],
    ["CA as leaf", { chain: [estate.issuing.der] }, "not_end_entity"],
    ["root as leaf", { chain: [estate.root.der] }, "not_end_entity"],
    [
      "leaf that says CA",
      withLeaf({}, good.with(BASIC, basicConstraints({ pathLength: 0 }))),
      "not_end_entity",
    ],
    [
      "leaf with keyCertSign",
      withLeaf({}, good.with(USAGE, keyUsage("keyCertSign"))),
      "not_end_entity",
    ],
    [
      "leaf with cRLSign",
      withLeaf({}, good.with(USAGE, writeExtension(OID.keyUsage, true, namedBits([0, 6])))),
      "not_end_entity",
    ],
    [
      "leaf without digitalSignature",
      withLeaf({}, good.with(USAGE, writeExtension(OID.keyUsage, true, namedBits([4])))),
      "wrong_purpose",
    ],
    ["no key usage, no basic constraints", withLeaf({}, good.toSpliced(BASIC, 2)), "ok"],
    ["no extended key usage", withLeaf({}, good.toSpliced(EKU, 1)), "ok"],
    [
      "server only, asked as client",
      withLeaf({}, good.with(EKU, extendedKeyUsage("serverAuth"))),
      "wrong_purpose",
    ],
    [
      "any purpose in the leaf",
      withLeaf(
        {},
        good.with(
          EKU,
          writeExtension(OID.extendedKeyUsage, false, sequence(oid(OID.anyExtendedKeyUsage))),
        ),
      ),
      "wrong_purpose",
    ],
    ["asked as server", { purpose: "server" }, "ok"],
    [
      "unknown critical extension",
      withLeaf({}, [...good, writeExtension("1.2.3", true, integer(1))]),
      "unsupported_constraint",
    ],
    [
      "name constraints",
      withLeaf({}, [...good, writeExtension(OID.nameConstraints, false, sequence())]),
      "unsupported_constraint",
    ],
  ])("judges %s", async (_, change, wanted) => {
    const input = { ...valid, ...(await change) };
    expect(await codeOf(() => verifyPath(c, input))).toBe(wanted);
  });

  it("asks nothing of the purpose when any will do", async () => {
    const chain = [
      await leaf({}, good.with(EKU, extendedKeyUsage("serverAuth"))),
      estate.issuing.der,
    ];
    expect(await codeOf(() => verifyPath(c, { ...valid, chain, purpose: "any" }))).toBe("ok");
    expect(await codeOf(() => verifyPath(c, { ...valid, chain, purpose: "client" }))).toBe(
      "wrong_purpose",
    );
  });

  it("returns leaf, anchor and what is between", async () => {
    const { leaf: found, anchor, path } = await verifyPath(c, valid);
    expect(found.der).toEqual(wic);
    expect(anchor.der).toEqual(estate.root.der);
    expect(path.map(({ der }) => der)).toEqual([wic, estate.issuing.der, estate.root.der]);
  });
});

describe("x509-svid level", () => {
  it.each<[string, Partial<PathInput> | Promise<Partial<PathInput>>, string]>([
    ["what we issue", {}, "ok"],
    ["no key usage", withLeaf({}, good.toSpliced(USAGE, 1)), "wrong_purpose"],
    [
      "key usage that is not critical",
      withLeaf({}, good.with(USAGE, writeExtension(OID.keyUsage, false, namedBits([0])))),
      "wrong_purpose",
    ],
    ["no basic constraints", withLeaf({}, good.toSpliced(BASIC, 1)), "not_end_entity"],
    [
      "names not critical, subject empty",
      withLeaf({}, good.with(0, subjectAltName({ uri: AGENT }, false))),
      "malformed_certificate",
    ],
    [
      "names not critical, subject there",
      withLeaf({ subject: nameOf("x") }, good.with(0, subjectAltName({ uri: AGENT }, false))),
      "ok",
    ],
  ])("judges %s", async (_, change, wanted) => {
    const input: PathInput = { ...valid, ...(await change), level: "x509-svid" };
    expect(await codeOf(() => verifyPath(c, input))).toBe(wanted);
  });
});

/** A leaf under a CA made by hand under a root made by hand. */
async function under(
  ca: readonly Bytes[],
  root: readonly Bytes[] = rootExtensions,
  validity?: Bytes,
): Promise<PathInput> {
  const rootKey = generateSigner();
  const caKey = generateSigner();
  const top = await assembleCa({ name: "root", key: rootKey.key, by: rootKey, extensions: root });
  const middle = await assembleCa({
    name: "ca",
    key: caKey.key,
    by: rootKey,
    issuer: top,
    extensions: ca,
    ...(validity === undefined ? {} : { validity }),
  });
  const der = await assemble(leafParts(middle, key, {}, leafExtensions(middle, key)), caKey);
  return { ...valid, chain: [der, middle.der], anchors: [top.der] };
}
const isCa = writeExtension(OID.basicConstraints, true, sequence(boolean(true)));
const maySign = keyUsage("keyCertSign");
const rootExtensions = [isCa, maySign];

describe("path: CAs", () => {
  it.each<[string, Promise<PathInput>, string]>([
    ["plain CAs", under([isCa, maySign]), "ok"],
    ["CA without key usage", under([isCa]), "ok"],
    [
      "CA that may not sign certificates",
      under([isCa, keyUsage("digitalSignature")]),
      "untrusted_chain",
    ],
    ["issuer that is no CA", under([basicConstraints("end entity"), maySign]), "untrusted_chain"],
    ["issuer without extensions", under([]), "untrusted_chain"],
    ["root that is no CA", under([isCa, maySign], [maySign]), "untrusted_chain"],
    [
      "root that may not sign certificates",
      under([isCa], [isCa, keyUsage("crlSign")]),
      "untrusted_chain",
    ],
    [
      "root with path length 0",
      under([isCa], [basicConstraints({ pathLength: 0 }), maySign]),
      "untrusted_chain",
    ],
    [
      "root with path length 1",
      under([isCa], [basicConstraints({ pathLength: 1 }), maySign]),
      "ok",
    ],
    [
      "CA for e-mail only",
      under([
        isCa,
        writeExtension(OID.extendedKeyUsage, false, sequence(oid("1.3.6.1.5.5.7.3.4"))),
      ]),
      "wrong_purpose",
    ],
    [
      "CA for any purpose",
      under([
        isCa,
        writeExtension(OID.extendedKeyUsage, false, sequence(oid(OID.anyExtendedKeyUsage))),
      ]),
      "ok",
    ],
    [
      "CA with name constraints",
      under([isCa, writeExtension(OID.nameConstraints, true, sequence())]),
      "unsupported_constraint",
    ],
    [
      "root with an unknown critical extension",
      under([isCa], [isCa, writeExtension("2.5.29.36", true, sequence())]),
      "unsupported_constraint",
    ],
    [
      "CA that has expired",
      under([isCa], rootExtensions, sequence(time(NOW - 100), time(NOW))),
      "expired",
    ],
    [
      "CA that is not valid yet",
      under([isCa], rootExtensions, sequence(time(NOW + 1), time(NOW + 9))),
      "not_yet_valid",
    ],
  ])("judges %s", async (_, input, wanted) => {
    const ready = await input;
    expect(await codeOf(() => verifyPath(c, ready))).toBe(wanted);
  });

  it("wants key usage of every CA at x509-svid level", async () => {
    const level = "x509-svid";
    const lax = { ...(await under([isCa])), level } as const;
    const strict = { ...(await under([isCa, maySign])), level } as const;
    expect(await codeOf(() => verifyPath(c, lax))).toBe("untrusted_chain");
    expect(await codeOf(() => verifyPath(c, strict))).toBe("ok");
  });

  it("tells CAs of one name apart by their keys", async () => {
    const twin = (await twinOf(estate)).der;
    expect(await codeOf(() => verifyPath(c, { ...valid, anchors: [twin] }))).toBe(
      "untrusted_chain",
    );
    expect(await codeOf(() => verifyPath(c, { ...valid, anchors: [twin, estate.root.der] }))).toBe(
      "ok",
    );
  });

  it("verifies Ed25519 and counts at most four", async () => {
    const keys = [
      generateSigner("Ed25519"),
      generateSigner("Ed25519"),
      generateSigner("Ed25519"),
    ] as const;
    const [a, b, d] = keys;
    const extensions = [isCa, maySign];
    const one = await assembleCa({ name: "1", key: a.key, by: a, extensions });
    const two = await assembleCa({ name: "2", key: b.key, by: a, issuer: one, extensions });
    const three = await assembleCa({ name: "3", key: d.key, by: b, issuer: two, extensions });
    const algorithm = sequence(oid(OID.ed25519));
    const parts = leafParts(three, key, { innerAlgorithm: algorithm, outerAlgorithm: algorithm });
    const chain = [await assemble(parts, d), three.der, two.der];
    const anchors = [one.der];
    expect(await codeOf(() => verifyPath(c, { ...valid, chain, anchors }))).toBe("ok");
    const longer = [...chain, one.der];
    expect(await codeOf(() => verifyPath(c, { ...valid, chain: longer, anchors }))).toBe("ok");
    const root = [estate.root.der];
    expect(await codeOf(() => verifyPath(c, { ...valid, chain: longer, anchors: root }))).toBe(
      "untrusted_chain",
    );
  });
});

/** A root with the name of the estate's root and another key. */
async function twinOf({ root }: Estate): Promise<Certificate> {
  const twin = generateSigner();
  const named = await assembleCa({
    name: "twin",
    key: twin.key,
    by: twin,
    extensions: [isCa, maySign, subjectKeyId(c, twin.key)],
  });
  const parts = leafParts(root, twin.key, { subject: root.subject }, [isCa, maySign]);
  return { ...named, der: await assemble(parts, twin) };
}
