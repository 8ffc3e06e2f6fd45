import { describe, expect, it } from "vitest";
import {
  canonicalBytes,
  ownersOf,
  readStatement,
  render,
  renderTerminal,
  signedText,
  verifyApproval,
  VIEW_CREDENTIAL,
  VIEW_PARTIES,
} from "@countersign/core";
import type { CredentialStatement, Party, RefusalCode } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { changed, CREDENTIAL, OWNER, outcome, REQUEST_R, signed } from "./consent-fixture.ts";
import type { Change } from "./consent-fixture.ts";

const party = (name: string, digit: string): Party => ({
  id: `urn:agent-owner:example.com:${name}`,
  jkt: digit.repeat(43),
});
// sorted by id, then by thumbprint; a capital letter stands before a small one
const ME: Party = CREDENTIAL.owner;
const BOB = party("bob-000001", "A");
const BOB_TOO = party("bob-000001", "Q");
const CAROL = party("carol-0001", "c");
const OWNERS: readonly Party[] = [ME, BOB, BOB_TOO, CAROL];

/** The statement that the tables change one member of: two of three owners, one of whom has two keys. */
const SEVERAL: CredentialStatement = {
  ...CREDENTIAL,
  grant: { ...CREDENTIAL.grant, parties: { m: 2, owners: OWNERS } },
  view: { ...VIEW_PARTIES, match: "42" },
};

const read = (change: Change = {}): ReturnType<typeof readStatement> =>
  readStatement(nodeCrypto, canonicalBytes(changed(SEVERAL, change)));
const INVALID: RefusalCode = "statement_invalid";
const owners = (...list: readonly unknown[]): Change => ({ "grant.parties.owners": list });
const many = (count: number): readonly Party[] => [
  ME,
  ...Array.from({ length: count }, (_, i) => {
    const digits = String(i).padStart(2, "0");
    return { id: party(`owner-00${digits}`, "A").id, jkt: `${digits}${"A".repeat(41)}` };
  }),
];

describe("owner.md 1.4: parties, m of n owners", () => {
  const rows: readonly (readonly [string, Change, RefusalCode | "accepted"])[] = [
    ["two of three", {}, "accepted"],
    ["all three", { "grant.parties.m": 3 }, "accepted"],
    ["two of two", owners(ME, BOB), "accepted"],
    ["one of three", { "grant.parties.m": 1 }, INVALID],
    ["none of three", { "grant.parties.m": 0 }, INVALID],
    ["more than there are owners", { "grant.parties.m": 4 }, INVALID],
    ["as many as there are keys", { ...owners(ME, BOB, BOB_TOO), "grant.parties.m": 3 }, INVALID],
    ["a number that is a text", { "grant.parties.m": "2" }, INVALID],
    ["no number", { "grant.parties.m": undefined }, INVALID],
    ["no owners", { "grant.parties.owners": undefined }, INVALID],
    ["an empty list", owners(), INVALID],
    ["one owner with two keys", owners(ME, { ...ME, jkt: "z".repeat(42) + "8" }), INVALID],
    ["sixteen rows", owners(...many(15)), "accepted"],
    ["seventeen rows", owners(...many(16)), INVALID],
    ["not sorted by id", owners(ME, CAROL, BOB), INVALID],
    ["not sorted by key", owners(ME, BOB_TOO, BOB), INVALID],
    ["a row twice", owners(ME, BOB, BOB), INVALID],
    ["one key of two owners", owners(ME, BOB, { ...CAROL, jkt: BOB.jkt }), INVALID],
    ["the signer is none of them", owners(BOB, CAROL), INVALID],
    ["the signer with another key", owners({ ...ME, jkt: BOB_TOO.jkt }, BOB, CAROL), INVALID],
    [
      "an owner of another trust domain",
      owners(ME, { ...BOB, id: "urn:agent-owner:example.org:bob-000001" }),
      INVALID,
    ],
    ["an owner that is a workload", owners(ME, { ...BOB, id: "spiffe://example.com/x" }), INVALID],
    ["a key that is no thumbprint", owners(ME, { ...BOB, jkt: "A" }), INVALID],
    ["a row with an unknown member", owners(ME, { ...BOB, w: 2 }), INVALID],
    ["a row without a key", owners(ME, { id: BOB.id }), INVALID],
    ["an unknown member", { "grant.parties.n": 3 }, INVALID],
    ["a list in its place", { "grant.parties": [] }, INVALID],
  ];
  it.each(rows)("%s", async (_name, change, wanted) => {
    expect(await outcome(() => read(change))).toBe(wanted);
  });

  it("nobody signs beforehand what takes several", async () => {
    const bytes = canonicalBytes(SEVERAL);
    const act = () => readStatement(nodeCrypto, bytes, { preSigned: true });
    expect(await outcome(act)).toBe(INVALID);
  });

  it("an owner counts once, whatever keys he has", () => {
    expect(ownersOf({ m: 2, owners: OWNERS })).toEqual([ME.id, BOB.id, CAROL.id]);
  });
});

describe("DESIGN 6: parties stand in a view of their own", () => {
  const rows: readonly (readonly [string, Change, RefusalCode | "accepted"])[] = [
    ["several, in the view for several", {}, "accepted"],
    ["several, in the view for one", { view: VIEW_CREDENTIAL }, "approval_unsuitable"],
    ["one, in the view for several", { "grant.parties": undefined }, "approval_unsuitable"],
    ["one, in the view for one", { "grant.parties": undefined, view: VIEW_CREDENTIAL }, "accepted"],
    [
      "several, the name of one view with the digest of the other",
      { "view.d": VIEW_CREDENTIAL.d },
      "approval_unsuitable",
    ],
  ];
  it.each(rows)("%s: shown", async (_name, change, wanted) => {
    expect(await outcome(() => render(nodeCrypto, read(change), REQUEST_R))).toBe(wanted);
    expect(await outcome(() => signedText(read(change)))).toBe(wanted);
  });
  it.each(rows)("%s: accepted", async (_name, change, wanted) => {
    const statement = read(change);
    const signature = await signed(statement);
    const act = () => verifyApproval(nodeCrypto, statement, signature, { jwk: OWNER.key });
    expect(await outcome(act)).toBe(wanted);
  });
});

describe("console.md 6: what one of several owners reads", () => {
  const shown = (change: Change = {}): string =>
    renderTerminal(render(nodeCrypto, read(change), REQUEST_R), { columns: 4000 }).join("\n");

  it.each<readonly [string, Change, string]>([
    ["the title", {}, 'You agree that the agent "mailer" acts under its own name.'],
    [
      "some of them",
      {},
      'It takes 2 of these 3 owners: "7Qm0Zs6Yw1", "bob-000001" and "carol-0001". Until so many have signed, nothing is given; if one says no, nothing is.',
    ],
    [
      "all of them",
      owners(ME, BOB),
      'It takes all of these 2 owners: "7Qm0Zs6Yw1" and "bob-000001". Until all have signed, nothing is given; if one says no, nothing is.',
    ],
    [
      "who may stop it",
      {},
      "You can stop it at any moment, and so can each of the other owners: in the console",
    ],
    ["how many, in full", {}, "\nsignatures: 2\n"],
    ["a denial", { decision: "deny" }, 'You refuse the agent "mailer" a credential.'],
  ])("%s", (_name, change, wanted) => {
    expect(shown(change)).toContain(wanted);
  });

  it("every key of every owner stands in the signed text", () => {
    const rows = OWNERS.map(({ id, jkt }) => `\n  - "${id}" "${jkt}"`).join("");
    expect(shown()).toContain(`\nowners:${rows}\n`);
  });

  it.each<readonly [string, Change]>([
    ["another number", { "grant.parties.m": 3 }],
    ["one owner fewer", owners(ME, BOB, BOB_TOO)],
    ["one key fewer", owners(ME, BOB, CAROL)],
    ["another key", owners(ME, BOB, { ...CAROL, jkt: `${"c".repeat(42)}E` })],
  ])("is another text with %s", (_name, change) => {
    const text = (of: Change): string => render(nodeCrypto, read(of), REQUEST_R).fullText;
    expect(text(change)).not.toBe(text({}));
  });
});
