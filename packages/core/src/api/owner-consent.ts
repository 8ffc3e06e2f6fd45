import type { Bytes } from "../crypto.ts";
import { base64url, fromBase64url } from "../bytes.ts";
import { readOwnerSignature } from "../consent/owner-signature.ts";
import type { OwnerSignature } from "../consent/owner-signature.ts";
import { Members } from "../json/read.ts";
import type { Json, JsonObject } from "../json/strict.ts";

/** `POST /v1/owner-consents` → in: the R that was asked with, the statement over it, and the owner's signature. */
export interface PostedOwnerConsent {
  readonly request: string;
  /** Octets of the statement. */
  readonly statement: Bytes;
  readonly sig: OwnerSignature;
}

export function writeOwnerConsent({ request, statement, sig }: PostedOwnerConsent): JsonObject {
  return { request, statement: base64url(statement), sig: { ...sig } };
}

/** Closed. @throws Refusal `malformed_request` */
export function readOwnerConsent(value: Json): PostedOwnerConsent {
  const members = new Members(value, "malformed_request", "consent");
  const posted: PostedOwnerConsent = {
    request: members.text("request", { maxLength: 16_384 }),
    statement: fromBase64url(members.text("statement", { maxLength: 11_000 })),
    sig: readOwnerSignature(members.raw("sig")),
  };
  members.end();
  return posted;
}
