import {
  checkNonce,
  loginChallenge,
  makeNonce,
  readOwnerSignature,
  Refusal,
  verifyAssertion,
} from "@countersign/core";
import type { JsonObject } from "@countersign/core";
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

/** The one that signed, of the keys with this credential id that may sign in. */
async function signedWith(w: World, asked: SignIn): Promise<OwnerKeyRow | undefined> {
  for (const key of await w.store.passkeys(asked.credentialId)) {
    const mayNot = key.removedAt !== undefined || key.suspendedAt !== undefined;
    if (!mayNot && (await isSignedBy(w, key, asked))) return key;
  }
  return undefined;
}

async function isSignedBy(w: World, key: OwnerKeyRow, asked: SignIn): Promise<boolean> {
  const sig = readOwnerSignature(asked.sig);
  if (sig.k !== "webauthn" || key.app === undefined) return false;
  try {
    await verifyAssertion(w.c, {
      assertion: sig,
      challenge: loginChallenge(w.c, asked.nonce),
      pages: w.config.consent,
      key: { jwk: key.jwk, app: key.app },
    });
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
  const key = await signedWith(w, asked);
  if (key === undefined) throw new Refusal("sign_in_failed");
  const committed = await w.store.commit({
    changes: [],
    once: [{ kind: "nonce", value: asked.nonce, until: nonceUntil(now) }],
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("sign_in_failed");
  return sessions.begin(key.owner, key.jkt, now);
}
