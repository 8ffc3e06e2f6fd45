import type { Bytes, Crypto, Seconds } from "../crypto.ts";
import { base64url, concat, fromBase64url } from "../bytes.ts";
import { readClientData } from "../consent/client-data.ts";
import type { ConsentPages } from "../consent/client-data.ts";
import { thumbprint } from "../jose/jwk.ts";
import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import type { RefusalCode } from "../refusal.ts";
import { closedMap, readCbor } from "./cbor.ts";
import { aaguidText, readCredentialData } from "./credential-data.ts";
import type { CredentialData } from "./credential-data.ts";
import { leadToRoot } from "./maker-path.ts";
import { readPacked, verifyPacked } from "./packed.ts";
import type { PackedStatement } from "./packed.ts";

/** What an authenticator said of itself when it made a key: attestation object and client data of the registration. */
export interface Attestation {
  /** Attestation statement format (WebAuthn 8.1), as the object names it. */
  readonly fmt: string;
  readonly obj: Bytes;
  readonly cd: Bytes;
}

/**
 * What an attestation proves. `none`: there is none. `unknown_format`: of a format that is not judged here. `invalid`:
 * something in it does not hold. `untrusted`: nobody stands behind it whose root is configured. `verified`: a configured
 * root does.
 */
export type AttestationResult = "none" | "unknown_format" | "invalid" | "untrusted" | "verified";

export interface AttestationFinding {
  readonly result: AttestationResult;
  /** Where it is verified: make and model. */
  readonly aaguid?: string;
  /** Where it is verified: the key cannot be copied to another device (BE = 0). */
  readonly isDeviceBound?: boolean;
}

/** What an attestation is held against; all of it comes from configuration or from the signed key statement. */
export interface AttestationContext {
  /** Thumbprint of the key that was enrolled. */
  readonly jkt: string;
  readonly pages: ConsentPages;
  /** DER of the configured makers' roots. */
  readonly roots: readonly Bytes[];
  /** When the key was enrolled. */
  readonly at: Seconds;
}

/** Largest attestation object that travels in a bundle, in octets. */
export const MAX_ATTESTATION_BYTES = 6144;
const MAX_CLIENT_DATA_BYTES = 4096;
const FORMAT = /^[\x21-\x7e]{1,32}$/;

/** Reads `att`; closed and bounded. @throws Refusal `malformed_request`, `malformed_token` */
export function readAttestation(value: Json | undefined, where: string): Attestation {
  const members = new Members(value, "malformed_request", where);
  const octets = (name: string, maxBytes: number): Bytes =>
    fromBase64url(members.text(name, { maxLength: Math.ceil((maxBytes * 4) / 3) }));
  const attestation = {
    fmt: members.text("fmt", { pattern: FORMAT }),
    obj: octets("obj", MAX_ATTESTATION_BYTES),
    cd: octets("cd", MAX_CLIENT_DATA_BYTES),
  };
  members.end();
  return attestation;
}

/** The wire form. */
export function writeAttestation({ fmt, obj, cd }: Attestation): object {
  return { fmt, obj: base64url(obj), cd: base64url(cd) };
}

interface Opened extends CredentialData {
  /** Absent where the credential key signed for itself. */
  readonly statement: PackedStatement | undefined;
}

/** Reads the object: of the enrolled key, made at a consent page, and signed by the certificate that it shows. */
async function openPacked(
  c: Crypto,
  { fmt, obj, cd }: Attestation,
  { jkt, pages }: AttestationContext,
): Promise<Opened> {
  // the challenge is random, and was judged by the server that gave it: nobody can check it afterwards
  readClientData(cd, "webauthn.create", pages);
  const map = closedMap(readCbor(obj), ["fmt", "attStmt", "authData"]);
  if (map.get("fmt") !== fmt)
    throw new Refusal("malformed_request", "the object is of another fmt");
  const authData = map.get("authData");
  if (!(authData instanceof Uint8Array))
    throw new Refusal("malformed_request", "authData is not octets");
  const data = readCredentialData(c, authData, pages.rpId);
  if (thumbprint(c, data.key) !== jkt) throw new Refusal("signature_invalid", "of another key");
  const statement = readPacked(map.get("attStmt"));
  if (statement !== undefined)
    await verifyPacked(c, statement, concat(authData, c.sha256(cd)), data.aaguid);
  return { ...data, statement };
}

/** What the check gives, or the code with which it refuses. */
async function tried<T extends object>(check: () => Promise<T>): Promise<T | RefusalCode> {
  try {
    return await check();
  } catch (problem) {
    if (problem instanceof Refusal) return problem.code;
    throw problem;
  }
}

/**
 * Judges an attestation offline. It never refuses: whatever it finds, the key signs as before, with less assurance. Of
 * the formats only `packed` with certificates counts. The challenge of a registration is random and cannot be checked
 * afterwards: that the attested key signed its key statement is what binds the two.
 */
export async function judgeAttestation(
  c: Crypto,
  attestation: Attestation | undefined,
  context: AttestationContext,
): Promise<AttestationFinding> {
  if (attestation === undefined || attestation.fmt === "none") return { result: "none" };
  if (attestation.fmt !== "packed") return { result: "unknown_format" };
  const opened = await tried(() => openPacked(c, attestation, context));
  // a certificate whose issuer signs with an algorithm that is not verified here leads nowhere, and is not wrong
  if (typeof opened === "string")
    return { result: opened === "unsupported_alg" ? "untrusted" : "invalid" };
  const { statement, aaguid, backupEligible } = opened;
  if (statement === undefined) return { result: "untrusted" };
  const anchor = await tried(() => leadToRoot(c, statement.x5c, context.roots, context.at));
  if (typeof anchor === "string") return { result: "untrusted" };
  return { result: "verified", aaguid: aaguidText(aaguid), isDeviceBound: !backupEligible };
}
