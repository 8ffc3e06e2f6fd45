import {
  canonicalJson,
  fromBase64url,
  Refusal,
  withoutAttestations,
  writeApprovalPart,
  writeBundle,
  writeCredentialPart,
} from "@countersign/core";
import type {
  ApprovalPart,
  CredentialPart,
  Digest,
  JsonObject,
  OwnerApproval,
} from "@countersign/core";
import { readOwnerSignature } from "@countersign/core";
import type { CredentialRow, GrantRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { enrolmentOf } from "./owner-chain.ts";

/** What one owner signed, with how his key was added. */
async function ownerApprovalOf(
  w: World,
  row: Pick<GrantRow, "statement" | "signature" | "key" | "chain">,
): Promise<OwnerApproval> {
  const part = { st: row.statement, sig: readOwnerSignature(row.signature), key: row.key };
  return row.chain === undefined ? part : { ...part, enr: await enrolmentOf(w, row.chain) };
}

/** The approval part of a grant, as signed, with what every other owner signed where it took several. */
export async function approvalPartOf(w: World, row: GrantRow): Promise<ApprovalPart> {
  const part = await ownerApprovalOf(w, row);
  if (row.parties === undefined) return part;
  const others = (await w.store.signatures({ cs: row.cs })).filter(({ n }) => n > 0);
  return { ...part, sts: await Promise.all(others.map((one) => ownerApprovalOf(w, one))) };
}

/** With endorsement, leaf and proof it is still a bundle of at most 64 KiB. */
const MAX_PART_BYTES = 49_152;
/** With the rest of the owner binding it is still an extension that is read (formats.md 2). */
const MAX_CARRIED_PART_BYTES = 15_000;

/**
 * Checks that what was signed can be shown to anybody, whatever chains and certificates stand beside it.
 * @param all what one owner signed, or each of several
 * @param isCarried whether certificates hold it too
 * @throws Refusal `too_large`
 */
export async function checkRoom(
  w: World,
  all: readonly Pick<GrantRow, "statement" | "signature" | "key" | "chain">[],
  isCarried: boolean,
): Promise<void> {
  const whole = await Promise.all(all.map((one) => ownerApprovalOf(w, one)));
  const parts = isCarried ? whole.map(withoutAttestations) : whole;
  const bytes = parts.reduce((sum, one) => sum + canonicalJson(writeApprovalPart(one)).length, 0);
  if (bytes <= (isCarried ? MAX_CARRIED_PART_BYTES : MAX_PART_BYTES)) return;
  const next = isCarried
    ? "Register the agent without --approval-in-certificate, or with fewer signatures."
    : "Register the agent with fewer signatures, or keys that others added in fewer steps.";
  const who = all.length === 1 ? "one owner" : `${all.length} owners`;
  throw new Refusal("too_large", `what ${who} signed is ${bytes} octets`, next);
}

/**
 * As `checkRoom`, for what one owner signed. The entry is as the decision found it: it moves the epoch.
 * @throws Refusal `too_large`
 */
export async function checkGrantRoom(w: World, row: GrantRow): Promise<void> {
  const entry = await w.store.entry(row.entry);
  await checkRoom(w, [row], entry?.body.x509Evidence === "approval");
}

/** The credential part of an issue, with a proof under the newest checkpoint. */
export async function credentialPartOf(w: World, row: CredentialRow): Promise<CredentialPart> {
  // the log that a recovery has ended proves nothing more: its key signs no further checkpoint
  if (row.log !== w.store.logName().number)
    throw new Refusal("not_found", "its leaf is in a former log");
  const leaf = (await w.store.logRow(row.seq))?.leaf;
  if (leaf === undefined) throw new Refusal("indeterminate", "a credential without its leaf");
  return {
    jti: row.jti,
    ...(row.cs === undefined ? {} : { cs: row.cs }),
    ...(row.end === undefined || row.cs === undefined ? {} : { end: row.end }),
    leaf,
    salts: { wit: fromBase64url(row.salts.wit), x509: fromBase64url(row.salts.x509) },
    proof: await w.store.proofFor(row.seq),
  };
}

/** The whole bundle in its wire form. */
export async function bundleOf(w: World, row: CredentialRow): Promise<JsonObject> {
  const grant = row.cs === undefined ? undefined : await w.store.grant(row.cs);
  const credential = await credentialPartOf(w, row);
  return writeBundle({
    ...(grant === undefined ? {} : { approval: await approvalPartOf(w, grant) }),
    credential,
  }) as JsonObject; // the writer makes plain JSON
}

async function publishedGrant(w: World, cs: Digest): Promise<GrantRow> {
  const grant = await w.store.grant(cs);
  const entry = grant === undefined ? undefined : await w.store.entry(grant.entry);
  // One answer for what does not exist and for what only the agent may show (T51).
  if (grant === undefined || entry?.body.evidence !== "public") throw new Refusal("not_found");
  return grant;
}

/** `GET /e/<cs>`. It stays as it is, but for a chain: that gains its proofs when a co-signer is removed. */
export async function publicApproval(
  w: World,
  cs: Digest,
): Promise<{ readonly part: JsonObject; readonly isFinal: boolean }> {
  const grant = await publishedGrant(w, cs);
  const approval = await approvalPartOf(w, grant);
  const isFinal = [approval, ...(approval.sts ?? [])].every(({ enr }) => enr === undefined);
  return { part: writeApprovalPart(approval) as JsonObject, isFinal }; // as above
}

/** `GET /e/<cs>/<jti>` */
export async function publicCredentialPart(w: World, cs: Digest, jti: string): Promise<JsonObject> {
  await publishedGrant(w, cs);
  const row = await w.store.credential(cs, jti);
  if (row === undefined) throw new Refusal("not_found");
  return writeCredentialPart(await credentialPartOf(w, row)) as JsonObject; // as above
}
