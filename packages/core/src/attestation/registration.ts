import type { Bytes, Crypto, Jwk } from "../crypto.ts";
import { readClientData } from "../consent/client-data.ts";
import type { ConsentPages } from "../consent/client-data.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { closedMap, readCbor } from "./cbor.ts";
import { aaguidText, readCredentialData } from "./credential-data.ts";

/** What a registration says: WebAuthn's ceremony in which an authenticator makes a key (WebAuthn 7.1). */
export interface Registration {
  /** Format of the attestation statement, which is not judged here. */
  readonly fmt: string;
  readonly key: Jwk;
  readonly credentialId: Bytes;
  /** Make and model as 8-4-4-4-12 hexadecimal digits; zeros where the authenticator does not tell. */
  readonly aaguid: string;
  /** signCount. */
  readonly counter: number;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
}

/** Base64url of the challenge in client data, by which the caller finds the ceremony. Nothing is checked yet but the page. */
export function challengeOf(clientData: Bytes, pages: ConsentPages): string {
  const { challenge }: JsonObject = readClientData(clientData, "webauthn.create", pages);
  if (typeof challenge !== "string") throw new Refusal("challenge_mismatch");
  return challenge;
}

/**
 * Reads what a page posts after a registration: made at one of our pages for our RP ID, over this challenge, by a user
 * who was there and known, for a key of a kind that enrols. The attestation statement is not judged.
 * @param of.challenge base64url, as it was given out
 * @throws Refusal `signature_invalid`, `challenge_mismatch`, `origin_mismatch`, `user_not_present`, `user_not_verified`,
 * `key_unsupported`, `malformed_request`
 */
export function readRegistration(
  c: Crypto,
  posted: { readonly obj: Bytes; readonly cd: Bytes },
  of: { readonly challenge: string; readonly pages: ConsentPages },
): Registration {
  if (challengeOf(posted.cd, of.pages) !== of.challenge) throw new Refusal("challenge_mismatch");
  const map = closedMap(readCbor(posted.obj), ["fmt", "attStmt", "authData"]);
  const fmt = map.get("fmt");
  const authData = map.get("authData");
  if (typeof fmt !== "string" || !(authData instanceof Uint8Array))
    throw new Refusal("malformed_request", "fmt or authData is of another type");
  const data = readCredentialData(c, authData, of.pages.rpId);
  return {
    fmt,
    key: data.key,
    credentialId: data.credentialId,
    aaguid: aaguidText(data.aaguid),
    counter: data.counter,
    backupEligible: data.backupEligible,
    backedUp: data.backedUp,
  };
}
