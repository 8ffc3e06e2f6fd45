import {
  base64url,
  canonicalJson,
  challengeOf,
  fromBase64url,
  jwkOfSpki,
  readRegistration,
  Refusal,
  utf8,
} from "@countersign/core";
import type { JsonObject, Jwk, KeyStatement, Registration, Statement } from "@countersign/core";
import type { OwnerRow, RegistrationRow } from "../store/rows.ts";
import { creationOptions, verifyRegistration } from "../webauthn/library.ts";
import type { PostedRegistration } from "../webauthn/library.ts";
import type { World } from "../world.ts";
import { offerKey, ownerNamed } from "./owners.ts";

const CHALLENGE_BYTES = 32;
/** How long a registration may take. */
export const REGISTRATION_SECONDS = 300;

/** Begins the registration of a passkey: a challenge that is good once, for this owner, for 300 seconds. */
export async function beginRegistration(
  w: World,
  name: string,
): Promise<{ readonly owner: OwnerRow; readonly options: JsonObject; readonly exp: number }> {
  const owner = await ownerNamed(w, name, "person");
  const challenge = w.random(CHALLENGE_BYTES);
  const row: RegistrationRow = {
    challenge: base64url(challenge),
    owner: owner.id,
    exp: w.clock() + REGISTRATION_SECONDS,
  };
  const keys = await w.store.ownerKeys(owner.id);
  const options = await creationOptions({
    pages: w.config.consent,
    rpName: w.config.trustDomain,
    userName: owner.name,
    userId: w.c.sha256(utf8(owner.id)),
    challenge,
    known: keys.flatMap(({ removedAt, authenticator }) =>
      removedAt !== undefined || authenticator === undefined
        ? []
        : [{ id: authenticator.credential, transports: authenticator.transports }],
    ),
  });
  await w.store.commit({
    changes: [
      { put: "owner", row: owner },
      { put: "registration", row },
    ],
  });
  return { owner, options, exp: row.exp };
}

/** What the page posts, and what it says its key is. */
export interface NewPasskey extends PostedRegistration {
  /** Name of the owner for whom it was begun. */
  readonly name: string;
  /** `getPublicKey()`: SubjectPublicKeyInfo, base64url. The page's word. */
  readonly publicKey?: string;
}

/** The registration that this challenge began. @throws Refusal `challenge_mismatch`, `approval_expired` */
async function begun(w: World, challenge: string, name: string): Promise<RegistrationRow> {
  const row = await w.store.registration(challenge);
  if (row === undefined) throw new Refusal("challenge_mismatch", "no registration was begun by it");
  const owner = await w.store.owner(row.owner);
  if (owner?.name !== name)
    throw new Refusal("challenge_mismatch", "the registration was begun for another owner");
  if (w.clock() >= row.exp)
    throw new Refusal(
      "approval_expired",
      `a registration takes at most ${REGISTRATION_SECONDS} seconds`,
      "Begin again.",
    );
  return row;
}

function checkPageKey(said: string | undefined, key: Jwk): void {
  if (said === undefined) return;
  const page = jwkOfSpki(fromBase64url(said));
  if (canonicalJson({ ...page }) !== canonicalJson({ ...key }))
    throw new Refusal("signature_invalid", "the page says another key than the authenticator");
}

/** The registration, read by us for its reasons and verified as a whole by the library. */
async function judged(w: World, posted: NewPasskey, challenge: string): Promise<Registration> {
  const pages = w.config.consent;
  const obj = fromBase64url(posted.attestationObject);
  const cd = fromBase64url(posted.clientDataJSON);
  const read = readRegistration(w.c, { obj, cd }, { challenge, pages });
  if (base64url(read.credentialId) !== posted.id)
    throw new Refusal("signature_invalid", "the page says another credential id");
  checkPageKey(posted.publicKey, read.key);
  const verified = await verifyRegistration(posted, { challenge, pages });
  if (verified.credentialId !== posted.id || verified.aaguid !== read.aaguid)
    throw new TypeError("two readers of one registration differ");
  return read;
}

/**
 * Takes a registration and makes the `key` statement that the new key has to sign in a second ceremony; its signature
 * goes to `addKey`. The key is the authenticator's; its RP ID is its `app`.
 * @throws Refusal `challenge_mismatch`, `approval_expired`, `replayed`, `origin_mismatch`, `user_not_present`,
 * `user_not_verified`, `key_unsupported`, `signature_invalid`, `malformed_request`, `key_reused`
 */
export async function takeRegistration(
  w: World,
  posted: NewPasskey,
): Promise<{ readonly owner: OwnerRow; readonly statement: Statement<KeyStatement> }> {
  const challenge = challengeOf(fromBase64url(posted.clientDataJSON), w.config.consent);
  const { exp } = await begun(w, challenge, posted.name);
  const read = await judged(w, posted, challenge);
  const authenticator = {
    fmt: read.fmt,
    obj: posted.attestationObject,
    cd: posted.clientDataJSON,
    aaguid: read.aaguid,
    credential: posted.id,
    transports: posted.transports,
    backupEligible: read.backupEligible,
    backedUp: read.backedUp,
    counter: read.counter,
  };
  const offer = {
    name: posted.name,
    kind: "person",
    jwk: read.key,
    app: w.config.consent.rpId,
  } as const;
  return offerKey(w, offer, {
    authenticator,
    once: { kind: "challenge", value: challenge, until: exp },
  });
}
