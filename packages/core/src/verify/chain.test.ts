import { describe, expect, it } from "vitest";
import { utf8 } from "../bytes.ts";
import { readApprovalPart, writeApprovalPart } from "../credential/bundle.ts";
import type { EnrolmentStep } from "../credential/enrolment.ts";
import type { Signer } from "../crypto.ts";
import { thumbprint } from "../jose/jwk.ts";
import type { Json } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { makeStep, ownerSigner } from "./chain.testing.ts";
import type { StepDraft } from "./chain.testing.ts";
import { approvalOf, flipped } from "./mutation.testing.ts";
import { makeStory, NOW } from "./story.testing.ts";
import type { DomainTrust, OwnerPin } from "./trust.ts";
import { LinkRefusal } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";
import { verify } from "./verify.ts";

const [first, second, third, other] = [ownerSigner(), ownerSigner(), ownerSigner(), ownerSigner()];
const last = ownerSigner();
const story = await makeStory({ owner: last });
const jktOf = ({ key }: Signer): string => thumbprint(story.c, key);
const ownerId = story.statement.body.owner.id;

type Row = {
  readonly steps: readonly StepDraft[];
  /** Default: the first key. */
  readonly pinned?: readonly Signer[];
  readonly removed?: readonly Signer[];
  readonly trust?: (domain: DomainTrust) => DomainTrust;
  readonly shown?: (steps: readonly EnrolmentStep[]) => readonly EnrolmentStep[];
};

const one: StepDraft = { adds: last, coSigners: [first] };
const two: readonly StepDraft[] = [
  { adds: second, coSigners: [first] },
  { adds: last, coSigners: [second] },
];
const three: readonly StepDraft[] = [
  { adds: second, coSigners: [first] },
  { adds: third, coSigners: [second] },
  { adds: last, coSigners: [third] },
];

async function judge(row: Row): Promise<Verdict | LinkRefusal> {
  const steps = await Promise.all(row.steps.map((draft) => makeStep(story, draft)));
  const enr = row.shown?.(steps) ?? steps;
  const plain: DomainTrust = {
    ...story.domain,
    ownerPins: (row.pinned ?? [first]).map((key) => ({ jkt: jktOf(key), owner: ownerId })),
    bundle: { ...story.domain.bundle, removedOwnerKeys: (row.removed ?? []).map(jktOf) },
  };
  const domain = row.trust?.(plain) ?? plain;
  const presented = { ...story.presented, approval: { ...approvalOf(story.presented), enr } };
  try {
    return await verify(story.c, presented, new Map([[domain.origin, domain]]), {}, NOW);
  } catch (error) {
    if (error instanceof LinkRefusal) return error;
    throw error;
  }
}

const bad = "owner_key_unaccepted";
const MALLORY = "urn:agent-owner:example.org:mallory-01";
/** The first key, pinned as somebody else's. */
const another = (pin: Pick<OwnerPin, "enrols">): OwnerPin => ({
  ...pin,
  jkt: jktOf(first),
  owner: MALLORY,
  kind: "person",
});
const changed = (change: StepDraft["statement"]): readonly StepDraft[] => [
  { ...one, ...(change === undefined ? {} : { statement: change }) },
];

describe("a key is accepted by a chain from one that is pinned", () => {
  it.each<readonly [string, Row, string]>([
    ["one step", { steps: [one] }, "chain"],
    ["two steps", { steps: two }, "chain"],
    ["three steps", { steps: three }, "chain"],
    ["three steps, the second key pinned", { steps: three, pinned: [second] }, "chain"],
    ["a pin of the key itself, whatever the chain says", { steps: [], pinned: [last] }, "pin"],
    [
      "a second co-signer is the pinned one",
      { steps: [{ ...one, coSigners: [other, first] }] },
      "chain",
    ],
    [
      "the pinned key removed since, in the log",
      { steps: [{ ...one, isLogged: true }], removed: [first] },
      "chain",
    ],
    [
      "a removed co-signer without proof beside one that is there",
      { steps: [{ ...one, coSigners: [other, first] }], pinned: [first, other], removed: [other] },
      "chain",
    ],
    [
      "a person who enrols others",
      { steps: [one], trust: (d) => ({ ...d, ownerPins: [another({ enrols: true })] }) },
      "chain",
    ],
    [
      "a person who enrols others, and a further key of the owner's own",
      { steps: two, trust: (d) => ({ ...d, ownerPins: [another({ enrols: true })] }) },
      "chain",
    ],
    [
      "a person who enrols others, removed since, in the log of recoveries",
      {
        steps: [{ ...one, isLogged: true, loggedAs: "key.recovered" }],
        removed: [first],
        trust: (d) => ({ ...d, ownerPins: [another({ enrols: true })] }),
      },
      "chain",
    ],
    [
      "the server alone, where that is enough",
      {
        steps: [{ ...one, coSigners: [other] }],
        trust: (d) => ({ ...d, insecureAcceptServerEnrolment: true }),
      },
      "server",
    ],
  ])("%s", async (_name, row, vouchedBy) => {
    expect(await judge(row)).toMatchObject({ proof: "verified", owner: { vouchedBy, oa: 2 } });
  });

  it.each<readonly [string, Row, string]>([
    [
      "a chain of four",
      { steps: [{ adds: first, coSigners: [other] }, ...three], pinned: [other] },
      bad,
    ],
    [
      "a statement of another owner",
      {
        steps: changed((b) => ({
          ...b,
          owner: { ...b.owner, id: "urn:agent-owner:example.org:mallory-01" },
        })),
      },
      bad,
    ],
    ["steps in the wrong order", { steps: two, shown: (steps) => steps.toReversed() }, bad],
    ["no co-signature", { steps: [{ ...one, coSigners: [] }] }, bad],
    ["a co-signer that is not the pinned one", { steps: [{ ...one, coSigners: [other] }] }, bad],
    [
      "a step that the one before does not lead to",
      {
        steps: [
          { adds: second, coSigners: [first] },
          { adds: last, coSigners: [third] },
        ],
      },
      bad,
    ],
    ["a chain that leads to another key", { steps: [{ adds: other, coSigners: [first] }] }, bad],
    [
      "a pin of the co-signer for another owner",
      { steps: [one], trust: (d) => ({ ...d, ownerPins: [another({})] }) },
      bad,
    ],
    [
      "a pin for another owner who enrols nobody",
      { steps: [one], trust: (d) => ({ ...d, ownerPins: [another({ enrols: false })] }) },
      bad,
    ],
    [
      "a person who enrols others, removed since",
      {
        steps: [one],
        removed: [first],
        trust: (d) => ({ ...d, ownerPins: [another({ enrols: true })] }),
      },
      bad,
    ],
    [
      "a person who enrols others, over the key of another owner's chain",
      {
        steps: changed((b) => ({ ...b, owner: { ...b.owner, id: MALLORY } })),
        trust: (d) => ({ ...d, ownerPins: [another({ enrols: true })] }),
      },
      bad,
    ],
    [
      "the denial of a key, signed by the pinned one",
      { steps: changed((b) => ({ ...b, decision: "deny" })) },
      "approval_unsuitable",
    ],
    [
      "a pin of the co-signer for an application",
      { steps: [one], trust: (d) => ({ ...d, ownerPins: [{ jkt: jktOf(first), app: "ssh:" }] }) },
      bad,
    ],
    ["a denial", { steps: changed((b) => ({ ...b, decision: "deny" })) }, "approval_unsuitable"],
    [
      "a statement for another server",
      { steps: changed((b) => ({ ...b, aud: "https://id.example.com" })) },
      bad,
    ],
    [
      "a statement for another trust domain",
      {
        steps: changed((b) => ({
          ...b,
          td: "example.com",
          owner: { ...b.owner, id: "urn:agent-owner:example.com:alice-0001" },
        })),
      },
      bad,
    ],
    [
      "a first signature by another key",
      { steps: [{ ...one, signedBy: other }] },
      "key_not_enrolled",
    ],
    [
      "a credential statement in place of a key statement",
      {
        steps: [one],
        shown: ([step]) => (step === undefined ? [] : [{ ...step, st: story.statement.bytes }]),
      },
      "approval_unsuitable",
    ],
    [
      "a statement with one octet changed",
      {
        steps: [one],
        shown: ([step]) => (step === undefined ? [] : [{ ...step, st: flipped(step.st, 0) }]),
      },
      "statement_invalid",
    ],
    ["a removed co-signer without proof", { steps: [one], removed: [first] }, bad],
    ["a removed key on the way without proof", { steps: two, removed: [second] }, bad],
    [
      "the signing key removed, in the log or not",
      { steps: [{ ...one, isLogged: true }], removed: [last] },
      bad,
    ],
    [
      "a removed co-signer, in another log",
      { steps: [{ ...one, isLogged: true, loggedBy: other }], removed: [first] },
      "checkpoint_invalid",
    ],
    [
      "a removed co-signer, and the proof of another statement",
      {
        steps: [
          { ...one, isLogged: true },
          { ...one, isLogged: true },
        ],
        removed: [first],
        shown: ([a, b]) =>
          a === undefined || b?.logged === undefined ? [] : [{ ...a, logged: b.logged }],
      },
      "log_proof_invalid",
    ],
  ])("%s is refused", async (_name, row, code) => {
    const refused = await judge(row);
    expect(refused).toBeInstanceOf(LinkRefusal);
    if (refused instanceof LinkRefusal)
      expect([refused.link, refused.code]).toEqual(["owner-accepted", code]);
  });

  it.each<readonly [string, Row, object]>([
    [
      "a co-signer that is no person",
      {
        steps: [one],
        trust: (d) => ({ ...d, ownerPins: d.ownerPins.map((pin) => ({ ...pin, kind: "device" })) }),
      },
      { oa: 1, assuranceLowered: true, kind: "person", kindBasis: "claimed" },
    ],
    [
      "a key added as a policy engine's",
      { steps: [{ ...one, kind: "policy" }] },
      { oa: 1, kind: "policy" },
    ],
    [
      "the better of two co-signers",
      {
        steps: [{ ...one, coSigners: [other, first] }],
        trust: (d) => ({
          ...d,
          ownerPins: [
            { jkt: jktOf(other), kind: "device" },
            { jkt: jktOf(first), kind: "person" },
          ],
        }),
      },
      { oa: 2, assuranceLowered: false },
    ],
  ])("assurance is the least on the best way: %s", async (_name, row, owner) => {
    expect(await judge(row)).toMatchObject({ proof: "verified", owner });
  });
});

describe("the chain on the wire", async () => {
  const steps = await Promise.all(
    three.map((draft, i) =>
      makeStep(story, {
        ...draft,
        isLogged: i === 1,
        ...(i === 2 ? { att: { fmt: "packed", obj: utf8("object"), cd: utf8("{}") } } : {}),
      }),
    ),
  );
  const written = JSON.parse(
    JSON.stringify(writeApprovalPart({ ...approvalOf(story.presented), enr: steps })),
  ) as { readonly enr: readonly Record<string, Json>[] } & Record<string, Json>; // plain JSON
  const [, middle = {}] = written.enr;
  const sigs = middle["sigs"] as readonly Record<string, Json>[]; // as written above

  it("reads back", () => {
    expect(readApprovalPart(written).enr).toEqual(steps);
  });

  const malformed = "malformed_request";
  const without = (name: string): Json =>
    Object.fromEntries(Object.entries(middle).filter(([key]) => key !== name));
  it.each<readonly [string, Json, string]>([
    ["as written", middle, "accepted"],
    ...["st", "sigs", "leaf", "salt", "proof"].map(
      (name) => [`${name} absent`, without(name), malformed] as const,
    ),
    ["an unknown member", { ...middle, attestation: {} }, malformed],
    ["an attestation", { ...middle, att: { fmt: "packed", obj: "AAAA", cd: "AAAA" } }, "accepted"],
    ["an attestation of nothing", { ...middle, att: {} }, malformed],
    [
      "an attestation over 6 kB",
      { ...middle, att: { fmt: "packed", obj: "A".repeat(8196), cd: "AAAA" } },
      malformed,
    ],
    ["a salt of 15 octets", { ...middle, salt: "A".repeat(20) }, malformed],
    ["a leaf too long", { ...middle, leaf: "A".repeat(2801) }, malformed],
    ["a statement too long", { ...middle, st: "A".repeat(11_001) }, malformed],
    ["five signatures", { ...middle, sigs: [...sigs, ...sigs, ...sigs.slice(0, 1)] }, malformed],
    ["a signature without its key", { ...middle, sigs: [{ k: "sshsig", s: "AA" }] }, malformed],
    ["a signature that is no object", { ...middle, sigs: ["AA"] }, malformed],
    ["no object", "AA", malformed],
  ])("%s → %#", async (_name, step, code) => {
    expect(await outcomeOf(() => readApprovalPart({ ...written, enr: [step] }))).toBe(code);
  });

  it("four steps are refused", async () => {
    const enr = [...written.enr, ...written.enr].slice(0, 4);
    expect(await outcomeOf(() => readApprovalPart({ ...written, enr }))).toBe(malformed);
  });
});
