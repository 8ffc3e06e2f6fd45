import { base64url, isObject, Members, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Endpoint, Routes } from "@countersign/node";
import { coSignOffer, declineOffer, offerState } from "../cases/further-key.ts";
import { cancelInvitation } from "../cases/invitation-end.ts";
import { beginInvited, enrolInvited, invite, takeInvited } from "../cases/invitations.ts";
import type { Invited } from "../cases/invitations.ts";
import type { InvitationRow } from "../store/invitation-row.ts";
import type { World } from "../world.ts";
import { AddressLimit } from "./address-limit.ts";
import type { AddressBounds } from "./address-limit.ts";
import { enrolledView, readCoSignature } from "./owner.ts";
import { ownerView } from "./owner-view.ts";
import { readCredential } from "./passkeys.ts";
import type { PublicContext } from "./stop-codes.ts";

const MAX_BODY_BYTES = 65_536;
const MAX_CODE_LENGTH = 64;
const BAD = "malformed_request";

/** A page asks every five seconds while its key waits; and whoever asks must name that key. */
const STATE_BOUNDS: AddressBounds = { ofAddress: 60, ofAll: 1200 };

type State = "open" | "offered" | "used" | "cancelled" | "over";

function stateOf({ cancelledAt, usedAt, offer, exp }: InvitationRow, now: number): State {
  if (cancelledAt !== undefined) return "cancelled";
  if (usedAt !== undefined) return "used";
  if (now >= exp) return "over";
  return offer === undefined ? "open" : "offered";
}

function invitationView(row: InvitationRow, now: number): JsonObject {
  const { id, owner, madeAt, exp, usedAt, jkt, coSigner, offer, cancelledBy } = row;
  const state = stateOf(row, now);
  return {
    id,
    owner,
    state,
    made_at: madeAt,
    expires_at: exp,
    ...(coSigner === undefined ? {} : { co_signer: coSigner }),
    ...(usedAt === undefined ? {} : { used_at: usedAt }),
    ...(jkt === undefined ? {} : { jkt }),
    ...(state === "offered" && offer !== undefined ? { jcs: offer.statement } : {}),
    ...(cancelledBy === undefined ? {} : { cancelled_by: cancelledBy }),
  };
}

/** Invitations on the admin socket: made, looked at, and signed for or declined by a key that the owner has. @param by who makes them, as the log names him */
export function invitationRoutes(w: World, by: string): Routes<object> {
  return {
    "POST /v1/owner/invitations": async (request) => {
      const posted = new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, "invitation");
      const name = posted.text("name", { maxLength: 64 });
      const coSigner = posted.optional("co_signer", (member) => posted.thumbprint(member));
      posted.end();
      const asked = { name, by, ...(coSigner === undefined ? {} : { coSigner }) };
      const { invitation, code } = await invite(w, asked);
      const [origin = ""] = w.config.consent.origins;
      return json({ ...invitationView(invitation, w.clock()), code, url: `${origin}/#/enrol` });
    },
    "GET /v1/owner/invitations/:id": async (_request, _context, { id }) => {
      const row = await w.store.invitation(id ?? "");
      if (row === undefined || row.id !== id) throw new Refusal("not_found", "no such invitation");
      return json(invitationView(row, w.clock()));
    },
    "POST /v1/owner/invitations/:id/co-signature": async (request, _context, { id }) => {
      const posted = await readJsonBody(request, MAX_BODY_BYTES);
      const signed = readCoSignature(posted, "co-signature");
      return json(enrolledView(await coSignOffer(w, id ?? "", signed)));
    },
    "POST /v1/owner/invitations/:id/decline": async (request, _context, { id }) => {
      new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, "decline").end();
      await declineOffer(w, id ?? "");
      return json({ declined: true });
    },
  };
}

/** The statement that a registered key has to sign. */
export function offeredView(
  { owner, statement }: Awaited<ReturnType<typeof takeInvited>>,
  credentialId: string,
): JsonObject {
  const { bytes, cs } = statement;
  return {
    owner: ownerView(owner),
    jcs: base64url(bytes),
    digest: cs,
    credential_id: credentialId,
  };
}

/** A key that was enrolled, or which waits for the one that must sign for it. */
function invitedAnswer(invited: Invited): Response {
  if (invited.state === "enrolled") return json(enrolledView(invited.key));
  const { jkt = "", coSigner = "", exp } = invited.invitation;
  return json({ state: "waiting", jkt, co_signer: coSigner, expires_at: exp }, 202);
}

/** Reads the rest of a body. @returns what is done once the caller may try */
type Step = (posted: Members, code: string) => () => Promise<Response>;

/** Calls of whoever has typed the code: no session, so few of them, of one address and of all together. */
export function enrolmentRoutes(w: World): Routes<PublicContext> {
  const step = (what: string, take: Step, bounds?: AddressBounds): Endpoint<PublicContext> => {
    const limit = new AddressLimit(bounds);
    return async (request, { address }) => {
      const posted = new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, what);
      const code = posted.text("code", { maxLength: MAX_CODE_LENGTH, minLength: 0 });
      const taken = take(posted, code);
      if (!limit.takes(address ?? "", w.clock()))
        throw new Refusal("rate_limited", what, "Wait a minute, then try again.");
      return taken();
    };
  };
  return {
    "POST /v1/owner/enrolment/options": step("enrolment", (posted, code) => {
      posted.end();
      return async () => {
        const { invitation, owner, options, exp } = await beginInvited(w, code);
        const { madeAt, exp: until, coSigner } = invitation;
        const times = { expires_at: exp, invited_at: madeAt, invited_until: until };
        const by = coSigner === undefined ? {} : { co_signer: coSigner };
        return json({ owner: ownerView(owner), options, ...times, ...by });
      };
    }),
    "POST /v1/owner/enrolment/verify": step("registration", (posted, code) => {
      const credential = readCredential(posted.object("credential"));
      posted.end();
      return async () => json(offeredView(await takeInvited(w, code, credential), credential.id));
    }),
    "POST /v1/owner/enrolment/key": step("key", (posted, code) => {
      const sig = posted.raw("sig");
      const statement = posted.text("statement", { maxLength: 12_000 });
      const comment = posted.text("comment", { maxLength: 200, minLength: 0 });
      posted.end();
      if (!isObject(sig)) throw new Refusal(BAD, "sig is not an object");
      const key = { statement, comment, sig };
      return async () => invitedAnswer(await enrolInvited(w, code, key));
    }),
    "POST /v1/owner/enrolment/state": step(
      "state",
      (posted, code) => {
        const jkt = posted.thumbprint("jkt");
        posted.end();
        return async () => json({ state: await offerState(w, code, jkt) });
      },
      STATE_BOUNDS,
    ),
    "POST /v1/owner/enrolment/cancel": step("cancellation", (posted, code) => {
      posted.end();
      return async () => json({ cancelled: true, ...(await cancelInvitation(w, code)) });
    }),
  };
}
