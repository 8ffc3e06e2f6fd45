import {
  checkNonce,
  loginChallenge,
  makeNonce,
  readOwnerSignature,
  Refusal,
  verifyAssertion,
} from "@countersign/core";
import type { Assertion, Bytes, JsonObject, Seconds, SignatureFacts } from "@countersign/core";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { nonceUntil } from "./nonces.ts";
import { moveCounters } from "./owner-counter.ts";
import type { SigningKey } from "./owner-counter.ts";
import type { OwnerSession, OwnerSessions } from "./owner-sessions.ts";

/** Whom a nonce for signing in is for: no proxy has a name with a space. */
const HOLDER = "owner console";
const MAX_TRIES = 3;

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
): Promise<SigningKey | undefined> {
  const found = await w.store.passkeys(credentialId);
  // no passkey is the key of a CA; what it says is not asked
  const decoy = { jwk: w.keys.agents.signer.key, app: w.config.consent.rpId };
  if (found.length === 0) await verified(w, decoy, tried);
  let signer: SigningKey | undefined;
  for (const row of found) {
    const facts = await verified(w, row, tried);
    if (facts !== undefined && row.removedAt === undefined && row.suspendedAt === undefined)
      signer ??= { row, facts };
  }
  return signer;
}

/** What the assertion says, if this key made it. One that verifies was touched, by a user whom it knows. */
async function verified(
  w: World,
  { jwk, app = "" }: Pick<OwnerKeyRow, "jwk" | "app">,
  { assertion, challenge }: Tried,
): Promise<SignatureFacts | undefined> {
  const pages = w.config.consent;
  try {
    const said = await verifyAssertion(w.c, { assertion, challenge, pages, key: { jwk, app } });
    const backup = { eligible: said.backupEligible, done: said.backedUp };
    const { counter } = said;
    return { kind: "webauthn", userPresent: true, userVerified: true, counter, backup };
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/**
 * Signs an owner in by a passkey of his. Whoever is refused learns nothing of owners and keys: every reason but the
 * nonce's has one answer, and but for a counter that went back, which only a holder of the key can show. Its key is
 * suspended then, as after a statement that it signs.
 * @throws Refusal `nonce_unknown`, `nonce_expired`, `sign_in_failed`, `counter_regressed`, `malformed_request`
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
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const key = await signedWith(w, asked.credentialId, { assertion, challenge });
    if (key === undefined) break;
    const outcome = await enter(w, key, asked.nonce, now);
    if (outcome === "entered") return sessions.begin(key.row.owner, key.row.jkt, now);
    if (outcome === "used") break;
  }
  throw new Refusal("sign_in_failed");
}

/**
 * Uses the nonce up and moves the key's counter, in one commit.
 * @returns "used" where it must not enter: also one that may be copied now, and might not be as it was registered;
 * "conflict" where the key signed meanwhile
 * @throws Refusal `counter_regressed`
 */
async function enter(
  w: World,
  key: SigningKey,
  nonce: string,
  now: Seconds,
): Promise<"entered" | "used" | "conflict"> {
  const moved = await moveCounters(w, [key], { nonce }).catch((error: unknown) => {
    if (error instanceof Refusal && error.code === "signature_invalid") return "used" as const;
    throw error;
  });
  if (typeof moved === "string") return moved;
  const committed = await w.store.commit({
    changes: moved.changes,
    once: [{ kind: "nonce", value: nonce, until: nonceUntil(now) }],
    expect: { ownerKeys: moved.ownerKeys },
  });
  return committed === "used" || committed === "conflict" ? committed : "entered";
}
