import { parseOwnerId } from "../identifier/owner.ts";
import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";

/** One key with which one of the owners may sign. */
export interface Party {
  /** Owner id. */
  readonly id: string;
  /** Thumbprint of the key. */
  readonly jkt: string;
}

/**
 * Who must sign before anything is granted: `m` distinct owners, each with any one of the keys listed for him. Sorted by
 * id, then by thumbprint; a key stands there once.
 */
export interface Parties {
  readonly m: number;
  readonly owners: readonly Party[];
}

/** Most rows of a list: every key of every owner is one. */
export const MAX_PARTIES = 16;

/** The owners among the rows, each once, in their order. */
export function ownersOf({ owners }: Parties): readonly string[] {
  return [...new Set(owners.map(({ id }) => id))];
}

/** Negative, zero or positive, as rows are sorted. */
export function compareParties(a: Party, b: Party): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.jkt === b.jkt ? 0 : a.jkt < b.jkt ? -1 : 1;
}

function readParty(value: Json, where: string, td: string): Party {
  const members = new Members(value, "statement_invalid", where);
  const id = members.text("id", { maxLength: 512 });
  if (parseOwnerId(id).trustDomain !== td) members.fail("id", "is of another trust domain");
  const party = { id, jkt: members.thumbprint("jkt") };
  members.end();
  return party;
}

/**
 * Reads the parties of a grant; closed.
 * @param td trust domain of the statement, which every owner is of
 * @throws Refusal `statement_invalid`; `invalid_identifier` for what is no owner id
 */
export function readParties(members: Members, td: string): Parties {
  const owners = members.list("owners", (item, where) => readParty(item, where, td), MAX_PARTIES);
  owners.forEach((party, i) => {
    const before = owners[i - 1];
    if (before !== undefined && compareParties(before, party) >= 0)
      members.fail("owners", "is not sorted and unique");
  });
  if (new Set(owners.map(({ jkt }) => jkt)).size !== owners.length)
    members.fail("owners", "names a key for two owners");
  const parties = { m: members.integer("m", 2, MAX_PARTIES), owners };
  if (parties.m > ownersOf(parties).length) members.fail("m", "is more than there are owners");
  members.end();
  return parties;
}
