import type { Bytes } from "../crypto.ts";
import { fromBase64 } from "../bytes.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { pemDecode } from "../x509/pem.ts";
import { parseMakerCertificate } from "./maker-certificate.ts";

/** Most roots of makers that one configuration names. */
export const MAX_ATTESTATION_ROOTS = 64;

/**
 * A maker's root as configuration names it: PEM, or its DER in base64. It is read at once, so that one that could never
 * lead anywhere is said where it is written.
 * @throws Refusal `configuration_invalid`
 */
export function readAttestationRoot(value: Json): Bytes {
  const refuse = (why: string): never => {
    throw new Refusal("configuration_invalid", `attestation_roots: ${why}`);
  };
  if (typeof value !== "string") return refuse("holds something that is no text");
  try {
    const [der = refuse("is empty")] = value.startsWith("-----BEGIN")
      ? pemDecode(value, "CERTIFICATE", 1)
      : [fromBase64(value)];
    return parseMakerCertificate(der).der;
  } catch (problem) {
    if (problem instanceof Refusal) return refuse(problem.message);
    throw problem;
  }
}
