import { describe, expect, it } from "vitest";
import { generateSigner } from "../../../node/src/crypto.ts";
import { ipOctets } from "./address.ts";
import { parseCertificate } from "./certificate.ts";
import { AGENT, c, codeOf, makeEstate, nameOf, NOW, ORIGIN, serialOf } from "./estate.testing.ts";
import { OID } from "./oids.ts";
import { buildIssuingCa, buildProxy, buildRoot, buildServerTls, buildWic } from "./profiles.ts";
import type { WicTemplate } from "./profiles.ts";
import { verifyPath } from "./path.ts";

const estate = await makeEstate();
const key = generateSigner().key;
const leaf: WicTemplate = {
  uri: AGENT,
  key,
  serial: serialOf(9),
  notBefore: NOW - 60,
  notAfter: NOW + 900,
  issuer: estate.issuing,
};
const chainOf = (der: Uint8Array): readonly Uint8Array[] => [der, estate.issuing.der];
const at = { anchors: [estate.root.der], now: NOW, level: "x509-svid" } as const;

describe("what we issue", () => {
  it("verifies at the strict level, each for its own role", async () => {
    const server = await buildServerTls(
      c,
      {
        ...leaf,
        uri: "spiffe://example.org/server",
        dns: ["id.example.org", "localhost"],
        ips: ["127.0.0.1", "::1"],
      },
      estate.issuingKey,
    );
    const proxy = await buildProxy(c, leaf, estate.issuingKey);
    const wic = await buildWic(c, leaf, estate.issuingKey);
    const rows = [
      [wic, "client", "ok"],
      [wic, "server", "ok"],
      [proxy, "client", "ok"],
      [proxy, "server", "wrong_purpose"],
      [server, "server", "ok"],
      [server, "client", "wrong_purpose"],
    ] as const;
    for (const [der, purpose, wanted] of rows)
      expect(await codeOf(() => verifyPath(c, { ...at, chain: chainOf(der), purpose }))).toBe(
        wanted,
      );
    expect(parseCertificate(server).dns).toEqual(["id.example.org", "localhost"]);
    expect(parseCertificate(server).uris).toEqual(["spiffe://example.org/server"]);
  });

  it("makes CAs that name the origin and stand apart by hierarchy and role", async () => {
    const by = generateSigner();
    const root = {
      origin: ORIGIN,
      name: "example.org",
      serial: serialOf(1),
      notBefore: NOW,
      notAfter: NOW + 9,
    };
    const agents = parseCertificate(await buildRoot(c, { ...root, hierarchy: "agents" }, by));
    const infra = parseCertificate(
      await buildRoot(c, { ...root, hierarchy: "infrastructure" }, by),
    );
    expect(agents.subject).not.toEqual(infra.subject);
    expect(agents.subject).toEqual(agents.issuer);
    expect(agents.uris).toEqual([ORIGIN]);
    expect(agents.basicConstraints).toEqual({ isCa: true, pathLength: 1 });
    expect(agents.keyUsage).toEqual({ digitalSignature: false, keyCertSign: true, crlSign: false });
    expect(agents.basicConstraintsCritical && agents.keyUsageCritical).toBe(true);
    expect(estate.issuing.subject).not.toEqual(estate.root.subject);
    expect(estate.issuing.basicConstraints).toEqual({ isCa: true, pathLength: 0 });
    expect(estate.issuing.authorityKeyId).toEqual(estate.root.subjectKeyId);
    expect(estate.root.subjectKeyId?.length).toBe(20);
  });

  it("has its times in GeneralizedTime from 2050 on", async () => {
    const by = generateSigner();
    const template = {
      origin: ORIGIN,
      name: "x",
      hierarchy: "agents",
      serial: serialOf(1),
    } as const;
    const root = await buildRoot(c, { ...template, notBefore: NOW, notAfter: 3_000_000_000 }, by);
    expect(parseCertificate(root).notAfter).toBe(3_000_000_000);
  });

  it.each<[string, Partial<WicTemplate>, string]>([
    ["the leaf", {}, "ok"],
    ["the leaf up to its issuer's end", { notAfter: estate.issuing.notAfter }, "ok"],
    [
      "a leaf that outlives its issuer",
      { notAfter: estate.issuing.notAfter + 1 },
      "signer_unsuitable",
    ],
    ["a leaf that ends before it begins", { notAfter: NOW - 60 }, "signer_unsuitable"],
    ["a time with a fraction", { notBefore: NOW + 0.5 }, "signer_unsuitable"],
    ["a time before 1970", { notBefore: -1 }, "signer_unsuitable"],
    ["an issuer with another key", { issuer: estate.root }, "signer_unsuitable"],
    [
      "an issuer that is no CA",
      { issuer: { ...estate.issuing, basicConstraints: { isCa: false } } },
      "signer_unsuitable",
    ],
    ["a serial of 15 octets", { serial: new Uint8Array(15).fill(1) }, "signer_unsuitable"],
    ["a serial of 20 octets", { serial: new Uint8Array(20).fill(0xff) }, "ok"],
    ["a serial of 21 octets", { serial: new Uint8Array(21).fill(1) }, "signer_unsuitable"],
    ["a serial of zeros", { serial: new Uint8Array(16) }, "ok"],
    [
      "an identifier that is not canonical",
      { uri: "spiffe://Example.org/a" },
      "invalid_identifier",
    ],
    ["a bare origin", { uri: ORIGIN }, "invalid_identifier"],
  ])("judges %s", async (_, change, wanted) => {
    expect(await codeOf(() => buildWic(c, { ...leaf, ...change }, estate.issuingKey))).toBe(wanted);
  });

  it("refuses a CA without a fitting name, origin or root", async () => {
    const by = generateSigner();
    const root = {
      origin: ORIGIN,
      hierarchy: "agents",
      name: "x",
      serial: serialOf(1),
      notBefore: NOW,
      notAfter: NOW + 9,
    } as const;
    expect(await codeOf(() => buildRoot(c, { ...root, name: "" }, by))).toBe("signer_unsuitable");
    expect(await codeOf(() => buildRoot(c, { ...root, name: "x".repeat(65) }, by))).toBe(
      "signer_unsuitable",
    );
    expect(await codeOf(() => buildRoot(c, { ...root, origin: AGENT }, by))).toBe(
      "invalid_identifier",
    );
    const ca = { ...root, key: by.key, issuer: estate.root };
    expect(await codeOf(() => buildIssuingCa(c, ca, estate.rootKey))).toBe("ok");
    expect(await codeOf(() => buildIssuingCa(c, ca, by))).toBe("signer_unsuitable");
  });

  it("notices a signer that signs with another key than it says", async () => {
    const other = generateSigner();
    const liar = { ...estate.issuingKey, sign: (data: Uint8Array) => other.sign(data) };
    expect(await codeOf(() => buildWic(c, leaf, liar))).toBe("signer_unsuitable");
  });

  it("names the certificate's own key", async () => {
    const wic = parseCertificate(await buildWic(c, leaf, estate.issuingKey));
    expect(wic.extendedKeyUsage).toEqual([OID.serverAuth, OID.clientAuth]);
    expect(nameOf("x")).not.toEqual(wic.subject);
  });
});

describe("addresses", () => {
  it.each<[string, readonly number[] | undefined]>([
    ["127.0.0.1", [127, 0, 0, 1]],
    ["255.255.255.255", [255, 255, 255, 255]],
    ["::1", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["::", Array.from({ length: 16 }, () => 0)],
    [
      "2001:db8::8:800:200c:417a",
      [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 8, 8, 0, 0x20, 0xc, 0x41, 0x7a],
    ],
    ["1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ["256.0.0.1", undefined],
    ["1.2.3", undefined],
    ["01.2.3.4", undefined],
    ["1:2:3:4:5:6:7", undefined],
    ["1:2:3:4:5:6:7:8:9", undefined],
    ["1::2::3", undefined],
    ["1:2:3:4::5:6:7:8", undefined],
    [":1", undefined],
    ["fe80::1%eth0", undefined],
    ["12345::", undefined],
    ["localhost", undefined],
    ["", undefined],
  ])("reads %s", async (text, wanted) => {
    if (wanted === undefined)
      expect(await codeOf(() => ipOctets(text))).toBe("configuration_invalid");
    else expect([...ipOctets(text)]).toEqual(wanted);
  });
});
