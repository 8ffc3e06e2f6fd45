import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import type { Approval } from "../consent/approval.ts";
import { MAX_PARTIES } from "../consent/parties.ts";
import { readStatement, writeStatement } from "../consent/statement.ts";
import type { CredentialStatement, OwnerKind } from "../consent/statement.ts";
import { agentId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { checkTerms, draftStatement, grantOf, isStanding } from "./approve.ts";
import type { Ask, EnrolledKey } from "./approve.ts";
import { d, ENTRY, ISSUER, MEASURED, NONCE, NOW, OWNER, PROXY } from "./attested.testing.ts";
import type { Entry } from "./entry.ts";
import { decideParty, forParty, isByOwnersOf, partySignatureOf, quorumOf } from "./quorum.ts";
import type { PartySignature, Quorum } from "./quorum.ts";

const idOf = (name: string): string => `urn:agent-owner:example.org:zz-${name}-0001`;
const [ALICE, BOB, CAROL, DAVE] = [OWNER, idOf("bob"), idOf("carol"), idOf("dave")];
const DAY = 86_400;

function keyOf(owner: string, change: Partial<EnrolledKey> = {}): EnrolledKey {
  const { key } = generateSigner("Ed25519");
  const jkt = thumbprint(c, key);
  return {
    jkt,
    jwk: key,
    owner,
    ownerKind: "person",
    isSoftware: false,
    basis: "admin",
    ...change,
  };
}
const [alice, bob, carol, dave] = [keyOf(ALICE), keyOf(BOB), keyOf(CAROL), keyOf(DAVE)];
const KEYS: readonly EnrolledKey[] = [alice, bob, carol];
const SEVERAL: Entry = { ...ENTRY, parties: { m: 2, owners: [ALICE, BOB, CAROL] } };

const anchor = thumbprint(c, generateSigner().key);
const ASK: Ask = {
  req: d(8),
  entry: ENTRY.id,
  agent: agentId(ENTRY.id, anchor),
  anchor,
  proxy: PROXY,
  owner: OWNER,
  measurements: MEASURED,
  state: "asked",
  deadline: NOW + 3600,
};

function quorumOfSeveral(keys: readonly EnrolledKey[] = KEYS, entry: Entry = SEVERAL): Quorum {
  const quorum = quorumOf(entry, keys);
  if (quorum === undefined) throw new TypeError("the entry takes several");
  return quorum;
}

function draft(
  key: EnrolledKey,
  quorum: Quorum = quorumOfSeveral(),
  digits?: string,
): CredentialStatement {
  const parts = {
    issuer: ISSUER,
    trustDomain: "example.org",
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
    nonce: NONCE,
    decision: "approve",
    lifeSeconds: 3600,
    quorum,
    digits,
  } as const;
  return draftStatement(ASK, SEVERAL, key, parts, NOW);
}

describe("who must sign, by the keys that are enrolled", () => {
  it.each<readonly [string, readonly EnrolledKey[], string]>([
    ["a key each", KEYS, "3 rows"],
    ["two keys of one", [...KEYS, keyOf(BOB)], "4 rows"],
    ["a key of somebody else", [...KEYS, dave], "3 rows"],
    ["a removed key", [...KEYS, keyOf(BOB, { removedAt: NOW })], "3 rows"],
    ["a suspended key", [...KEYS, keyOf(BOB, { suspended: true })], "3 rows"],
    ["one owner without a key", [alice, bob], "2 rows"],
    ["two owners without a key", [alice, keyOf(ALICE)], "key_not_enrolled"],
    ["two whose keys are removed", [alice, { ...bob, removedAt: NOW }], "key_not_enrolled"],
    ["two whose keys are suspended", [alice, { ...bob, suspended: true }], "key_not_enrolled"],
    ["sixteen keys", [...KEYS, ...many(MAX_PARTIES - 3)], "16 rows"],
    ["seventeen keys", [...KEYS, ...many(MAX_PARTIES - 2)], "approval_unsuitable"],
  ])("%s", async (_name, keys, wanted) => {
    const outcome = await outcomeOf(() => quorumOf(SEVERAL, keys));
    const rows = outcome === "accepted" ? quorumOfSeveral(keys).parties.owners.length : 0;
    expect(outcome === "accepted" ? `${rows} rows` : outcome).toBe(wanted);
  });

  it("nobody but its owner, where the entry names no others", () => {
    expect(quorumOf(ENTRY, KEYS)).toBeUndefined();
  });

  it("in a list that every reader accepts, whatever the order of the keys", () => {
    const shuffled = [carol, keyOf(BOB), alice, bob];
    const { bytes } = writeStatement(c, draft(bob, quorumOfSeveral(shuffled)));
    expect(readStatement(c, bytes).body.owner).toEqual({ id: BOB, jkt: bob.jkt });
  });
});

function many(count: number): readonly EnrolledKey[] {
  return Array.from({ length: count }, () => keyOf(BOB));
}

describe("the terms that several owners sign", () => {
  const lengthOf = (keys: readonly EnrolledKey[]): number => {
    const { grant } = draft(alice, quorumOfSeveral(keys));
    return grant.exp - grant.nbf;
  };
  it.each<readonly [string, readonly EnrolledKey[], number]>([
    ["hardware all of them", KEYS, 7 * DAY],
    ["software one of them", [alice, bob, { ...carol, isSoftware: true }], DAY],
    [
      "software one that was removed",
      [...KEYS, keyOf(BOB, { isSoftware: true, removedAt: NOW })],
      7 * DAY,
    ],
  ])("last as long as the keys allow that may sign: %s", (_name, keys, seconds) => {
    expect(lengthOf(keys)).toBe(seconds);
  });

  it.each<readonly [string, readonly EnrolledKey[], string | undefined]>([
    ["persons all of them", KEYS, "42"],
    ["a machine one of them", [alice, bob, { ...carol, ownerKind: "policy" }], undefined],
    [
      "a machine one that was removed",
      [...KEYS, keyOf(BOB, { ownerKind: "device", removedAt: NOW })],
      "42",
    ],
  ])("say the digits that each of them typed: %s", (_name, keys, match) => {
    expect(draft(alice, quorumOfSeveral(keys), "42").view.match).toBe(match);
    expect(draft(alice, quorumOfSeveral(keys)).view.match).toBeUndefined();
  });

  it("say the same to each of them, but for who signs and the number", () => {
    const first = draft(alice);
    const { owner, jti, ...others } = forParty(first, bob, "01J5ZK6Q0V7M3N8P2R4T6W8Y0B");
    expect([owner, jti]).toEqual([{ id: BOB, jkt: bob.jkt }, "01J5ZK6Q0V7M3N8P2R4T6W8Y0B"]);
    expect({ ...others, owner: first.owner, jti: first.jti }).toEqual(first);
    expect(first.view.tpl).toBe("credential/2");
  });

  const grant = (change: Partial<Entry["grant"]>): Entry => ({
    ...SEVERAL,
    grant: { ...SEVERAL.grant, ...change },
  });
  it.each<readonly [string, Entry, readonly EnrolledKey[], number, boolean]>([
    ["nothing", SEVERAL, KEYS, NOW, true],
    ["its last second", SEVERAL, KEYS, NOW + 3599, true],
    ["its end", SEVERAL, KEYS, NOW + 3600, false],
    ["a key added", SEVERAL, [...KEYS, keyOf(BOB)], NOW, false],
    ["a key removed", SEVERAL, [alice, bob], NOW, false],
    ["a key in place of another", SEVERAL, [alice, bob, keyOf(CAROL)], NOW, false],
    [
      "one more to sign",
      { ...SEVERAL, parties: { m: 3, owners: [ALICE, BOB, CAROL] } },
      KEYS,
      NOW,
      false,
    ],
    ["narrower terms", grant({ maxLive: 4 }), KEYS, NOW, false],
    ["wider terms", grant({ maxLive: 9 }), KEYS, NOW, true],
  ])("stand until they are over or something else holds: %s", (_name, entry, keys, now, wanted) => {
    expect(isStanding(draft(alice), entry, quorumOfSeveral(keys, entry), now)).toBe(wanted);
  });
});

describe("what several owners signed reaches a relying party", () => {
  const parties = { m: 2, owners: [ALICE, BOB, CAROL] };
  it.each<readonly [string, Entry, string]>([
    ["published", { ...ENTRY, parties, evidence: "public" }, "accepted"],
    ["in a header only", { ...ENTRY, parties, evidence: "carried" }, "malformed_request"],
    ["of one owner, in a header only", { ...ENTRY, evidence: "carried" }, "accepted"],
  ])("%s → %#", async (_name, entry, code) => {
    expect(await outcomeOf(() => checkTerms(entry))).toBe(code);
  });
});

describe("whether an approval is by whom the registration names", () => {
  const one: CredentialStatement = { ...draft(alice), grant: { ...draft(alice).grant } };
  const { parties: _none, ...plain } = one.grant;
  const ofOne: CredentialStatement = { ...one, grant: plain };
  const several = (m: number, owners: readonly string[]): Entry => ({
    ...ENTRY,
    parties: { m, owners },
  });
  it.each<readonly [string, Entry, CredentialStatement, boolean]>([
    ["its one owner", ENTRY, ofOne, true],
    ["another one", { ...ENTRY, owner: BOB }, ofOne, false],
    ["one, where it takes several", SEVERAL, ofOne, false],
    ["several, where it takes one", ENTRY, one, false],
    ["as many of the same", SEVERAL, one, true],
    ["as many of more", several(2, [ALICE, BOB, CAROL, DAVE]), one, true],
    ["as many, one of whom it no longer names", several(2, [ALICE, BOB]), one, false],
    ["fewer than it takes now", several(3, [ALICE, BOB, CAROL]), one, false],
    [
      "more than it takes now",
      SEVERAL,
      { ...one, grant: { ...plain, parties: { m: 3, owners: quorumOfSeveral().parties.owners } } },
      true,
    ],
  ])("%s", (_name, entry, statement, wanted) => {
    expect(isByOwnersOf(entry, statement)).toBe(wanted);
  });
});

describe("what one more signature comes to", () => {
  const by = (
    key: EnrolledKey,
    assurance = 2,
    ownerKind: OwnerKind = "person",
  ): PartySignature => ({
    cs: d(key === alice ? 1 : 2),
    statement: draft(key),
    owner: key.owner,
    jwk: key.jwk,
    ownerKind,
    basis: "admin",
    assurance,
  });
  const { owners } = quorumOfSeveral().parties;
  const two = { m: 2, owners };
  const three = { m: 3, owners };

  it("is kept while too few have signed, and says who is missing", () => {
    expect(decideParty([], by(bob), two)).toEqual({
      do: "keep",
      signed: 1,
      needed: 2,
      missing: [ALICE, CAROL],
    });
    expect(decideParty([by(alice), by(bob)], by(carol), three).do).toBe("grant");
    expect(decideParty([by(bob)], by(carol), three)).toMatchObject({ signed: 2, missing: [ALICE] });
  });

  it("makes the grant of who signed first, as the last that it takes", () => {
    expect(decideParty([by(bob)], by(alice), two)).toMatchObject({
      do: "grant",
      grant: { cs: d(2), ownerKey: bob.jwk, statement: { owner: { id: BOB } }, model: "server" },
    });
  });

  it.each<readonly [string, readonly PartySignature[], EnrolledKey]>([
    ["with the same key", [by(alice)], alice],
    ["with another one of his", [by(alice)], keyOf(ALICE)],
    ["after somebody else", [by(alice), by(bob)], alice],
  ])("is refused by who has signed already: %s", async (_name, kept, key) => {
    expect(await outcomeOf(() => decideParty(kept, by(key), three))).toBe("already_signed");
  });

  it.each<readonly [string, Partial<EnrolledKey>, boolean, number]>([
    ["software", {}, false, 2],
    ["a key that was touched", {}, true, 3],
    ["one whose hardware is attested", { isAttested: true }, true, 4],
    ["software that is said to be attested", { isAttested: true }, false, 2],
    ["a device", { ownerKind: "device", isAttested: true }, true, 1],
  ])("proves as much as with one owner: %s", (_name, change, isTouched, wanted) => {
    const statement = writeStatement(c, draft(alice));
    const facts = { kind: "sshsig", userPresent: isTouched, userVerified: isTouched } as const;
    const approval = { statement, facts } as unknown as Approval; // what was verified, without its signature
    const key = { ...alice, ...change };
    expect(partySignatureOf(approval, key).assurance).toBe(wanted);
    expect(grantOf(approval, key, "server").assurance).toBe(wanted);
  });

  it.each<readonly [string, readonly number[], number]>([
    ["two that are equal", [3, 3], 3],
    ["the weaker last", [3, 2], 2],
    ["the weaker first", [1, 3], 1],
  ])("proves what the weakest of them proves: %s", (_name, [first = 0, last = 0], wanted) => {
    const ruling = decideParty([by(alice, first)], by(bob, last), two);
    expect(ruling.do === "grant" && ruling.grant.assurance).toBe(wanted);
  });
});
