import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { OID } from "../x509/oids.ts";
import { pemDecode } from "../x509/pem.ts";
import type { OwnerCa } from "./owner-certificate.ts";

/** CAs of owners in one domain, and certificates of each. */
export const MAX_OWNER_CAS = 16;

const OBJECT_ID = /^[0-2](\.(0|[1-9][0-9]{0,14})){2,20}$/;

const refuse = (why: string): never => {
  throw new Refusal("configuration_invalid", `owner_cas: ${why}`);
};

/**
 * One of a trust file's `owner_cas`: `{ certificates: [PEM], eku }`, closed. Each certificate is a CA that is trusted as it
 * stands there.
 * @throws Refusal `configuration_invalid`
 */
export function readOwnerCa(value: Json): OwnerCa {
  const members = new Members(value, "configuration_invalid", "owner_cas");
  const texts = members.list(
    "certificates",
    (item) => (typeof item === "string" ? item : refuse("certificates are not PEM")),
    MAX_OWNER_CAS,
  );
  const eku = members.text("eku");
  members.end();
  return ownerCaOf(texts.join("\n"), eku);
}

/**
 * A CA of owners, as configured: certificates in PEM, and the extended key usage that marks an owner's.
 * @throws Refusal `configuration_invalid`
 */
export function ownerCaOf(pem: string, eku: string): OwnerCa {
  if (!OBJECT_ID.test(eku) || eku === OID.anyExtendedKeyUsage)
    return refuse("eku is no object identifier of one extended key usage");
  const certificates = read(() => pemDecode(pem, "CERTIFICATE", MAX_OWNER_CAS));
  for (const der of certificates)
    if (read(() => parseCertificate(der)).basicConstraints?.isCa !== true)
      return refuse("a certificate is not a CA's");
  return { certificates, eku };
}

function read<T>(reader: () => T): T {
  try {
    return reader();
  } catch (error) {
    if (error instanceof Refusal) return refuse(error.message);
    throw error;
  }
}
