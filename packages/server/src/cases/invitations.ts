import { base64url, INVITATION_SECONDS, makeInvitationCode, Refusal } from "@countersign/core";
import type { JsonObject, KeyStatement, Statement } from "@countersign/core";
import type { InvitationRow, OfferedKey } from "../store/invitation-row.ts";
import type { OwnerKeyRow, OwnerRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { offerInvited } from "./further-key.ts";
import { hashOf, invalid, stepOf, typedInvitation } from "./invitation-code.ts";
import { usedTwice } from "./invitation-end.ts";
import { addKey, ownerNamed } from "./owners.ts";
import { beginRegistration, takeRegistration } from "./passkeys.ts";
import type { NewPasskey } from "./passkeys.ts";
import { logRow } from "./record.ts";
import { typedId } from "./typed-id.ts";

const ID_BYTES = 6;

async function hasKey(w: World, owner: string): Promise<boolean> {
  return (await w.store.ownerKeys(owner)).some(({ removedAt }) => removedAt === undefined);
}

/**
 * The key that will have to sign for the new one: it is asked for again when it has signed.
 * @throws Refusal `key_not_enrolled`, `key_suspended`
 */
async function checkCoSigner(w: World, owner: string, jkt: string): Promise<void> {
  if (!(await hasKey(w, owner)))
    throw new Refusal(
      "key_not_enrolled",
      "this owner has no key that could sign for another",
      "The first one is made without --key: countersign owner invite NAME.",
    );
  const key = await w.store.ownerKey(jkt);
  if (key === undefined || key.owner !== owner || key.removedAt !== undefined)
    throw new Refusal(
      "key_not_enrolled",
      "it is none of this owner's keys",
      "Name one that he has: countersign owner list shows them.",
    );
  if (key.suspendedAt !== undefined) throw new Refusal("key_suspended");
}

/** Only who has no key makes one by the code alone. @throws Refusal `name_taken` */
async function checkFirst(w: World, owner: string): Promise<void> {
  if (await hasKey(w, owner))
    throw new Refusal(
      "name_taken",
      "this owner has a key",
      "That key signs for a passkey: countersign owner invite NAME --key FILE. Who has lost them all: countersign owner recover.",
    );
}

/**
 * Invites a person to make a key on the console's pages: his first one, or a further one that a key of his must sign for.
 * The code is given out here and kept nowhere; it takes the place of one that he did not use.
 * @param coSigner thumbprint of the key that must sign for a further one
 * @throws Refusal `name_taken` for an owner who has a key where none is named; `key_not_enrolled`, `key_suspended` for one
 * that cannot sign; `configuration_invalid` without a console; `hold`
 */
export async function invite(
  w: World,
  {
    name,
    by,
    coSigner,
  }: { readonly name: string; readonly by: string; readonly coSigner?: string },
): Promise<{ readonly invitation: InvitationRow; readonly code: string }> {
  if (w.config.console === undefined)
    throw new Refusal(
      "configuration_invalid",
      "there is no console to make a passkey on",
      "Set console_port and consent_origins, or enrol an SSH key: countersign owner enrol NAME --key FILE.",
    );
  const owner = await ownerNamed(w, name, "person");
  if (coSigner === undefined) await checkFirst(w, owner.id);
  else await checkCoSigner(w, owner.id, coSigner);
  const now = w.clock();
  const code = makeInvitationCode(w.random);
  const invitation = {
    hash: hashOf(w, code),
    id: typedId(w, ID_BYTES),
    owner: owner.id,
    by,
    madeAt: now,
    exp: now + INVITATION_SECONDS,
    ...(coSigner === undefined ? {} : { coSigner }),
  };
  const record = {
    v: 1,
    owner: owner.id,
    invitation: invitation.id,
    until: invitation.exp,
    by,
    ...(coSigner === undefined ? {} : { co_signer: coSigner }),
  };
  const committed = await w.store.commit({
    log: logRow(w, { type: "admin.owner_invited", t: now, actor: "admin", record }),
    changes: [
      { put: "owner", row: owner },
      { drop: "invitations", owner: owner.id },
      { put: "invitation", row: invitation },
    ],
    issues: true,
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
  return { invitation, code };
}

async function openInvitation(
  w: World,
  typed: string,
): Promise<{ readonly row: InvitationRow; readonly owner: OwnerRow }> {
  const row = await typedInvitation(w, typed);
  if (row.usedAt !== undefined || row.offer !== undefined) throw await usedTwice(w, row);
  const owner = await w.store.owner(row.owner);
  if (owner === undefined) throw invalid();
  return { row, owner };
}

/**
 * Begins the registration of the key.
 * @throws Refusal `invitation_invalid`; `invitation_used`, which suspends the key that was made with it, or drops what waits
 */
export async function beginInvited(
  w: World,
  typed: string,
): Promise<{
  readonly invitation: InvitationRow;
  readonly owner: OwnerRow;
  readonly options: JsonObject;
  readonly exp: number;
}> {
  const { row, owner } = await openInvitation(w, typed);
  return { ...(await beginRegistration(w, owner.name)), invitation: row };
}

/** Takes the registration, and makes the statement that the new key signs. @throws Refusal as `beginInvited` and `takeRegistration` */
export async function takeInvited(
  w: World,
  typed: string,
  posted: Omit<NewPasskey, "name">,
): Promise<{ readonly owner: OwnerRow; readonly statement: Statement<KeyStatement> }> {
  const { owner } = await openInvitation(w, typed);
  return takeRegistration(w, { ...posted, name: owner.name });
}

/** What became of a key that was posted with a code. */
export type Invited =
  | { readonly state: "enrolled"; readonly key: OwnerKeyRow }
  /** It waits for the signature of a key that the owner has, and is none before. */
  | { readonly state: "waiting"; readonly invitation: InvitationRow };

/**
 * Enrols a first key, or keeps a further one until it is signed for; the invitation is used up in that commit.
 * @throws Refusal as `beginInvited`, `addKey` and `offerInvited`; `statement_invalid` for the key of another owner
 */
export async function enrolInvited(w: World, typed: string, posted: OfferedKey): Promise<Invited> {
  const row = await typedInvitation(w, typed);
  if (row.usedAt !== undefined) throw await usedBefore(w, row, posted);
  if (row.coSigner !== undefined)
    return { state: "waiting", invitation: await offerInvited(w, row, posted) };
  return { state: "enrolled", key: await enrolFirst(w, row, posted) };
}

async function enrolFirst(w: World, row: InvitationRow, posted: OfferedKey): Promise<OwnerKeyRow> {
  // enrolled while the invitation was written: the code alone adds no key to others
  if (await hasKey(w, row.owner)) throw invalid();
  try {
    return await addKey(w, { ...posted, coSignatures: [] }, (key) => {
      if (key.owner !== row.owner)
        throw new Refusal("statement_invalid", "the key of another owner than the invited one");
      const fields = { usedAt: w.clock(), jkt: key.jkt };
      return { changes: [{ set: "invitation", hash: row.hash, fields }], once: [stepOf(row)] };
    });
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "replayed") throw error;
    const now = await w.store.invitation(row.hash);
    throw now?.usedAt === undefined ? error : await usedBefore(w, now, posted);
  }
}

/** Two who used one code, unless it is the same statement that came twice: then only an answer was lost. */
async function usedBefore(
  w: World,
  row: InvitationRow,
  { statement }: OfferedKey,
): Promise<Refusal> {
  const made = await w.store.ownerKey(row.jkt ?? "");
  if (made === undefined || base64url(made.statement) !== statement) return usedTwice(w, row);
  return new Refusal(
    "replayed",
    "the key was made",
    "The key is made already: sign in with it. The terminal shows its first eight characters.",
  );
}
