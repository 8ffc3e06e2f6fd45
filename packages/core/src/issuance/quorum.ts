import type { Digest, Jwk } from "../crypto.ts";
import { assuranceOf } from "../consent/approval.ts";
import type { Approval } from "../consent/approval.ts";
import { compareParties, MAX_PARTIES, ownersOf } from "../consent/parties.ts";
import type { Parties } from "../consent/parties.ts";
import type { CredentialStatement, OwnerKind } from "../consent/statement.ts";
import { Refusal } from "../refusal.ts";
import type { EnrolledKey } from "./approve.ts";
import type { Entry } from "./entry.ts";
import type { Grant } from "./known.ts";

/** The owners of an entry that demands several, with every key of theirs that may sign now. */
export interface Quorum {
  readonly parties: Parties;
  /** Whether any of these keys is software: who will sign is not known when the terms are written. */
  readonly isSoftware: boolean;
  /** Whether all of them are of persons. */
  readonly isOfPersons: boolean;
}

/**
 * What the statement of an entry says about who must sign; undefined where its one owner does.
 * @param keys those of its parties, as enrolled
 * @throws Refusal `approval_unsuitable` where the parties have more keys than a statement lists, `key_not_enrolled`
 * where fewer owners have one than must sign
 */
export function quorumOf(entry: Entry, keys: readonly EnrolledKey[]): Quorum | undefined {
  if (entry.parties === undefined) return undefined;
  const { m, owners } = entry.parties;
  const able = keys.filter(
    ({ owner, removedAt, suspended }) =>
      owners.includes(owner) && removedAt === undefined && suspended !== true,
  );
  if (able.length > MAX_PARTIES)
    throw new Refusal(
      "approval_unsuitable",
      `the owners have ${able.length} keys`,
      `One approval lists at most ${MAX_PARTIES} keys: remove those that nobody uses. countersign owner list`,
    );
  const rows = able.map(({ owner, jkt }) => ({ id: owner, jkt })).toSorted(compareParties);
  const parties: Parties = { m, owners: rows };
  const count = ownersOf(parties).length;
  if (count < m)
    throw new Refusal(
      "key_not_enrolled",
      `${count} of the owners have a key, and ${m} must sign`,
      "Enrol a key for another of them: countersign owner enrol NAME --key FILE.",
    );
  return {
    parties,
    isSoftware: able.some(({ isSoftware }) => isSoftware),
    isOfPersons: able.every(({ ownerKind }) => ownerKind === "person"),
  };
}

/** Whether two statements name the same parties, or neither names any. */
export function sameParties(a: Parties | undefined, b: Parties | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.m === b.m &&
    a.owners.length === b.owners.length &&
    a.owners.every((party, i) => {
      const other = b.owners[i];
      return other !== undefined && compareParties(party, other) === 0;
    })
  );
}

/**
 * Whether those whom a statement names are whom the registration names: its one owner; or, where it demands several, as
 * many of no others. A statement lists no owner who had no key.
 */
export function isByOwnersOf(entry: Entry, { owner, grant }: CredentialStatement): boolean {
  const { parties } = grant;
  if (entry.parties === undefined) return parties === undefined && owner.id === entry.owner;
  const { m, owners } = entry.parties;
  return (
    parties !== undefined && parties.m >= m && ownersOf(parties).every((id) => owners.includes(id))
  );
}

/** The statement of one party as the next one gets it: but for who signs and its own number it stays the same. */
export function forParty(
  body: CredentialStatement,
  key: Pick<EnrolledKey, "owner" | "jkt">,
  jti: string,
): CredentialStatement {
  return { ...body, jti, owner: { id: key.owner, jkt: key.jkt } };
}

/** A party's signature that was verified, with what it rests on. */
export interface PartySignature {
  /** Digest of the statement that this party signed. */
  readonly cs: Digest;
  readonly statement: CredentialStatement;
  readonly owner: string;
  readonly jwk: Jwk;
  readonly ownerKind: OwnerKind;
  readonly basis: string;
  /** What the signature proves. */
  readonly assurance: number;
}

/** A verified approval by a key as it is enrolled. */
export function partySignatureOf(approval: Approval, key: EnrolledKey): PartySignature {
  const { cs, body } = approval.statement;
  const { owner, jwk, ownerKind, basis } = key;
  const assurance = assuranceOf(approval.facts, ownerKind, key.isAttested === true);
  return { cs, statement: body, owner, jwk, ownerKind, basis, assurance };
}

/** What one more signature comes to. */
export type PartyRuling =
  | {
      readonly do: "keep";
      readonly signed: number;
      readonly needed: number;
      /** Owners who have not signed; any so many of them as are needed still may. */
      readonly missing: readonly string[];
    }
  | { readonly do: "grant"; readonly grant: Grant };

/**
 * Decides what a party's signature comes to, beside those that are kept for the same statement: one more to keep, or, as
 * the m-th, the grant. It speaks for who signed first; what it proves is what the weakest of them proves.
 * @param kept in the order in which they came
 * @throws Refusal `already_signed`
 */
export function decideParty(
  kept: readonly PartySignature[],
  last: PartySignature,
  { m, owners }: Parties,
): PartyRuling {
  if (kept.some(({ owner }) => owner === last.owner)) throw new Refusal("already_signed");
  const all = [...kept, last];
  const [first = last] = all;
  if (all.length < m) {
    const missing = ownersOf({ m, owners }).filter((id) => !all.some(({ owner }) => owner === id));
    return { do: "keep", signed: all.length, needed: m, missing };
  }
  const { cs, statement, jwk, ownerKind, basis } = first;
  const assurance = all.map((one) => one.assurance).toSorted((a, b) => b - a)[m - 1] ?? 0;
  const grant = {
    cs,
    statement,
    ownerKey: jwk,
    ownerKind,
    basis,
    assurance,
    model: "server",
  } as const;
  return { do: "grant", grant };
}
