import {
  base64url,
  fromBase64url,
  isKeyStatement,
  jwkOfSpki,
  readStatement,
  renderKeyStatement,
  thumbprint,
} from "@countersign/core";
import type { Bytes, Crypto, JsonObject, KeyStatement, Statement } from "@countersign/core";
import type { Place } from "./app.ts";
import { NotSigned } from "./passkey.ts";
import { list, object, text, Unreadable } from "./read.ts";

const owned = (octets: Bytes): Uint8Array<ArrayBuffer> => new Uint8Array(octets);
const bytesOf = (from: JsonObject, name: string): Uint8Array<ArrayBuffer> =>
  owned(fromBase64url(text(from, name)));
const told = (octets: ArrayBuffer): string => base64url(new Uint8Array(octets));

/** A passkey that was made and not enrolled yet. */
export interface MadePasskey {
  readonly credential: JsonObject;
  /** Thumbprint of its key, from what the authenticator gave this page. */
  readonly jkt: string;
}

/** The server's options as the platform takes them; what it is asked to make is fixed here. */
function creationOf(options: JsonObject): PublicKeyCredentialCreationOptions {
  const user = object(options["user"]);
  const rp = object(options["rp"]);
  // a passkey of a parent domain could be used, and asked for, on every page below it
  if (text(rp, "id") !== window.location.hostname)
    throw new Unreadable("a passkey for another host than this one");
  return {
    challenge: bytesOf(options, "challenge"),
    rp: { id: text(rp, "id"), name: text(rp, "name") },
    user: {
      id: bytesOf(user, "id"),
      name: text(user, "name"),
      displayName: text(user, "name"),
    },
    pubKeyCredParams: [
      { type: "public-key", alg: -8 },
      { type: "public-key", alg: -7 },
    ],
    attestation: "direct",
    authenticatorSelection: {
      residentKey: "required",
      requireResidentKey: true,
      userVerification: "required",
    },
    excludeCredentials: list(options, "excludeCredentials").map((known) => ({
      type: "public-key" as const,
      id: bytesOf(known, "id"),
    })),
  };
}

/**
 * Makes a passkey on this device. The one challenge of the server that reaches an authenticator: it makes a key, and
 * signs nothing that a statement or a sign-in could be taken for (owner.md 1.3).
 * @throws NotSigned
 */
export async function makePasskey(c: Crypto, options: JsonObject): Promise<MadePasskey> {
  const made = await navigator.credentials
    .create({ publicKey: creationOf(options) })
    .catch(() => null);
  if (!(made instanceof PublicKeyCredential)) throw new NotSigned("no passkey");
  const { response, rawId } = made;
  const spki =
    response instanceof AuthenticatorAttestationResponse ? response.getPublicKey() : null;
  if (!(response instanceof AuthenticatorAttestationResponse) || spki === null)
    throw new NotSigned("no key");
  const id = told(rawId);
  return {
    jkt: thumbprint(c, jwkOfSpki(new Uint8Array(spki))),
    credential: {
      id,
      rawId: id,
      type: "public-key",
      response: {
        clientDataJSON: told(response.clientDataJSON),
        attestationObject: told(response.attestationObject),
        transports: response.getTransports(),
        publicKey: told(spki),
      },
    },
  };
}

/** A key statement as it is shown and signed. */
export interface KeyText {
  readonly statement: Statement<KeyStatement>;
  readonly credentialId: string;
  readonly title: string;
  readonly lines: readonly string[];
}

/**
 * Reads the statement that the server made for a new passkey, and renders it from its exact octets.
 * @param ownerId whose key it must be; a first key is of whoever was invited
 * @throws Unreadable where it names another key, owner, server or place; Refusal as `readStatement`
 */
export function readKeyText(
  c: Crypto,
  answer: JsonObject,
  made: MadePasskey,
  place: Place,
  ownerId?: string,
): KeyText {
  const statement = readStatement(c, fromBase64url(text(answer, "jcs")));
  if (!isKeyStatement(statement)) throw new Unreadable("not a key statement");
  const { key, owner, aud, td, decision } = statement.body;
  const isMeant =
    key.jkt === made.jkt &&
    owner.jkt === made.jkt &&
    (ownerId === undefined || owner.id === ownerId) &&
    key.app === place.rpId &&
    aud === place.issuer &&
    td === place.trustDomain &&
    decision === "approve";
  if (!isMeant) throw new Unreadable("the statement is of another key, server or place");
  return {
    statement,
    credentialId: text(made.credential, "id"),
    ...renderKeyStatement(statement),
  };
}
