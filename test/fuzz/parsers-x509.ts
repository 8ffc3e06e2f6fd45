import {
  decodeOwnerBinding,
  jwkOfSpki,
  MAX_CERTIFICATE_BYTES,
  parseCertificate,
  parseCsr,
  pemDecode,
  pemEncode,
  readCertsOnly,
  readEstBody,
  encodeOwnerBinding,
  spkiOf,
  verifyPath,
  verifyWic,
  writeCertsOnly,
  writeEstBody,
  writeEstRequestBody,
} from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { credulous, ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";
import { NOW } from "./samples.ts";
import type { Samples } from "./samples.ts";

const EST_LIMIT = 65_536;

/** DER, certificates, requests for them, and their wrappings. */
export function x509Parsers({ story, csr }: Samples): readonly Parser[] {
  const [leaf, issuing] = story.credential.chain;
  const [root] = story.domain.bundle.roots;
  if (leaf === undefined || issuing === undefined || root === undefined)
    throw new TypeError("the story has a chain");
  const certificates = [leaf, issuing, root] as const;
  const { ownerBinding } = parseCertificate(leaf);
  if (ownerBinding === undefined) throw new TypeError("the story has an owner");
  const path = { purpose: "any", now: NOW, level: "x509-svid" } as const;
  const anchorsOf = new Map([["spiffe://example.org", [root]]]);
  const pem = certificates.map((der) => pemEncode("CERTIFICATE", der)).join("\n");
  return [
    ofOctets("certificate", "der", certificates, parseCertificate, MAX_CERTIFICATE_BYTES),
    ofOctets("CSR", "der", [csr], (der) => parseCsr(credulous, der), MAX_CERTIFICATE_BYTES),
    ofOctets(
      "SubjectPublicKeyInfo",
      "der",
      [spkiOf(story.keys.wit.key), spkiOf(story.keys.log.key)],
      jwkOfSpki,
    ),
    ofOctets(
      "owner binding",
      "der",
      [encodeOwnerBinding(ownerBinding)],
      decodeOwnerBinding,
      15_360,
    ),
    ofOctets(
      "certs-only",
      "der",
      [writeCertsOnly(certificates)],
      readCertsOnly,
      16 * MAX_CERTIFICATE_BYTES,
    ),
    ofOctets("leaf of a path", "der", [leaf], (der) =>
      verifyPath(credulous, { ...path, chain: [der, issuing], anchors: [root] }),
    ),
    ofOctets("CA of a path", "der", [issuing], (der) =>
      verifyPath(credulous, { ...path, chain: [leaf, der], anchors: [root] }),
    ),
    ofOctets("root of a path", "der", [root], (der) =>
      verifyPath(nodeCrypto, { ...path, chain: [leaf, issuing], anchors: [der] }),
    ),
    ofOctets("WIC", "der", [leaf], (der) =>
      verifyWic(credulous, { ...path, chain: [der, issuing], anchorsOf }),
    ),
    ofText(
      "PEM",
      "der",
      [pemEncode("CERTIFICATE", leaf), pem],
      (text) => pemDecode(text, "CERTIFICATE", 4),
      8 * MAX_CERTIFICATE_BYTES,
    ),
    ofText(
      "EST body",
      "der",
      [writeEstBody(csr), writeEstRequestBody(csr)],
      (text) => readEstBody(text, EST_LIMIT),
      2 * EST_LIMIT,
    ),
  ];
}
