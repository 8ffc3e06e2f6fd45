import { Refusal } from "@countersign/core";
import type { Bytes, ConsentPages, JsonObject } from "@countersign/core";

/** COSE numbers of the algorithms that owners' keys have, the preferred one first: Ed25519, ES256. */
const ALGORITHMS = [-8, -7];
const CEREMONY_MS = 300_000;
/** Formats for which the library brings makers' roots of its own. */
const ROOTED = ["android-key", "android-safetynet", "apple", "mds"] as const;

type Library = typeof import("@simplewebauthn/server");
let loaded: Promise<Library> | undefined;

/**
 * The library, loaded when the first passkey is enrolled. Its built-in roots are taken away: anchors come from
 * configuration only, and behind a root it would fetch the revocation list that a certificate names.
 */
function library(): Promise<Library> {
  loaded ??= import("@simplewebauthn/server").then((made) => {
    for (const identifier of ROOTED)
      made.SettingsService.setRootCertificates({ identifier, certificates: [] });
    return made;
  });
  return loaded;
}

/** What a page posts after `navigator.credentials.create`, every field base64url. */
export interface PostedRegistration {
  readonly id: string;
  readonly clientDataJSON: string;
  readonly attestationObject: string;
  readonly transports: readonly string[];
}

/** A credential that the owner has already: its authenticator makes no second one. */
export interface KnownCredential {
  readonly id: string;
  readonly transports: readonly string[];
}

/** The argument of `navigator.credentials.create`, as `parseCreationOptionsFromJSON` takes it. */
export async function creationOptions(of: {
  readonly pages: ConsentPages;
  readonly rpName: string;
  readonly userName: string;
  /** At most 64 octets that say nothing about a person. */
  readonly userId: Bytes;
  readonly challenge: Bytes;
  readonly known: readonly KnownCredential[];
}): Promise<JsonObject> {
  const { generateRegistrationOptions } = await library();
  const options = await generateRegistrationOptions({
    rpName: of.rpName,
    rpID: of.pages.rpId,
    userName: of.userName,
    userDisplayName: of.userName,
    userID: Uint8Array.from(of.userId),
    challenge: Uint8Array.from(of.challenge),
    timeout: CEREMONY_MS,
    attestationType: "direct",
    excludeCredentials: of.known.map(({ id, transports }) => ({ id, transports: [...transports] })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    supportedAlgorithmIDs: ALGORITHMS,
  });
  return JSON.parse(JSON.stringify(options)) as JsonObject; // it is made to be sent as JSON
}

/**
 * Verifies the whole registration, the attestation statement of any format included, as far as it stands by itself:
 * no root is believed here.
 * @throws Refusal `signature_invalid`
 */
export async function verifyRegistration(
  posted: PostedRegistration,
  of: { readonly challenge: string; readonly pages: ConsentPages },
): Promise<{ readonly credentialId: string; readonly aaguid: string }> {
  const { verifyRegistrationResponse } = await library();
  const { id, clientDataJSON, attestationObject } = posted;
  const verified = await verifyRegistrationResponse({
    response: {
      id,
      rawId: id,
      type: "public-key",
      response: { clientDataJSON, attestationObject },
      clientExtensionResults: {},
    },
    expectedChallenge: of.challenge,
    expectedOrigin: [...of.pages.origins],
    expectedRPID: of.pages.rpId,
    requireUserPresence: true,
    requireUserVerification: true,
    supportedAlgorithmIDs: ALGORITHMS,
  }).catch((error: unknown) => {
    // it throws plain errors for whatever does not hold
    throw new Refusal(
      "signature_invalid",
      `the registration does not hold: ${error instanceof Error ? error.message : "unknown"}`,
    );
  });
  if (!verified.verified)
    throw new Refusal("signature_invalid", "the attestation statement does not verify");
  const { aaguid, credential } = verified.registrationInfo;
  return { credentialId: credential.id, aaguid };
}
