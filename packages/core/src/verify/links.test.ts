import { describe, expect, it } from "vitest";
import { agentId, entryId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import type { RefusalCode } from "../refusal.ts";
import { LINKS } from "./links.ts";
import { owned, unbound } from "./mutation.testing.ts";
import type { Mutation } from "./mutation.testing.ts";
import { BINDING_MUTATIONS } from "./mutations-binding.testing.ts";
import { CREDENTIAL_MUTATIONS } from "./mutations-credential.testing.ts";
import { LOG_MUTATIONS } from "./mutations-log.testing.ts";
import { PARTIES_MUTATIONS } from "./mutations-parties.testing.ts";
import { OWNER_MUTATIONS, SIGNED_BEFOREHAND } from "./mutations-owner.testing.ts";
import { makeStory, NOW, RESOURCE } from "./story.testing.ts";
import type { StoryOptions } from "./story.testing.ts";
import { LinkRefusal } from "./verdict.ts";
import type { OwnerProof, Verdict } from "./verdict.ts";
import { verify } from "./verify.ts";
import type { Demand } from "./verify.ts";

const DEMAND: Demand = { proof: "logged", resource: RESOURCE };
const ROWS: readonly Mutation[] = [
  ...CREDENTIAL_MUTATIONS,
  ...OWNER_MUTATIONS,
  ...PARTIES_MUTATIONS,
  ...LOG_MUTATIONS,
  ...BINDING_MUTATIONS,
];

async function judge(row: Omit<Mutation, "link" | "code">): Promise<Verdict | LinkRefusal> {
  const own = await makeStory(row.change);
  const mixed = row.mix?.(own, await makeStory(row.change)) ?? {};
  try {
    return await verify(
      own.c,
      mixed.presented ?? own.presented,
      mixed.trust ?? own.trust,
      { ...DEMAND, ...row.demand },
      row.now ?? NOW,
    );
  } catch (error) {
    if (error instanceof LinkRefusal) return error;
    throw error;
  }
}

describe("one story that is true, one mutation for each link", () => {
  it.each(ROWS)("$link: $name → $code", async (row) => {
    const refused = await judge(row);
    expect(refused).toBeInstanceOf(LinkRefusal);
    if (!(refused instanceof LinkRefusal)) return;
    expect([refused.link, refused.code]).toEqual([row.link, row.code]);
    const at = refused.links.findIndex(({ id }) => id === row.link);
    expect(
      refused.links.slice(0, at).every(({ result }) => result === "ok" || result === "skipped"),
    ).toBe(true);
  });

  it("refuses at every row of the table for at least one reason", () => {
    expect(LINKS.map(({ id }) => id).filter((id) => !ROWS.some(({ link }) => link === id))).toEqual(
      [],
    );
  });

  // an approval that is shown is judged, whatever is demanded; the log on demand only
  it.each<[OwnerProof, OwnerProof]>([
    ["none", "verified"],
    ["claimed", "verified"],
    ["verified", "verified"],
    ["logged", "logged"],
  ])("accepts the true story where %s is demanded", async (demanded, proof) => {
    const verdict = await judge({ name: "true", demand: { proof: demanded } });
    expect(verdict).not.toBeInstanceOf(LinkRefusal);
    expect(verdict).toMatchObject({
      proof,
      log: proof === "logged" ? "witnessed" : "unchecked",
      revocation: "expiry only",
      development: false,
    });
  });

  it.each(SIGNED_BEFOREHAND)("accepts %s where the model is agent", async (_what, statement) => {
    const verdict = await judge({
      name: "signed beforehand",
      change: { preSigned: true, statement },
    });
    expect(verdict).toMatchObject({ proof: "logged" });
  });

  it("says that nobody was a witness, where none are configured", async () => {
    const change: StoryOptions = {
      cosignedBy: [],
      trust: ({ witnesses: _none, ...domain }) => domain,
    };
    const verdict = await judge({ name: "unwitnessed", change });
    expect(verdict).toMatchObject({ proof: "logged", log: "unwitnessed" });
    expect(verdict.links.at(-1)).toMatchObject({ id: "witnessed", result: "skipped" });
  });

  it("walks every row when everything is demanded", async () => {
    const verdict = await judge({ name: "true" });
    expect(verdict.links.map(({ id, result }) => [id, result])).toEqual(
      LINKS.map(({ id }) => [id, "ok"]),
    );
  });
});

describe("what is demanded beyond the links", () => {
  const kinded = (kind: "person" | "device" | "policy"): StoryOptions => ({
    trust: (domain) => ({
      ...domain,
      ownerPins: domain.ownerPins.map((pin) => ({ ...pin, kind })),
    }),
  });
  const bad: RefusalCode = "assurance_insufficient";
  it.each<[string, Demand, StoryOptions, string]>([
    ["assurance that is there", { oa: 2 }, {}, "ok"],
    [
      "assurance 3 of an assertion",
      { oa: 3 },
      { webauthn: {}, draft: owned(() => ({ assurance: 3 })) },
      "ok",
    ],
    [
      "assurance 4 of an assertion",
      { oa: 4 },
      { webauthn: {}, draft: owned(() => ({ assurance: 4 })) },
      bad,
    ],
    ["more assurance than a software key has", { oa: 3 }, {}, bad],
    [
      "assurance that is claimed and not proved",
      { oa: 3 },
      { draft: owned(() => ({ assurance: 4 })) },
      bad,
    ],
    [
      "assurance where the owner is only claimed",
      { proof: "claimed", oa: 1 },
      { trust: (domain) => ({ ...domain, ownerPins: [] }) },
      bad,
    ],
    ["a person", { kinds: ["person"] }, kinded("person"), "ok"],
    ["a person where the pin says device", { kinds: ["person"] }, kinded("device"), bad],
    ["two, where no human stands behind the key", { oa: 2 }, { ownerKind: "policy" }, bad],
  ])("%s", async (_name, demand, change, wanted) => {
    const found = await judge({ name: "", change, demand: { proof: "verified", ...demand } });
    expect(found instanceof LinkRefusal ? found.code : "ok").toBe(wanted);
    if (found instanceof LinkRefusal) expect(found.link).toBe("demand");
  });

  it("says why an owner is only claimed, where that is enough", async () => {
    const unpinned: StoryOptions = { trust: (domain) => ({ ...domain, ownerPins: [] }) };
    expect(await judge({ name: "", change: unpinned, demand: { proof: "claimed" } })).toMatchObject(
      {
        proof: "claimed",
        gap: { link: "owner-accepted", code: "owner_key_unaccepted" },
        owner: { oa: 0, vouchedBy: "nobody" },
      },
    );
  });

  it("lowers assurance that is only claimed, and says so", async () => {
    const verdict = await judge({ name: "", change: { draft: owned(() => ({ assurance: 4 })) } });
    expect(verdict).toMatchObject({ owner: { oa: 2, assuranceLowered: true } });
  });

  it.each<[string, StoryOptions, object]>([
    ["a pin", {}, { vouchedBy: "pin", kindBasis: "claimed" }],
    ["a pin that names the kind", kinded("device"), { kind: "device", kindBasis: "pinned", oa: 1 }],
    [
      "the server alone, where that is enough",
      { trust: (d) => ({ ...d, ownerPins: [], insecureAcceptServerEnrolment: true }) },
      { vouchedBy: "server", kindBasis: "claimed" },
    ],
  ])("says who vouches for the key: %s", async (_name, change, owner) => {
    expect(await judge({ name: "", change })).toMatchObject({ proof: "logged", owner });
  });

  it("says that a credential is one of development", async () => {
    const change: StoryOptions = {
      trustDomain: "k3x9.dev.invalid",
      trust: (domain) => ({ ...domain, insecureAcceptDevelopment: true }),
    };
    expect(await judge({ name: "", change })).toMatchObject({ development: true, proof: "logged" });
  });

  it("accepts an unbound credential where no owner is demanded", async () => {
    const verdict = await judge({
      name: "",
      change: { draft: unbound },
      demand: { proof: "none" },
    });
    expect(verdict).toMatchObject({ proof: "none" });
    expect(verdict).not.toHaveProperty("owner");
  });

  it("accepts the token alone, where the certificate is not shown", async () => {
    const mix: Mutation["mix"] = ({ presented: { chain: _none, ...presented } }) => ({ presented });
    expect(await judge({ name: "", mix })).toMatchObject({ proof: "logged" });
  });

  it("takes the approval from the certificate, where nothing else shows it", async () => {
    const change: StoryOptions = { carried: (part) => part };
    const mix: Mutation["mix"] = ({ presented: { approval: _none, ...presented } }) => ({
      presented,
    });
    expect(await judge({ name: "", change, mix })).toMatchObject({ proof: "logged" });
    expect(await judge({ name: "", change })).toMatchObject({ proof: "logged" });
  });

  it("reaches any service where the approval names none", async () => {
    const change: StoryOptions = {
      statement: (body) => ({ ...body, grant: { ...body.grant, ceiling: [] } }),
    };
    const demand = { resource: "https://any.example" };
    expect(await judge({ name: "", change, demand })).toMatchObject({ proof: "logged" });
  });

  it("makes the thumbprint of the story's anchor part of its agent's id", async () => {
    const { c, agent, keys } = await makeStory();
    expect(agent).toBe(agentId(entryId("example.org", "mailer"), thumbprint(c, keys.anchor.key)));
  });
});
