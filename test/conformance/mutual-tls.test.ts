import { describe, expect, test } from "vitest";
import {
  base64url,
  buildCertificate,
  buildCsr,
  buildIssuingCa,
  buildRoot,
  buildWic,
  fromBase64url,
  parseCertificate,
  parseCsr,
  verifyPath,
  verifyWic,
} from "@countersign/core";
import type { Bytes, CertificateTemplate, Signer, WicInput } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
// parts of certificates that nobody here would issue
import { implicitPrimitive, sequence } from "../../packages/core/src/der/write.ts";
import {
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyId,
} from "../../packages/core/src/x509/build.ts";
import { writeExtension } from "../../packages/core/src/x509/extension.ts";
import { OID } from "../../packages/core/src/x509/oids.ts";
import { signerFor } from "./keys.ts";
import { outcomeOf } from "./outcome.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

const ORIGIN = "spiffe://example.org";
const PATH = "wimse/mutual-tls/wimsey-mutual-tls-02-es256.json";

interface MutualTlsVector {
  readonly ca_der_b64u: string;
  readonly wic_der_b64u: string;
  readonly expected_identifier: string;
  readonly verify_now: number;
  readonly ca_private_scalar_hex: string;
  readonly published_negative_cases: readonly string[];
}

describe.skipIf(!vectorsPresent)("draft-ietf-wimse-mutual-tls: the published certificate", () => {
  const v = vectorsPresent ? vectors<MutualTlsVector>(PATH) : undefined;
  const caDer = fromBase64url(v?.ca_der_b64u ?? "");
  const wicDer = fromBase64url(v?.wic_der_b64u ?? "");
  const now = v?.verify_now ?? 0;
  const input: WicInput = {
    chain: [wicDer],
    anchorsOf: new Map([[ORIGIN, [caDer]]]),
    purpose: "client",
    now,
  };

  function caSigner(): Signer {
    const d = base64url(Uint8Array.from(Buffer.from(v?.ca_private_scalar_hex ?? "", "hex")));
    return signerFor({ ...parseCertificate(caDer).key, d });
  }

  /** The published leaf, signed again by the published CA with one change. */
  async function again(
    change: Partial<CertificateTemplate>,
    by: Signer = caSigner(),
  ): Promise<Bytes> {
    const wic = parseCertificate(wicDer);
    const template: CertificateTemplate = {
      serial: new Uint8Array(16).fill(7),
      issuer: wic.issuer,
      subject: wic.subject,
      notBefore: wic.notBefore,
      notAfter: wic.notAfter,
      key: wic.key,
      extensions: [san(v?.expected_identifier ?? ""), extendedKeyUsage("clientAuth", "serverAuth")],
      ...change,
    };
    return buildCertificate(c, template, by);
  }

  /** A CA of the same name with another key. */
  async function sameName(by: Signer): Promise<Bytes> {
    const { issuer, subject, notBefore, notAfter } = parseCertificate(caDer);
    const times = { issuer, subject, notBefore, notAfter };
    const extensions = [
      basicConstraints({ pathLength: 0 }),
      keyUsage("keyCertSign"),
      subjectKeyId(c, by.key),
    ];
    return again({ ...times, key: by.key, extensions }, by);
  }

  test("W-27: 3.2 it verifies as a WIC at its time, for both TLS roles", async () => {
    for (const purpose of ["client", "server"] as const) {
      const { workload } = await verifyWic(c, { ...input, purpose });
      expect(workload.uri).toBe(v?.expected_identifier);
    }
  });

  test("W-27: X509-SVID 4.3 it is refused at the strict level: no key usage in leaf and CA", async () => {
    expect(await outcomeOf(() => verifyWic(c, { ...input, level: "x509-svid" }))).toBe(
      "untrusted_chain",
    );
  });

  const other = generateSigner();
  const edwards = generateSigner("Ed25519");
  const published: Readonly<
    Record<string, readonly [() => Promise<Partial<WicInput>> | Partial<WicInput>, string]>
  > = {
    "wrong CA": [
      async () => ({ anchorsOf: new Map([[ORIGIN, [await sameName(other)]]]) }),
      "untrusted_chain",
    ],
    expired: [() => ({ now: parseCertificate(wicDer).notAfter }), "expired"],
    "not yet valid": [() => ({ now: parseCertificate(wicDer).notBefore - 1 }), "not_yet_valid"],
    "no URI SAN": [
      async () => ({ chain: [await again({ extensions: [extendedKeyUsage("clientAuth")] })] }),
      "invalid_identifier",
    ],
    "not a certificate": [
      () => ({ chain: [new TextEncoder().encode("not a certificate")] }),
      "malformed_certificate",
    ],
    "CA with another algorithm": [
      async () => ({ anchorsOf: new Map([[ORIGIN, [await sameName(edwards)]]]) }),
      "untrusted_chain",
    ],
  };
  test("W-28: every published negative case has a row here", () => {
    expect(Object.keys(published).toSorted()).toEqual(v?.published_negative_cases.toSorted());
  });
  test.each(Object.entries(published))("W-28: 5 refuses: %s", async (_, [change, wanted]) => {
    const changed = { ...input, ...(await change()) };
    expect(await outcomeOf(() => verifyWic(c, changed))).toBe(wanted);
  });

  test("W-28: 5 the same leaf signed again by the published CA is accepted", async () => {
    const chain = [await again({})];
    expect(await outcomeOf(() => verifyWic(c, { ...input, chain }))).toBe("accepted");
  });

  const uri = v?.expected_identifier ?? `${ORIGIN}/absent`;
  test.each<[string, readonly Bytes[], string]>([
    ["W-29: creds 6.1 two URI SANs", [san(uri, `${uri}/b`)], "invalid_identifier"],
    ["W-29: a URI that is not canonical", [san(uri.toUpperCase())], "invalid_identifier"],
    ["W-29: a bare origin", [san(ORIGIN)], "invalid_identifier"],
    ["W-29: CA as leaf", [san(uri), basicConstraints({ pathLength: 0 })], "not_end_entity"],
    ["W-29: keyCertSign in the leaf", [san(uri), keyUsage("keyCertSign")], "not_end_entity"],
    ["W-31: 3.2 no extended key usage", [san(uri)], "accepted"],
    ["W-31: 3.2 clientAuth", [san(uri), extendedKeyUsage("clientAuth")], "accepted"],
    ["W-31: 3.2 serverAuth only", [san(uri), extendedKeyUsage("serverAuth")], "wrong_purpose"],
  ])("%s", async (_, extensions, wanted) => {
    const chain = [await again({ extensions })];
    expect(await outcomeOf(() => verifyWic(c, { ...input, chain }))).toBe(wanted);
  });

  test("W-30: a chain to the anchor of one origin with an identifier of another is refused", async () => {
    const chain = [await again({ extensions: [san("spiffe://other.example/a")] })];
    const root = await sameName(other);
    const anchorsOf = new Map([
      [ORIGIN, [caDer]],
      ["spiffe://other.example", [root]],
    ]);
    expect(await outcomeOf(() => verifyWic(c, { ...input, chain, anchorsOf }))).toBe(
      "trust_domain_mismatch",
    );
    expect(await outcomeOf(() => verifyWic(c, { ...input, chain }))).toBe("unknown_trust_domain");
  });
});

/** A critical subjectAltName with these URIs. */
function san(...uris: readonly string[]): Bytes {
  const [one, ...more] = uris;
  if (one !== undefined && more.length === 0) return subjectAltName({ uri: one }, true);
  const names = uris.map((uri) => implicitPrimitive(6, new TextEncoder().encode(uri)));
  return writeExtension(OID.subjectAltName, true, sequence(...names));
}

describe("draft-ietf-wimse-workload-creds 6.1: what is issued", () => {
  const NOW = 1_800_000_000;
  const serial = new Uint8Array(16).fill(5);

  test("W-33: an issued WIC is an X509-SVID, with exactly one URI and no other name", async () => {
    const rootKey = generateSigner();
    const caKey = generateSigner();
    const times = { serial, notBefore: NOW - 60, notAfter: NOW + 900 };
    const ca = { ...times, origin: ORIGIN, hierarchy: "agents", name: "example.org" } as const;
    const root = parseCertificate(await buildRoot(c, ca, rootKey));
    const issuing = parseCertificate(
      await buildIssuingCa(c, { ...ca, key: caKey.key, issuer: root }, rootKey),
    );
    const leaf = {
      ...times,
      uri: `${ORIGIN}/agent/a`,
      key: generateSigner().key,
      issuer: issuing,
    };
    const wic = await buildWic(c, leaf, caKey);
    const { leaf: read } = await verifyPath(c, {
      chain: [wic, issuing.der],
      anchors: [root.der],
      purpose: "any",
      now: NOW,
      level: "x509-svid",
    });
    expect([read.uris, read.dns, read.subjectIsEmpty, read.sanCritical]).toEqual([
      [leaf.uri],
      [],
      true,
      true,
    ]);
  });

  test("W-32: of a request the key counts; its URI is a wish, its signature the proof of possession", async () => {
    const signer = generateSigner();
    const csr = await buildCsr(c, signer, `${ORIGIN}/proxy/a`);
    const read = await parseCsr(c, csr);
    expect([read.key, read.uris]).toEqual([signer.key, [`${ORIGIN}/proxy/a`]]);
    const forged = Uint8Array.from(csr);
    const last = forged.length - 1;
    forged[last] = (forged[last] ?? 0) ^ 1;
    expect(await outcomeOf(() => parseCsr(c, forged))).toBe("invalid_signature");
  });
});
