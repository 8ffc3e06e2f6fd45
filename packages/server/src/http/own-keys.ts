import { Members, Refusal } from "@countersign/core";
import type { JsonObject, Seconds } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import { knowKey, removeOwnKey, strangeKeys } from "../cases/own-keys.ts";
import type { OwnerSession } from "../cases/owner-sessions.ts";
import { addKey } from "../cases/owners.ts";
import { beginRegistration, takeRegistration } from "../cases/passkeys.ts";
import { makeStopCodes } from "../cases/stop-codes.ts";
import type { OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { actorOf } from "./console-views.ts";
import { offeredView } from "./enrolment.ts";
import { enrolledView, readPostedKey } from "./owner.ts";
import { keyView, ownerView } from "./owner-view.ts";
import { readCredential } from "./passkeys.ts";

const MAX_BODY_BYTES = 65_536;

/** A call under a session. */
export type Signed = (
  session: OwnerSession,
  request: Request,
  parameters: Readonly<Record<string, string>>,
) => Promise<Response>;

async function ownerOf(w: World, { owner }: OwnerSession): Promise<OwnerRow> {
  const row = await w.store.owner(owner);
  if (row === undefined) throw new Refusal("session_needed");
  return row;
}

async function bodyOf(request: Request, what: string): Promise<Members> {
  return new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request", what);
}

/** When each key last signed an approval, as far as that is kept. */
async function lastSigned(w: World, owner: string): Promise<ReadonlyMap<string, Seconds>> {
  const last = new Map<string, Seconds>();
  const note = (jkt: string, at: Seconds): void => {
    last.set(jkt, Math.max(at, last.get(jkt) ?? 0));
  };
  for (const { ownerJkt, nbf, cs, parties } of await w.store.grants({ owner })) {
    if (parties === undefined) note(ownerJkt, nbf);
    else for (const one of await w.store.signatures({ cs })) note(one.ownerJkt, one.at);
  }
  for (const { decidedBy, decidedAt, state } of await w.store.asks({ owner, state: "approved" }))
    if (state === "approved" && decidedBy !== undefined) note(decidedBy, decidedAt ?? 0);
  return last;
}

async function keysOf(w: World, session: OwnerSession): Promise<JsonObject> {
  const keys = await w.store.ownerKeys(session.owner);
  const strange = strangeKeys(w, keys, session.jkt);
  const signedAt = await lastSigned(w, session.owner);
  const codes = await w.store.stopCodes(session.owner);
  const [first] = codes;
  const used = codes.flatMap(({ usedAt }, i) => (usedAt === undefined ? [] : [i + 1]));
  const [left, of] = [codes.length - used.length, codes.length];
  return {
    keys: keys.map((key) => ({
      ...keyView(w, key),
      known: !strange.has(key.jkt),
      ...(key.seq === undefined ? {} : { entry: key.seq }),
      ...(signedAt.has(key.jkt) ? { last_signed_at: signedAt.get(key.jkt) ?? 0 } : {}),
    })),
    stop_codes:
      first === undefined ? { left, of, used } : { left, of, used, made_at: first.madeAt },
  };
}

/** Only adding is signed (DESIGN 6): by the new key itself, and by one that the owner has. */
async function add(w: World, session: OwnerSession, request: Request): Promise<Response> {
  const posted = await readPostedKey(request);
  if (posted.coSignatures.length === 0)
    throw new Refusal(
      "co_signers_insufficient",
      "a session adds no key",
      "Sign for the new key with one that you have.",
    );
  const key = await addKey(w, posted, (made) => {
    if (made.owner !== session.owner)
      throw new Refusal("statement_invalid", "the key of another owner");
    return { changes: [], once: [] };
  });
  return json(enrolledView(key));
}

/** The owner's own keys and printed codes, under his session. */
export function ownKeyRoutes(w: World): Readonly<Record<string, Signed>> {
  return {
    "GET /v1/owner/keys": async (session) => json(await keysOf(w, session)),
    "POST /v1/owner/keys/webauthn/options": async (session, request) => {
      (await bodyOf(request, "registration")).end();
      const { name } = await ownerOf(w, session);
      const { owner, options, exp } = await beginRegistration(w, name);
      return json({ owner: ownerView(owner), options, expires_at: exp });
    },
    "POST /v1/owner/keys/webauthn/verify": async (session, request) => {
      const posted = await bodyOf(request, "registration");
      const credential = readCredential(posted.object("credential"));
      posted.end();
      const { name } = await ownerOf(w, session);
      const taken = await takeRegistration(w, { ...credential, name });
      return json(offeredView(taken, credential.id));
    },
    "POST /v1/owner/keys": (session, request) => add(w, session, request),
    "DELETE /v1/owner/keys/:jkt": async (session, _request, { jkt }) => {
      await removeOwnKey(w, session, jkt ?? "");
      return json({ removed: true });
    },
    "POST /v1/owner/keys/:jkt/known": async (session, request, { jkt }) => {
      (await bodyOf(request, "key")).end();
      await knowKey(w, session, jkt ?? "");
      return json({ known: true });
    },
    "POST /v1/owner/stop-codes": async (session, request) => {
      (await bodyOf(request, "stop codes")).end();
      const owner = await ownerOf(w, session);
      return json({
        owner: owner.id,
        codes: await makeStopCodes(w, owner, actorOf(session), "owner"),
      });
    },
  };
}
