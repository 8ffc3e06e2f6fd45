import { base64url, isObject, Members, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Endpoint, Routes } from "@countersign/node";
import {
  beginInvited,
  cancelInvitation,
  enrolInvited,
  invite,
  takeInvited,
} from "../cases/invitations.ts";
import type { InvitationRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { AddressLimit } from "./address-limit.ts";
import { enrolledView } from "./owner.ts";
import { ownerView } from "./owner-view.ts";
import { readCredential } from "./passkeys.ts";
import type { PublicContext } from "./stop-codes.ts";

const MAX_BODY_BYTES = 65_536;
const MAX_CODE_LENGTH = 64;
const BAD = "malformed_request";

type State = "open" | "used" | "cancelled" | "over";

function stateOf(row: InvitationRow, now: number): State {
  if (row.cancelledAt !== undefined) return "cancelled";
  if (row.usedAt !== undefined) return "used";
  return now < row.exp ? "open" : "over";
}

function invitationView(row: InvitationRow, now: number): JsonObject {
  const { id, owner, madeAt, exp, usedAt, jkt } = row;
  return {
    id,
    owner,
    state: stateOf(row, now),
    made_at: madeAt,
    expires_at: exp,
    ...(usedAt === undefined ? {} : { used_at: usedAt }),
    ...(jkt === undefined ? {} : { jkt }),
  };
}

/** Invitations on the admin socket: made, and looked at. @param by who makes them, as the log names him */
export function invitationRoutes(w: World, by: string): Routes<object> {
  return {
    "POST /v1/owner/invitations": async (request) => {
      const posted = new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, "invitation");
      const name = posted.text("name", { maxLength: 64 });
      posted.end();
      const { invitation, code } = await invite(w, name, by);
      const [origin = ""] = w.config.consent.origins;
      return json({ ...invitationView(invitation, w.clock()), code, url: `${origin}/#/enrol` });
    },
    "GET /v1/owner/invitations/:id": async (_request, _context, { id }) => {
      const row = await w.store.invitation(id ?? "");
      if (row === undefined || row.id !== id) throw new Refusal("not_found", "no such invitation");
      return json(invitationView(row, w.clock()));
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

/** Reads the rest of a body. @returns what is done once the caller may try */
type Step = (posted: Members, code: string) => () => Promise<JsonObject>;

/** Calls of whoever has typed the code: no session, so few of them, of one address and of all together. */
export function enrolmentRoutes(w: World): Routes<PublicContext> {
  const step = (what: string, take: Step): Endpoint<PublicContext> => {
    const limit = new AddressLimit();
    return async (request, { address }) => {
      const posted = new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, what);
      const code = posted.text("code", { maxLength: MAX_CODE_LENGTH, minLength: 0 });
      const taken = take(posted, code);
      if (!limit.takes(address ?? "", w.clock()))
        throw new Refusal("rate_limited", what, "Wait a minute, then try again.");
      return json(await taken());
    };
  };
  return {
    "POST /v1/owner/enrolment/options": step("enrolment", (posted, code) => {
      posted.end();
      return async () => {
        const { invitation, owner, options, exp } = await beginInvited(w, code);
        const { madeAt, exp: until } = invitation;
        const times = { expires_at: exp, invited_at: madeAt, invited_until: until };
        return { owner: ownerView(owner), options, ...times };
      };
    }),
    "POST /v1/owner/enrolment/verify": step("registration", (posted, code) => {
      const credential = readCredential(posted.object("credential"));
      posted.end();
      return async () => offeredView(await takeInvited(w, code, credential), credential.id);
    }),
    "POST /v1/owner/enrolment/key": step("key", (posted, code) => {
      const sig = posted.raw("sig");
      const statement = posted.text("statement", { maxLength: 12_000 });
      const comment = posted.text("comment", { maxLength: 200, minLength: 0 });
      posted.end();
      if (!isObject(sig)) throw new Refusal(BAD, "sig is not an object");
      return async () => enrolledView(await enrolInvited(w, code, { statement, comment, sig }));
    }),
    "POST /v1/owner/enrolment/cancel": step("cancellation", (posted, code) => {
      posted.end();
      return async () => ({ cancelled: true, ...(await cancelInvitation(w, code)) });
    }),
  };
}
