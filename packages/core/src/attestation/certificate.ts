import type { Bytes } from "../crypto.ts";
import { asciiOf, readDer } from "../der/read.ts";
import { TAG } from "../der/write.ts";
import { equalBytes, fromUtf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { MAX_CERTIFICATE_BYTES } from "../x509/certificate.ts";
import { readExtensionList } from "../x509/extension.ts";
import { OID } from "../x509/oids.ts";
import type { MakerCertificate } from "./maker-certificate.ts";

const CODE = "malformed_certificate";
const COUNTRY = "2.5.4.6";
/** id-fido-gen-ce-aaguid: the make that this certificate speaks for. */
const AAGUID_EXTENSION = "1.3.6.1.4.1.45724.1.1.4";
const UNIT = "Authenticator Attestation";

const refuse = (why: string): never => {
  throw new Refusal(CODE, `attestation certificate: ${why}`);
};

/** Text of every attribute of a name, by the attribute's identifier. */
function attributesOf(name: Bytes): ReadonlyMap<string, string> {
  const outer = readDer(name, MAX_CERTIFICATE_BYTES, CODE);
  const parts = outer.sequence();
  const found = new Map<string, string>();
  while (!parts.isDone) {
    const set = parts.set();
    while (!set.isDone) {
      const pair = set.sequence();
      const id = pair.oid();
      const { tag, content } = pair.any();
      if (found.has(id)) refuse("an attribute stands twice in its subject");
      found.set(id, tag === TAG.utf8String ? textOf(content) : (asciiOf(content) ?? ""));
    }
  }
  return found;
}

function textOf(octets: Bytes): string {
  try {
    return fromUtf8(octets);
  } catch {
    return refuse("a name is not UTF-8");
  }
}

/** The AAGUID in the certificate's extension; undefined where there is none. */
function aaguidOf(tbs: Bytes): Bytes | undefined {
  const reader = readDer(tbs, MAX_CERTIFICATE_BYTES, CODE).sequence();
  while (!reader.isDone && !reader.hasContext(3)) reader.any();
  if (reader.isDone) return undefined;
  const list = readExtensionList(reader.context(3));
  const extension = list.find(({ name }) => name === AAGUID_EXTENSION);
  if (extension === undefined) return undefined;
  const inner = readDer(extension.value, MAX_CERTIFICATE_BYTES, CODE);
  const aaguid = inner.octets();
  inner.end();
  return aaguid;
}

/**
 * What WebAuthn 8.2.1 asks of the certificate of a packed attestation: subject with country, organisation, the unit
 * "Authenticator Attestation" and a name; no CA; an AAGUID in it is the authenticator's. That the extension is not
 * critical, and version 3, are found where the certificate and its path are read.
 * @throws Refusal `malformed_certificate`
 */
export function checkAttestationCertificate(leaf: MakerCertificate, aaguid: Bytes): void {
  const subject = attributesOf(leaf.subject);
  if (!/^[A-Za-z]{2}$/.test(subject.get(COUNTRY) ?? "")) refuse("its subject names no country");
  if ((subject.get(OID.organization) ?? "") === "") refuse("its subject names no vendor");
  if (subject.get(OID.organizationalUnit) !== UNIT) refuse(`its unit is not ${UNIT}`);
  if ((subject.get(OID.commonName) ?? "") === "") refuse("its subject has no name");
  if (leaf.basicConstraints === undefined || leaf.basicConstraints.isCa)
    refuse("it does not say that it is no CA");
  if (leaf.keyUsage?.digitalSignature === false) refuse("its key may not sign");
  const named = aaguidOf(leaf.tbs);
  if (named !== undefined && !equalBytes(named, aaguid)) refuse("it is of another make");
}
