import { base64url, invitationPayload, readCode, Refusal } from "@countersign/core";
import type { InvitationRow } from "../store/invitation-row.ts";
import type { Once } from "../store/store.ts";
import type { World } from "../world.ts";

/** Whatever is wrong with a code: one answer. */
export const invalid = (): Refusal => new Refusal("invitation_invalid");

export function hashOf(w: World, code: string): string {
  return base64url(w.keys.mac(invitationPayload(code)));
}

/**
 * Each step of an invitation is taken once, whoever of many comes first: it makes a key, takes an offer or is cancelled;
 * its offer is enrolled or cancelled.
 */
export const stepOf = ({ hash, offer }: InvitationRow): Once => ({
  kind: "code",
  value: offer === undefined ? hash : `${hash}/offer`,
  until: Number.MAX_SAFE_INTEGER,
});

/** The invitation of a code that was typed, whatever became of it. @throws Refusal `invitation_invalid` for no code */
export async function invitationOf(w: World, typed: string): Promise<InvitationRow> {
  const code = readCode(typed);
  // looked up in any case, so that a malformed one takes as long
  const row = await w.store.invitation(hashOf(w, code ?? ""));
  if (code === undefined || row === undefined) throw invalid();
  return row;
}

/** The invitation of a code that was typed, used ones too. @throws Refusal `invitation_invalid` whatever is wrong with it */
export async function typedInvitation(w: World, typed: string): Promise<InvitationRow> {
  const row = await invitationOf(w, typed);
  if (row.cancelledAt !== undefined) throw invalid();
  if (row.usedAt === undefined && w.clock() >= row.exp) throw invalid();
  return row;
}
