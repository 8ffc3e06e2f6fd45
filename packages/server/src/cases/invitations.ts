import {
  base64url,
  INVITATION_SECONDS,
  invitationPayload,
  makeInvitationCode,
  readCode,
  Refusal,
} from "@countersign/core";
import type { JsonObject, KeyStatement, Statement } from "@countersign/core";
import type { InvitationRow, OwnerKeyRow, OwnerRow } from "../store/rows.ts";
import type { Once } from "../store/store.ts";
import type { World } from "../world.ts";
import { coSignerThumbprints } from "./owner-chain.ts";
import { addKey, ownerNamed } from "./owners.ts";
import type { PostedKey } from "./owners.ts";
import { beginRegistration, takeRegistration } from "./passkeys.ts";
import type { NewPasskey } from "./passkeys.ts";
import { logRow } from "./record.ts";
import { typedId } from "./typed-id.ts";

const ID_BYTES = 6;
const MAX_TRIES = 3;

const invalid = (): Refusal => new Refusal("invitation_invalid");

function hashOf(w: World, code: string): string {
  return base64url(w.keys.mac(invitationPayload(code)));
}

/** A code is used or cancelled once, whoever of many comes first. */
const spent = ({ hash }: InvitationRow): Once => ({
  kind: "code",
  value: hash,
  until: Number.MAX_SAFE_INTEGER,
});

async function hasKey(w: World, owner: string): Promise<boolean> {
  return (await w.store.ownerKeys(owner)).some(({ removedAt }) => removedAt === undefined);
}

/**
 * Invites a person to make his first key on the console's pages. The code is given out here and kept nowhere; it takes
 * the place of one that he did not use.
 * @throws Refusal `name_taken` for an owner who has a key, `configuration_invalid` without a console, `hold`
 */
export async function invite(
  w: World,
  name: string,
  by: string,
): Promise<{ readonly invitation: InvitationRow; readonly code: string }> {
  if (w.config.console === undefined)
    throw new Refusal(
      "configuration_invalid",
      "there is no console to make a passkey on",
      "Set console_port and consent_origins, or enrol an SSH key: countersign owner enrol NAME --key FILE.",
    );
  const owner = await ownerNamed(w, name, "person");
  if (await hasKey(w, owner.id))
    throw new Refusal(
      "name_taken",
      "this owner has a key",
      "An owner adds keys in the console, under Keys. Who has lost them all: countersign owner recover.",
    );
  const now = w.clock();
  const code = makeInvitationCode(w.random);
  const invitation = {
    hash: hashOf(w, code),
    id: typedId(w, ID_BYTES),
    owner: owner.id,
    by,
    madeAt: now,
    exp: now + INVITATION_SECONDS,
  };
  const record = { v: 1, owner: owner.id, invitation: invitation.id, until: invitation.exp, by };
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

/** The invitation of a code that was typed, used ones too. @throws Refusal `invitation_invalid` whatever is wrong with it */
async function typedInvitation(w: World, typed: string): Promise<InvitationRow> {
  const code = readCode(typed);
  // looked up in any case, so that a malformed one takes as long
  const row = await w.store.invitation(hashOf(w, code ?? ""));
  if (code === undefined || row === undefined || row.cancelledAt !== undefined) throw invalid();
  if (row.usedAt === undefined && w.clock() >= row.exp) throw invalid();
  return row;
}

/** Why a key that was made with an invitation is in doubt. */
type Doubt = "link_used_twice" | "link_cancelled";

/**
 * The keys that rest on one alone: it, and those that nobody vouched for but it and those. Whoever came first with
 * somebody else's link may have made a second key before he was found out.
 * @returns the ones that rest on others first
 */
async function restingOn(w: World, jkt: string): Promise<readonly string[]> {
  const made = await w.store.ownerKey(jkt);
  if (made === undefined) return [];
  const resting = [jkt];
  const keys = (await w.store.ownerKeys(made.owner)).map((key) => ({
    jkt: key.jkt,
    by: coSignerThumbprints(w, key),
  }));
  for (let size = 0; size !== resting.length;) {
    size = resting.length;
    for (const key of keys)
      if (
        !resting.includes(key.jkt) &&
        key.by.length > 0 &&
        key.by.every((by) => resting.includes(by))
      )
        resting.unshift(key.jkt);
  }
  return resting;
}

/** Suspends the key that was made with an invitation, and what rests on it. */
async function suspendMade(w: World, row: InvitationRow, reason: Doubt): Promise<void> {
  for (const jkt of await restingOn(w, row.jkt ?? "")) await suspendKey(w, row, jkt, reason);
}

/** Suspends a key, and ends what it approved. One that is out already stays so. */
async function suspendKey(
  w: World,
  { id }: InvitationRow,
  jkt: string,
  reason: Doubt,
): Promise<void> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt += 1) {
    const epoch = await w.store.epoch();
    const key = await w.store.ownerKey(jkt);
    if (key === undefined || key.removedAt !== undefined || key.suspendedAt !== undefined) return;
    const now = w.clock();
    const { owner } = key;
    const record = { v: 1, owner, key: jkt, invitation: id };
    const committed = await w.store.commit({
      log: logRow(w, { type: "key.suspended", t: now, actor: "server", reason, record }),
      changes: [
        { set: "ownerKey", jkt, fields: { suspendedAt: now } },
        { end: "grants", scope: "ownerKey", target: jkt, at: now, why: `key suspended: ${reason}` },
      ],
      expect: { epoch },
      bumpEpoch: true,
    });
    if (committed === "used" || committed === "conflict") continue;
    w.log.warn("key.suspended", { owner, jkt, reason });
    return;
  }
  throw new Refusal("stale");
}

/** A code that comes a second time: somebody else may have it, so what was made with it is in doubt. */
async function usedTwice(w: World, row: InvitationRow): Promise<Refusal> {
  await suspendMade(w, row, "link_used_twice");
  const at = new Date((row.usedAt ?? 0) * 1000).toISOString().slice(0, 19).replace("T", " ");
  const key = (row.jkt ?? "").slice(0, 8);
  return new Refusal(
    "invitation_used",
    `by key ${key}`,
    `It was used at ${at} UTC. The key that was made with it, ${key}, is suspended now and approves nothing. Tell whoever gave you the link: he removes that key, or lets it sign again (countersign owner list).`,
  );
}

async function openInvitation(
  w: World,
  typed: string,
): Promise<{ readonly row: InvitationRow; readonly owner: OwnerRow }> {
  const row = await typedInvitation(w, typed);
  if (row.usedAt !== undefined) throw await usedTwice(w, row);
  const owner = await w.store.owner(row.owner);
  if (owner === undefined) throw invalid();
  return { row, owner };
}

/**
 * Begins the registration of the first key.
 * @throws Refusal `invitation_invalid`; `invitation_used`, which suspends the key that was made with it
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

/**
 * Enrols the first key; the invitation is used up in that commit.
 * @throws Refusal as `beginInvited` and `addKey`; `statement_invalid` for the key of another owner
 */
export async function enrolInvited(
  w: World,
  typed: string,
  posted: Omit<PostedKey, "coSignatures" | "x5c">,
): Promise<OwnerKeyRow> {
  const row = await typedInvitation(w, typed);
  if (row.usedAt !== undefined) throw await usedBefore(w, row, posted);
  // enrolled while the invitation was written: the code alone adds no key to others
  if (await hasKey(w, row.owner)) throw invalid();
  try {
    return await addKey(w, { ...posted, coSignatures: [] }, (key) => {
      if (key.owner !== row.owner)
        throw new Refusal("statement_invalid", "the key of another owner than the invited one");
      const fields = { usedAt: w.clock(), jkt: key.jkt };
      return { changes: [{ set: "invitation", hash: row.hash, fields }], once: [spent(row)] };
    });
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "replayed") throw error;
    const now = await typedInvitation(w, typed);
    throw now.usedAt === undefined ? error : await usedBefore(w, now, posted);
  }
}

/** Two who used one code, unless it is the same statement that came twice: then only an answer was lost. */
async function usedBefore(
  w: World,
  row: InvitationRow,
  { statement }: Pick<PostedKey, "statement">,
): Promise<Refusal> {
  const made = await w.store.ownerKey(row.jkt ?? "");
  if (made === undefined || base64url(made.statement) !== statement) return usedTwice(w, row);
  return new Refusal(
    "replayed",
    "the key was made",
    "The key is made already: sign in with it. The terminal shows its first eight characters.",
  );
}

/**
 * Cancels a link: by whoever holds its code, who has seen that it is not as the terminal says. What was made with it is
 * suspended.
 * @throws Refusal `invitation_invalid`, `stale`
 */
export async function cancelInvitation(
  w: World,
  typed: string,
): Promise<{ readonly suspended?: string }> {
  const row = await typedInvitation(w, typed);
  if (row.usedAt !== undefined) return cancelUsed(w, row);
  const now = w.clock();
  const { hash, owner, id } = row;
  const record = { v: 1, owner, invitation: id };
  const committed = await w.store.commit({
    log: logRow(w, { type: "owner.invitation_cancelled", t: now, actor: "owner", record }),
    changes: [{ set: "invitation", hash, fields: { cancelledAt: now } }],
    once: [spent(row)],
  });
  if (committed !== "used" && committed !== "conflict") return {};
  const moved = await typedInvitation(w, typed);
  if (moved.usedAt === undefined) throw new Refusal("stale");
  return cancelUsed(w, moved);
}

async function cancelUsed(w: World, row: InvitationRow): Promise<{ readonly suspended?: string }> {
  await suspendMade(w, row, "link_cancelled");
  return row.jkt === undefined ? {} : { suspended: row.jkt };
}
