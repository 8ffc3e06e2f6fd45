import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import type { Bytes } from "../crypto.ts";
import { implicitPrimitive, sequence } from "../der/write.ts";
import { basicConstraints, keyUsage, subjectAltName } from "./build.ts";
import { parseCertificate } from "./certificate.ts";
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
  NOW,
  ORIGIN,
} from "./estate.testing.ts";
import { writeExtension } from "./extension.ts";
import { OID } from "./oids.ts";
import { verifyTlsLeaf, verifyWic, workloadOfCertificate } from "./wic.ts";
import type { TlsLeafInput, WicInput } from "./wic.ts";

const estate = await makeEstate();
const foreign = await makeEstate("spiffe://other.example", "other");
const key = generateSigner().key;
const wic = await makeWic(estate);
const anchorsOf = new Map([
  [ORIGIN, [estate.root.der]],
  ["spiffe://other.example", [foreign.root.der]],
]);
const valid: WicInput = {
  chain: [wic, estate.issuing.der],
  anchorsOf,
  purpose: "client",
  now: NOW,
};

/** A leaf of the estate with these URIs. */
async function named(...uris: readonly string[]): Promise<Partial<WicInput>> {
  const names = uris.map((uri) => implicitPrimitive(6, new TextEncoder().encode(uri)));
  const dns = implicitPrimitive(2, new TextEncoder().encode("example.org"));
  const san = writeExtension(OID.subjectAltName, true, sequence(...names, dns));
  const extensions = leafExtensions(estate.issuing, key).with(0, san);
  const der = await assemble(leafParts(estate.issuing, key, {}, extensions), estate.issuingKey);
  return { chain: [der, estate.issuing.der] };
}

/** A leaf under a self-made root that names `uri`. */
async function underRoot(uri: string): Promise<Partial<WicInput>> {
  const by = generateSigner();
  const extensions: readonly Bytes[] = [
    basicConstraints({ pathLength: 0 }),
    keyUsage("keyCertSign"),
    subjectAltName({ uri }, false),
  ];
  const root = await assembleCa({ name: "r", key: by.key, by, extensions });
  const chain = [await assemble(leafParts(root, key), by)];
  return { chain, anchorsOf: new Map([[ORIGIN, [root.der]]]) };
}

describe("WIC (draft-ietf-wimse-mutual-tls 3.2, 5)", () => {
  it.each<[string, Partial<WicInput> | Promise<Partial<WicInput>>, string]>([
    ["the valid one", {}, "ok"],
    ["one URI beside a DNS name", named(AGENT), "ok"],
    ["no URI", named(), "invalid_identifier"],
    ["two URIs", named(AGENT, "spiffe://example.org/b"), "invalid_identifier"],
    ["two URIs, one of another scheme", named(AGENT, "https://example.org/"), "invalid_identifier"],
    ["a URI of another scheme", named("https://example.org/a"), "invalid_identifier"],
    ["a URI that is not canonical", named("spiffe://Example.org/a"), "invalid_identifier"],
    ["a bare origin", named(ORIGIN), "invalid_identifier"],
    ["an origin that is not configured", named("spiffe://third.example/a"), "unknown_trust_domain"],
    [
      "the same domain under another scheme",
      named("wimse://example.org/a"),
      "unknown_trust_domain",
    ],
    [
      "an origin that is not expected",
      { expectedOrigins: ["spiffe://other.example"] },
      "unknown_trust_domain",
    ],
    ["an origin that is expected", { expectedOrigins: [ORIGIN] }, "ok"],
    [
      "a chain to the anchor of another origin",
      named("spiffe://other.example/a"),
      "trust_domain_mismatch",
    ],
    ["an anchor of nobody", { chain: [wic] }, "untrusted_chain"],
    ["a root that names the origin", underRoot(ORIGIN), "ok"],
    [
      "a root that names another origin",
      underRoot("spiffe://other.example"),
      "trust_domain_mismatch",
    ],
    ["a root that names a workload", underRoot(AGENT), "trust_domain_mismatch"],
    ["no certificate", { chain: [] }, "untrusted_chain"],
    ["expired", { now: NOW + 900 }, "expired"],
  ])("judges %s", async (_, change, wanted) => {
    const input = { ...valid, ...(await change) };
    expect(await codeOf(() => verifyWic(c, input))).toBe(wanted);
  });

  it("returns the identifier", async () => {
    const { workload, leaf } = await verifyWic(c, valid);
    expect(workload.uri).toBe(AGENT);
    expect(workloadOfCertificate(leaf)).toBe(AGENT);
    expect(await codeOf(() => workloadOfCertificate({ ...parseCertificate(wic), uris: [] }))).toBe(
      "invalid_identifier",
    );
  });
});

describe("a leaf of a TLS handshake, its path verified there", () => {
  const leafOf = async (...uris: readonly string[]): Promise<Partial<TlsLeafInput>> => {
    const [leaf = wic] = (await named(...uris)).chain ?? [];
    return { leaf };
  };
  it.each<[string, Partial<TlsLeafInput> | Promise<Partial<TlsLeafInput>>, string]>([
    ["the valid one", {}, "ok"],
    ["in its last second", { now: NOW + 899 }, "ok"],
    ["at its end", { now: NOW + 900 }, "expired"],
    ["at its end, within the skew", { now: NOW + 900, skewSeconds: 60 }, "ok"],
    ["before its time", { now: NOW - 3600 }, "not_yet_valid"],
    ["no URI", leafOf(), "invalid_identifier"],
    ["two URIs", leafOf(AGENT, "spiffe://example.org/b"), "invalid_identifier"],
    ["of another origin", leafOf("spiffe://other.example/a"), "trust_domain_mismatch"],
    ["of another scheme", leafOf("wimse://example.org/a"), "trust_domain_mismatch"],
    ["a CA", { leaf: estate.issuing.der }, "invalid_identifier"],
    ["no certificate", { leaf: new Uint8Array(3) }, "malformed_certificate"],
  ])("judges %s", async (_, change, wanted) => {
    const shown: TlsLeafInput = { leaf: wic, origin: ORIGIN, purpose: "client", now: NOW };
    const input = { ...shown, ...(await change) };
    expect(await codeOf(() => verifyTlsLeaf(c, input))).toBe(wanted);
  });
});
