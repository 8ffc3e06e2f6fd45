import { Refusal } from "@countersign/core";
import type { InvitationRow, OfferedKey } from "../store/invitation-row.ts";
import type { OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { invalid, invitationOf, stepOf } from "./invitation-code.ts";
import { endUnused, usedTwice } from "./invitation-end.ts";
import type { CoSignature } from "./owner-chain.ts";
import { addKey, verifiedKey } from "./owners.ts";

const AGAIN = "Make another one: countersign owner invite NAME --key FILE.";

/**
 * Keeps what a new key has signed until a key that the owner has signs for it. Verified as a whole, and enrolled in
 * nothing: who holds the code alone gets no key into an owner who has one. The same statement may come again.
 * @throws Refusal `invitation_used` for a second one, which drops the first; `statement_invalid`, `key_reused`, `stale`; as
 * `verifiedKey`
 */
export async function offerInvited(
  w: World,
  row: InvitationRow,
  posted: OfferedKey,
): Promise<InvitationRow> {
  if (row.offer !== undefined) return sameOffer(w, row, posted);
  const nobody = (): Promise<readonly []> => Promise.resolve([]);
  const offered = { ...posted, coSignatures: [] };
  const { row: key } = await verifiedKey(w, offered, nobody, w.clock());
  if (key.owner !== row.owner)
    throw new Refusal("statement_invalid", "the key of another owner than the invited one");
  if ((await w.store.keyOwner(key.jkt)) !== undefined)
    throw new Refusal("key_reused", "the key is known already");
  const fields = { offer: posted, jkt: key.jkt };
  const committed = await w.store.commit({
    changes: [{ set: "invitation", hash: row.hash, fields }],
    once: [stepOf(row)],
    issues: true,
  });
  if (committed !== "used" && committed !== "conflict") return { ...row, ...fields };
  const now = await w.store.invitation(row.hash);
  if (now === undefined || now.cancelledAt !== undefined) throw invalid();
  return sameOffer(w, now, posted);
}

/** Only an answer was lost where the same statement comes twice; else somebody else may have the code. */
async function sameOffer(
  w: World,
  row: InvitationRow,
  { statement }: OfferedKey,
): Promise<InvitationRow> {
  if (row.offer?.statement !== statement) throw await usedTwice(w, row);
  return row;
}

/** An invitation whose key waits for its co-signer. */
interface Waiting extends InvitationRow {
  readonly coSigner: string;
  readonly offer: OfferedKey;
}

/** @throws Refusal `not_found`, `replayed`, `already_decided`, `approval_expired` */
async function waitingOf(w: World, id: string): Promise<Waiting> {
  const row = await w.store.invitation(id);
  if (row === undefined || row.id !== id)
    throw new Refusal(
      "not_found",
      "the invitation is gone: another one or another key came",
      AGAIN,
    );
  const { usedAt, cancelledAt, coSigner, offer, exp } = row;
  if (usedAt !== undefined)
    throw new Refusal("replayed", "the key was enrolled", "See it: countersign owner list.");
  if (cancelledAt !== undefined)
    throw new Refusal("already_decided", "the invitation was cancelled", AGAIN);
  if (w.clock() >= exp) throw new Refusal("approval_expired", "its ten minutes are over", AGAIN);
  if (coSigner === undefined || offer === undefined)
    throw new Refusal("not_found", "no key waits for a signature", "Make one on the page first.");
  return { ...row, coSigner, offer };
}

/**
 * The key that the owner has signs for the new one, which is enrolled in the commit that uses the invitation up.
 * @throws Refusal as `waitingOf` and `addKey`; `key_not_enrolled` for another key than the invitation names
 */
export async function coSignOffer(w: World, id: string, co: CoSignature): Promise<OwnerKeyRow> {
  const row = await waitingOf(w, id);
  if (co.jkt !== row.coSigner)
    throw new Refusal(
      "key_not_enrolled",
      "the invitation names another key",
      `Sign with the key ${row.coSigner.slice(0, 8)}: countersign owner list.`,
    );
  try {
    return await addKey(w, { ...row.offer, coSignatures: [co] }, () => {
      const fields = { usedAt: w.clock() };
      return { changes: [{ set: "invitation", hash: row.hash, fields }], once: [stepOf(row)] };
    });
  } catch (error) {
    // says what became of it, where that is why
    if (error instanceof Refusal && ["replayed", "stale"].includes(error.code))
      await waitingOf(w, id);
    throw error;
  }
}

/** The owner says no at his terminal: nothing is enrolled, and the code works no longer. @throws Refusal as `waitingOf` */
export async function declineOffer(w: World, id: string): Promise<void> {
  const row = await waitingOf(w, id);
  if (await endUnused(w, row, "terminal")) return;
  await waitingOf(w, id);
  throw new Refusal("stale");
}

/** What has become of an offered key, for the page that offered it. */
export type OfferState = "waiting" | "enrolled" | "cancelled" | "declined" | "over";

/**
 * Asked by whoever holds the code and knows the key that was offered with it: asking is no second use.
 * @throws Refusal `invitation_invalid` for anybody else
 */
export async function offerState(w: World, typed: string, jkt: string): Promise<OfferState> {
  const row = await invitationOf(w, typed);
  if (row.offer === undefined || row.jkt !== jkt) throw invalid();
  if (row.usedAt !== undefined) return "enrolled";
  if (row.cancelledAt !== undefined)
    return row.cancelledBy === "terminal" ? "declined" : "cancelled";
  return w.clock() < row.exp ? "waiting" : "over";
}
