import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  base64url,
  buildCsr,
  buildIssuingCa,
  buildProxy,
  buildRoot,
  buildServerTls,
  buildWic,
  parseCertificate,
  pemEncode,
  readCertsOnly,
  spkiOf,
  thumbprint,
  writeCertsOnly,
} from "@countersign/core";
import type { Bytes } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { peer } from "./peers.ts";

const NOW = 1_800_000_000;
const ORIGIN = "spiffe://example.org";
const AGENT = `${ORIGIN}/agent/mail/0011223344556677`;
const SERVER = `${ORIGIN}/server`;
const OWNER_BINDING = "1.3.6.1.4.1.32473.1.1";

const folder = mkdtempSync(join(tmpdir(), "x509-strangers-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Bytes): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
function certificateFile(name: string, ...ders: readonly Bytes[]): string {
  return file(name, ders.map((der) => pemEncode("CERTIFICATE", der)).join(""));
}
function run(
  path: string,
  args: readonly string[],
): { readonly status: number | null; readonly out: string } {
  const answer = spawnSync(path, [...args], { encoding: "utf8", timeout: 60_000, input: "" });
  return { status: answer.status, out: answer.stdout + answer.stderr };
}

const serial = (octet: number): Bytes => new Uint8Array(16).fill(octet);
const times = { notBefore: NOW - 86_400, notAfter: NOW + 86_400 };
const authority = { ...times, origin: ORIGIN, hierarchy: "agents", name: "example.org" } as const;
const rootKey = generateSigner();
const caKey = generateSigner();
const root = parseCertificate(await buildRoot(c, { ...authority, serial: serial(1) }, rootKey));
const issuing = parseCertificate(
  await buildIssuingCa(
    c,
    { ...authority, serial: serial(2), key: caKey.key, issuer: root },
    rootKey,
  ),
);
const owner = generateSigner("Ed25519").key;
const wicKey = generateSigner().key;
const leaf = { serial: serial(3), notBefore: NOW - 60, notAfter: NOW + 900, issuer: issuing };
const binding = {
  ownerId: "urn:agent-owner:example.org:abcdefgh",
  ownerKey: thumbprint(c, owner),
  consent: `sha-256:${base64url(serial(9))}${"A".repeat(21)}`,
  assurance: 3,
  ownerSpki: spkiOf(owner),
} as const;
const wicDraft = { ...leaf, uri: AGENT, key: wicKey };
const wic = await buildWic(c, { ...wicDraft, owner: binding }, caKey);
/** As long as an approval can be. */
const evidence = new TextEncoder().encode(JSON.stringify({ st: "A".repeat(12_000) }));
const carrying = await buildWic(c, { ...wicDraft, owner: { ...binding, evidence } }, caKey);
const tls = await buildServerTls(
  c,
  {
    ...leaf,
    uri: SERVER,
    key: wicKey,
    dns: ["id.example.org", "localhost"],
    ips: ["127.0.0.1", "::1"],
  },
  caKey,
);
const proxy = await buildProxy(c, { ...leaf, uri: `${ORIGIN}/proxy/a`, key: wicKey }, caKey);
const csr = await buildCsr(c, generateSigner(), `${ORIGIN}/proxy/a`);
const edwardsCsr = await buildCsr(c, generateSigner("Ed25519"));
const rootFile = certificateFile("root.pem", root.der);
const chainFile = certificateFile("chain.pem", issuing.der);

const openssl = peer("openssl");
describe.skipIf(!openssl.present)("OpenSSL", () => {
  function verify(der: Bytes, purpose: string, at = NOW, ...more: readonly string[]): string {
    const target = certificateFile("leaf.pem", der);
    const trust = ["-CAfile", rootFile, "-untrusted", chainFile, "-no-CApath", "-no-CAstore"];
    const rules = ["-x509_strict", "-purpose", purpose, "-attime", String(at)];
    const { status, out } = run(openssl.path, ["verify", ...rules, ...trust, ...more, target]);
    return status === 0 ? "ok" : (/error \d+ at .*?lookup: ?(.*)/.exec(out)?.[1] ?? out).trim();
  }

  test.each([
    ["a WIC as client", wic, "sslclient", NOW, "ok"],
    ["a WIC as server", wic, "sslserver", NOW, "ok"],
    ["a WIC that carries the owner's approval", carrying, "sslclient", NOW, "ok"],
    ["a WIC that carries the owner's approval, as server", carrying, "sslserver", NOW, "ok"],
    ["the server's certificate", tls, "sslserver", NOW, "ok"],
    ["the server's certificate as client", tls, "sslclient", NOW, /purpose/],
    ["a proxy's certificate", proxy, "sslclient", NOW, "ok"],
    ["a proxy's certificate as server", proxy, "sslserver", NOW, /purpose/],
    ["a WIC in its last second", wic, "sslclient", NOW + 899, "ok"],
    ["a WIC at its end", wic, "sslclient", NOW + 900, /expired/],
    ["a WIC before it begins", wic, "sslclient", NOW - 61, /not yet valid/],
  ] as const)("verify -x509_strict judges %s", (_, der, purpose, at, wanted) => {
    expect(verify(der, purpose, at)).toMatch(wanted === "ok" ? /^ok$/ : wanted);
  });

  test("verify judges host names and addresses as a client does", () => {
    expect(verify(tls, "sslserver", NOW, "-verify_hostname", "id.example.org")).toBe("ok");
    expect(verify(tls, "sslserver", NOW, "-verify_ip", "127.0.0.1")).toBe("ok");
    expect(verify(tls, "sslserver", NOW, "-verify_ip", "::1")).toBe("ok");
    expect(verify(tls, "sslserver", NOW, "-verify_hostname", "example.net")).toMatch(/hostname/i);
  });

  test("the owner binding is well-formed DER under its own number", () => {
    const path = file("wic.der", wic);
    const { status, out } = run(openssl.path, ["asn1parse", "-inform", "DER", "-in", path, "-i"]);
    expect(status).toBe(0);
    expect(out).toContain(OWNER_BINDING);
    const text = run(openssl.path, ["x509", "-inform", "DER", "-in", path, "-noout", "-text"]).out;
    expect(text).toContain(`URI:${AGENT}`);
    expect(text).toMatch(/Subject: *\n/);
  });

  test.each([
    ["ECDSA", csr],
    ["Ed25519", edwardsCsr],
  ])("req -verify accepts our request (%s)", (_, der) => {
    const path = file("request.der", der);
    const args = ["req", "-inform", "DER", "-in", path, "-verify", "-noout"];
    const { status, out } = run(openssl.path, args);
    expect(status).toBe(0);
    expect(out).toMatch(/verify OK/i);
  });

  test("pkcs7 reads our certs-only, and we read what crl2pkcs7 writes", () => {
    const ours = file("certs.p7", writeCertsOnly([root.der, issuing.der]));
    const printed = run(openssl.path, ["pkcs7", "-inform", "DER", "-in", ours, "-print_certs"]);
    expect(printed.status).toBe(0);
    expect(printed.out.match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
    const theirs = join(folder, "theirs.p7");
    const both = certificateFile("both.pem", root.der, issuing.der);
    const args = ["crl2pkcs7", "-nocrl", "-certfile", both, "-outform", "DER", "-out", theirs];
    expect(run(openssl.path, args).status).toBe(0);
    const message = new Uint8Array(readFileSync(theirs));
    expect(readCertsOnly(message)).toHaveLength(2);
    expect(message.length).toBe(writeCertsOnly([root.der, issuing.der]).length);
  });

  test("we read and verify what OpenSSL issues: P-256, P-384, Ed25519", async () => {
    const kinds = [
      ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
      ["ed25519"],
    ] as const;
    for (const [kind, ...options] of kinds) {
      const hash = options[1]?.endsWith("P-384") === true ? ["-sha384"] : [];
      const made = join(folder, "made.der");
      const args = ["req", "-x509", "-newkey", kind, ...options, ...hash, "-nodes", "-days", "2"];
      const names = ["-subj", "/CN=stranger", "-addext", `subjectAltName=URI:${ORIGIN}/agent/x`];
      const out = ["-keyout", join(folder, "made.key"), "-outform", "DER", "-out", made];
      expect(run(openssl.path, [...args, ...names, ...out]).status).toBe(0);
      const read = parseCertificate(new Uint8Array(readFileSync(made)));
      expect(read.uris).toEqual([`${ORIGIN}/agent/x`]);
      const holds = await c.verify(read.signatureAlgorithm, read.key, read.tbs, read.signature);
      expect(holds).toBe(true);
    }
  });
});

const PYTHON = `
import sys
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
leaf, issuer = (x509.load_der_x509_certificate(open(p, "rb").read()) for p in sys.argv[1:3])
issuer.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(leaf.signature_hash_algorithm))
san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
assert san.critical and len(leaf.subject) == 0
binding = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier("${OWNER_BINDING}"))
assert not binding.critical and len(binding.value.value) <= 300
assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
aki = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
assert aki == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
print(*san.value.get_values_for_type(x509.UniformResourceIdentifier), len(list(san.value)))
csr = x509.load_der_x509_csr(open(sys.argv[3], "rb").read())
assert csr.is_signature_valid
`;

const python = peer("python3");
describe.skipIf(!python.present)("Python cryptography", () => {
  test("reads a WIC and a request, and finds in them what we put there", () => {
    const paths = [file("a.der", wic), file("b.der", issuing.der), file("c.der", csr)];
    const { status, out } = run(python.path, ["-c", PYTHON, ...paths]);
    expect(out.trim()).toBe(`${AGENT} 1`);
    expect(status).toBe(0);
  });
});

describe("Node", () => {
  const [top, middle, agent, server] = [root.der, issuing.der, wic, tls].map(
    (der) => new X509Certificate(der),
  ) as [X509Certificate, X509Certificate, X509Certificate, X509Certificate]; // one each of four

  test("follows issuers and signatures from leaf to root", () => {
    expect(agent.checkIssued(middle) && middle.checkIssued(top) && top.checkIssued(top)).toBe(true);
    expect(agent.checkIssued(top)).toBe(false);
    expect(agent.verify(middle.publicKey) && middle.verify(top.publicKey)).toBe(true);
    expect(agent.verify(top.publicKey)).toBe(false);
    expect([top.ca, middle.ca, agent.ca]).toEqual([true, true, false]);
  });

  test("reads names, serial and key as we do", () => {
    expect(agent.subjectAltName).toBe(`URI:${AGENT}`);
    expect(server.checkHost("id.example.org")).toBe("id.example.org");
    expect(server.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(server.checkHost("example.net")).toBeUndefined();
    expect(agent.serialNumber.toLowerCase()).toBe(parseCertificate(wic).serialHex);
    expect(new Uint8Array(agent.publicKey.export({ type: "spki", format: "der" }))).toEqual(
      spkiOf(wicKey),
    );
  });
});
