import {
  checkNonce,
  loginChallenge,
  makeNonce,
  readOwnerSignature,
  Refusal,
  verifyAssertion,
} from "@countersign/core";
import type { Assertion, Bytes, JsonObject } from "@countersign/core";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { nonceUntil } from "./nonces.ts";
import type { OwnerSession, OwnerSessions } from "./owner-sessions.ts";

/** Whom a nonce for signing in is for: no proxy has a name with a space. */
const HOLDER = "owner console";

/** A nonce for one sign-in; nothing is stored until it is spent. */
export function signInNonce(w: World): string {
  return makeNonce(w.keys.mac, w.random, HOLDER, w.clock());
}

export interface SignIn {
  readonly nonce: string;
  /** Credential id, base64url. */
  readonly credentialId: string;
  readonly sig: JsonObject;
}

/** What the work of a sign-in depends on. */
interface Tried {
  readonly assertion: Assertion;
  readonly challenge: Bytes;
}

/**
 * The one that signed, of the keys with this credential id that may sign in. A removed key, a suspended one and one
 * that nobody has cost the same: one read, and one signature that is verified.
 */
async function signedWith(
  w: World,
  credentialId: string,
  tried: Tried,
): Promise<OwnerKeyRow | undefined> {
  const found = await w.store.passkeys(credentialId);
  // no passkey is the key of a CA; what it says is not asked
  const decoy = { jwk: w.keys.agents.signer.key, app: w.config.consent.rpId };
  if (found.length === 0) await isSignedBy(w, decoy, tried);
  let signer: OwnerKeyRow | undefined;
  for (const key of found) {
    const isSigned = await isSignedBy(w, key, tried);
    if (isSigned && key.removedAt === undefined && key.suspendedAt === undefined) signer ??= key;
  }
  return signer;
}

async function isSignedBy(
  w: World,
  { jwk, app = "" }: Pick<OwnerKeyRow, "jwk" | "app">,
  { assertion, challenge }: Tried,
): Promise<boolean> {
  const pages = w.config.consent;
  try {
    await verifyAssertion(w.c, { assertion, challenge, pages, key: { jwk, app } });
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/**
 * Signs an owner in by a passkey of his. Whoever is refused learns nothing of owners and keys: every reason but the
 * nonce's has one answer.
 * @throws Refusal `nonce_unknown`, `nonce_expired`, `sign_in_failed`, `malformed_request`
 */
export async function signIn(
  w: World,
  sessions: OwnerSessions,
  asked: SignIn,
): Promise<{ readonly token: string } & OwnerSession> {
  const now = w.clock();
  checkNonce(w.keys.mac, asked.nonce, HOLDER, now);
  // whether a body is one is said before anybody's key is looked for
  const assertion = readOwnerSignature(asked.sig);
  if (assertion.k !== "webauthn") throw new Refusal("sign_in_failed");
  const challenge = loginChallenge(w.c, asked.nonce);
  const key = await signedWith(w, asked.credentialId, { assertion, challenge });
  if (key === undefined) throw new Refusal("sign_in_failed");
  const committed = await w.store.commit({
    changes: [],
    once: [{ kind: "nonce", value: asked.nonce, until: nonceUntil(now) }],
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("sign_in_failed");
  return sessions.begin(key.owner, key.jkt, now);
}
