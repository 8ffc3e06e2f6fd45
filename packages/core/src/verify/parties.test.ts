import { describe, expect, it } from "vitest";
import { readApprovalPart, writeApprovalPart } from "../credential/bundle.ts";
import { thumbprint } from "../jose/jwk.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { approvalOf, owned } from "./mutation.testing.ts";
import { BOB, CAROL, TWO_OF_THREE } from "./mutations-parties.testing.ts";
import { makeStep, ownerSigner } from "./chain.testing.ts";
import { makeStory, NOW, RESOURCE } from "./story.testing.ts";
import type { Story, StoryOptions } from "./story.testing.ts";
import type { Presented } from "./examination.ts";
import { LinkRefusal } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";
import { verify } from "./verify.ts";
import type { Demand } from "./verify.ts";

async function judge(
  story: Story,
  demand: Demand = {},
  presented: Presented = story.presented,
): Promise<Verdict | string> {
  const wanted: Demand = { proof: "logged", resource: RESOURCE, ...demand };
  try {
    return await verify(story.c, presented, story.trust, wanted, NOW);
  } catch (error) {
    if (error instanceof LinkRefusal) return `${error.link}: ${error.code}`;
    throw error;
  }
}

const ALICE = "urn:agent-owner:example.org:alice-0001";
const namesOf = (verdict: Verdict | string): unknown =>
  typeof verdict === "string" ? verdict : verdict.owner?.parties?.accepted.map(({ id }) => id);
const withParties = (
  change: Partial<NonNullable<StoryOptions["parties"]>>,
  more: StoryOptions = {},
): StoryOptions => ({ parties: { ...TWO_OF_THREE, ...change }, ...more });
const unpinned = (...ids: readonly string[]): StoryOptions => ({
  trust: (domain) => ({
    ...domain,
    ownerPins: domain.ownerPins.filter((pin) => !ids.includes(pin.owner ?? "")),
  }),
});

describe("an approval of several owners is accepted", () => {
  it.each<readonly [string, StoryOptions, readonly string[]]>([
    ["two of three", withParties({}), [ALICE, BOB.id]],
    [
      "by another key of the same owner",
      withParties({
        signed: [{ by: BOB, ...(BOB.keys[1] === undefined ? {} : { key: BOB.keys[1] }) }],
      }),
      [ALICE, BOB.id],
    ],
    [
      "all three, where two would do",
      withParties({ signed: [{ by: CAROL }, { by: BOB }] }),
      [ALICE, CAROL.id, BOB.id],
    ],
    [
      "all of three",
      withParties({ m: 3, signed: [{ by: BOB }, { by: CAROL }] }),
      [ALICE, BOB.id, CAROL.id],
    ],
    [
      "three of whom one is not accepted, where two would do",
      withParties({ signed: [{ by: BOB }, { by: CAROL }] }, unpinned(BOB.id)),
      [ALICE, CAROL.id],
    ],
  ])("%s", async (_name, options, accepted) => {
    const verdict = await judge(await makeStory(options));
    expect(namesOf(verdict)).toEqual(accepted);
    expect(verdict).toMatchObject({
      proof: "logged",
      owner: { id: ALICE, vouchedBy: "pin", oa: 2, parties: { m: options.parties?.m } },
    });
  });

  it("carried in the certificate, with nothing beside it", async () => {
    const story = await makeStory(withParties({}, { carried: (part) => part }));
    const { approval: _none, ...presented } = story.presented;
    expect(namesOf(await judge(story, {}, presented))).toEqual([ALICE, BOB.id]);
  });

  it("carried in the certificate without what bob signed, it is refused", async () => {
    const carried: StoryOptions["carried"] = ({ sts: _none, ...part }) => part;
    const story = await makeStory(withParties({}, { carried }));
    const { approval: _none, ...presented } = story.presented;
    expect(await judge(story)).toBe("evidence: forms_differ");
    expect(await judge(story, {}, presented)).toBe("parties: quorum_unmet");
  });

  it("by a key that another of the same owner has added", async () => {
    const root = ownerSigner();
    const story = await makeStory(withParties({}, unpinned(BOB.id)));
    const { statement } = story;
    const of = { ...statement.body, owner: { id: BOB.id, jkt: statement.body.owner.jkt } };
    const [adds] = BOB.keys;
    if (adds === undefined) throw new TypeError("bob has keys");
    const draft = { adds, coSigners: [root] };
    const step = await makeStep({ ...story, statement: { ...statement, body: of } }, draft);
    const approval = approvalOf(story.presented);
    const presented = {
      ...story.presented,
      approval: { ...approval, sts: (approval.sts ?? []).map((one) => ({ ...one, enr: [step] })) },
    };
    const pinned = (owner: string): Story => ({
      ...story,
      trust: new Map([
        [
          story.domain.origin,
          {
            ...story.domain,
            ownerPins: [...story.domain.ownerPins, { jkt: thumbprint(story.c, root.key), owner }],
          },
        ],
      ]),
    });
    const verdict = await judge(pinned(BOB.id), {}, presented);
    expect(verdict).toMatchObject({
      owner: { parties: { accepted: [{ vouchedBy: "pin" }, { id: BOB.id, vouchedBy: "chain" }] } },
    });
    const stranger = await judge(pinned(ALICE), {}, presented);
    expect(stranger).toBe("owner-accepted: owner_key_unaccepted");
  });

  it("on the server's word alone, where the relying party has said so", async () => {
    const change: StoryOptions = {
      trust: (domain) => ({ ...domain, ownerPins: [], insecureAcceptServerEnrolment: true }),
    };
    const verdict = await judge(await makeStory(withParties({}, change)));
    expect(verdict).toMatchObject({
      owner: { parties: { accepted: [{ vouchedBy: "server" }, { vouchedBy: "server" }] } },
    });
  });
});

describe("what is said of an approval of several owners", () => {
  it("is claimed only, where too few keys are accepted and that is enough", async () => {
    const story = await makeStory(withParties({}, unpinned(BOB.id)));
    expect(await judge(story, { proof: "claimed" })).toMatchObject({
      proof: "claimed",
      gap: { link: "owner-accepted", code: "owner_key_unaccepted" },
      owner: { id: ALICE, oa: 0, vouchedBy: "nobody" },
    });
  });

  it("proves what the weakest of as many as must sign proves", async () => {
    const kinds: StoryOptions["trust"] = (domain) => ({
      ...domain,
      ownerPins: domain.ownerPins.map((pin) =>
        pin.owner === CAROL.id ? { ...pin, kind: "policy" as const } : pin,
      ),
    });
    const claim = owned(() => ({ assurance: 3 }));
    const by = (...others: readonly (typeof BOB)[]): StoryOptions =>
      withParties(
        { signed: others.map((one) => ({ by: one })) },
        { trust: kinds, webauthn: {}, draft: claim },
      );
    const oaOf = async (options: StoryOptions): Promise<unknown> => {
      const verdict = await judge(await makeStory(options));
      return typeof verdict === "string" ? verdict : verdict.owner?.oa;
    };
    // alice's assertion proves 3, bob's software key 2, carol's engine 1
    expect(await oaOf(by(BOB))).toBe(2);
    expect(await oaOf(by(CAROL))).toBe(1);
    expect(await oaOf(by(CAROL, BOB))).toBe(2);
  });

  it.each<readonly [string, StoryOptions, number, string]>([
    ["two, and two signed", withParties({}), 2, "ok"],
    ["three, and two signed", withParties({}), 3, "demand: quorum_unmet"],
    ["two, and the approval takes one", {}, 2, "demand: quorum_unmet"],
    ["one, and the approval takes one", {}, 1, "ok"],
  ])("is measured against what the caller demands: %s", async (_name, options, owners, wanted) => {
    const verdict = await judge(await makeStory(options), { owners });
    expect(typeof verdict === "string" ? verdict : "ok").toBe(wanted);
  });

  it("counts no owner where his key was not judged", async () => {
    const story = await makeStory(withParties({}, unpinned(BOB.id)));
    expect(await judge(story, { proof: "claimed", owners: 2 })).toBe("demand: quorum_unmet");
  });

  it("says nothing of parties where it takes one owner", async () => {
    const verdict = await judge(await makeStory());
    expect(typeof verdict === "string" ? verdict : verdict.owner).not.toHaveProperty("parties");
  });
});

describe("the approval part of several owners", async () => {
  const part = approvalOf((await makeStory(withParties({}))).presented);
  const plain = JSON.parse(JSON.stringify(writeApprovalPart(part))) as JsonObject; // plain JSON
  const [one] = plain["sts"] as readonly JsonObject[]; // as written
  const sts = (...list: readonly Json[]): JsonObject => ({ ...plain, sts: list });
  const bad = "malformed_request";
  it.each<readonly [string, JsonObject, string]>([
    ["as written", plain, "accepted"],
    ["fifteen others", sts(...Array.from({ length: 15 }, () => one ?? null)), "accepted"],
    ["sixteen others", sts(...Array.from({ length: 16 }, () => one ?? null)), bad],
    ["an empty list", sts(), bad],
    ["no list", { ...plain, sts: one ?? null }, bad],
    ["a version among the others", sts({ ...one, v: 1 }), bad],
    ["others of the others", sts({ ...one, sts: [] }), bad],
    ["no chain", sts({ st: one?.["st"] ?? null, sig: one?.["sig"] ?? null }), bad],
    ["a statement too long", sts({ ...one, st: "A".repeat(11_001) }), bad],
    ["an empty chain of certificates", sts({ ...one, key: { jwk: null, x5c: [] } }), bad],
  ])("%s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readApprovalPart(value))).toBe(code);
  });

  it("reads back", () => {
    expect(readApprovalPart(plain)).toEqual(part);
  });
});
