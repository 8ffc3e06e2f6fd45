import { TWO_OF_THREE } from "../../../core/src/verify/mutations-parties.testing.ts";
import { describe, expect, it } from "vitest";
import {
  fromBase64url,
  fromUtf8,
  LinkRefusal,
  memoryReplayStore,
  readTrust,
  writeTrustBundle,
} from "@countersign/core";
import type { HeaderLines, ReplayStore, TrustBundle, Trust } from "@countersign/core";
import {
  evidenceOf,
  requestHeaders,
  trustFileOf,
} from "../../../core/src/verify/request.testing.ts";
import { makeStory, NOW, RESOURCE } from "../../../core/src/verify/story.testing.ts";
import type { Story, StoryOptions } from "../../../core/src/verify/story.testing.ts";
import type { Fetch } from "./evidence.ts";
import { problemFor } from "./refused.ts";
import { relyingParty } from "./relying-party.ts";
import { PATH, REQUESTS, stranger, URL } from "./requests.testing.ts";
import type { Caller, RelyingParty } from "./relying-party.ts";
import type { RelyingPartyOptions } from "./settings.ts";

function partyFor(story: Story, options: Partial<RelyingPartyOptions> = {}): RelyingParty {
  return relyingParty({
    trust: trustFileOf(story),
    resources: [RESOURCE],
    clock: () => NOW,
    ...options,
  });
}

async function outcome(run: Promise<Caller>): Promise<readonly [string, string, number]> {
  try {
    return ["accepted", (await run).proof, 200];
  } catch (error) {
    if (!(error instanceof LinkRefusal)) throw error;
    const { status, problem } = problemFor(error);
    expect(problem).toMatchObject({ reason: error.code, link: error.link, status });
    return [error.link, error.code, status];
  }
}

describe("relyingParty", () => {
  it.each(REQUESTS)("$name → $wanted", async (row) => {
    const story = await makeStory(row.story);
    const lines = await requestHeaders(story, row.url ?? URL, row.request);
    // as read at `NOW`: a trust file that is out of date is not read at all
    const trust = readTrust(trustFileOf(story), NOW);
    const party = partyFor(story, { trust, clock: () => row.now ?? NOW, ...row.party });
    const headers = row.lines?.(lines) ?? lines;
    const found = await outcome(party.verifyRequest({ path: row.path ?? PATH, headers }));
    expect(found).toEqual(row.wanted);
  });

  it("challenges for a fault of the proof, and for nothing else", async () => {
    const story = await makeStory();
    const party = partyFor(story);
    const challengeOf = async (headers: HeaderLines): Promise<string | undefined> => {
      const refused: unknown = await party
        .verifyRequest({ path: PATH, headers })
        .catch((e: unknown) => e);
      return problemFor(refused).headers["www-authenticate"];
    };
    const stolen = await requestHeaders(story, URL, { provedBy: stranger });
    const bare = await requestHeaders(story, URL, { evidence: null });
    expect(await challengeOf(stolen)).toBe("WPT");
    expect(await challengeOf([])).toBe("WPT");
    expect(await challengeOf(bare)).toBeUndefined();
  });

  it("says who called, for whom, and what the proof covers", async () => {
    const story = await makeStory();
    const party = partyFor(story, { contextHeaders: ["ctx-token"] });
    const headers = await requestHeaders(story, URL, {
      txnToken: "txn",
      context: { "ctx-token": "abc" },
    });
    const caller = await party.verifyRequest({ path: PATH, headers });
    expect(caller).toMatchObject({
      agent: story.agent,
      owner: { id: story.statement.body.owner.id, vouchedBy: "pin", oa: 2 },
      audience: `${RESOURCE}/drafts/7`,
      txnToken: "txn",
      development: false,
    });
    expect(caller.context.get("ctx-token")).toBe("abc");
  });

  it("says nothing of a throw that is no refusal", () => {
    expect(problemFor(new TypeError("secret")).body).not.toContain("secret");
    expect(problemFor(new TypeError("secret")).problem).toMatchObject({
      status: 500,
      reason: "internal",
    });
  });

  it.each([[[]], [["mail.example.com"]], [["https://mail.example.com/?x"]]])(
    "takes no resources like %j",
    async (resources) => {
      const story = await makeStory();
      expect(() => partyFor(story, { resources })).toThrow(/configuration_invalid/);
    },
  );
});

describe("single use", () => {
  it("takes a proof once", async () => {
    const story = await makeStory();
    const party = partyFor(story);
    const headers = await requestHeaders(story, URL);
    expect(await outcome(party.verifyRequest({ path: PATH, headers }))).toEqual([
      "accepted",
      "verified",
      200,
    ]);
    expect(await outcome(party.verifyRequest({ path: PATH, headers }))).toEqual([
      "replay",
      "replayed",
      401,
    ]);
  });

  it("takes one of many requests at once with the same proof", async () => {
    const story = await makeStory();
    const party = partyFor(story, { replay: memoryReplayStore({ maxEntries: 100 }) });
    const headers = await requestHeaders(story, URL);
    const all = await Promise.all(
      Array.from({ length: 8 }, () => outcome(party.verifyRequest({ path: PATH, headers }))),
    );
    expect(all.filter(([link]) => link === "accepted")).toHaveLength(1);
    expect(all.filter(([, code]) => code === "replayed")).toHaveLength(7);
  });

  it("does not spend the proof of a request that it refused", async () => {
    const story = await makeStory();
    const spent: string[] = [];
    const replay: ReplayStore = {
      first: (_scope, id) => Promise.resolve(spent.push(id) > 0 ? "first" : "used"),
    };
    const bare = await requestHeaders(story, URL, { evidence: null });
    await outcome(partyFor(story, { replay }).verifyRequest({ path: PATH, headers: bare }));
    expect(spent).toHaveLength(0);
  });
});

describe("evidence", () => {
  const fetching = (
    answers: Readonly<Record<string, unknown>>,
  ): { asked: string[]; evidence: { readonly fetch: Fetch } } => {
    const asked: string[] = [];
    return {
      asked,
      evidence: {
        fetch: (url) => {
          asked.push(url);
          const found = answers[url];
          return Promise.resolve(
            found === undefined ? new Response(null, { status: 404 }) : Response.json(found),
          );
        },
      },
    };
  };
  const ORIGIN = "https://evidence.example.org";
  const fetched: StoryOptions = { trust: (domain) => ({ ...domain, evidenceOrigin: ORIGIN }) };

  it("is remembered with its token, and judged again each time", async () => {
    const story = await makeStory();
    const party = partyFor(story);
    const send = async (evidence?: null): Promise<readonly [string, string, number]> =>
      outcome(
        party.verifyRequest({
          path: PATH,
          headers: await requestHeaders(story, URL, evidence === null ? { evidence } : {}),
        }),
      );
    expect(await send(null)).toEqual(["evidence", "owner_evidence_needed", 400]);
    expect(await send()).toEqual(["accepted", "verified", 200]);
    expect(await send(null)).toEqual(["accepted", "verified", 200]);
    party.refreshTrust(
      writeTrustBundle({
        ...story.domain.bundle,
        sequence: 8,
        removedOwnerKeys: story.domain.ownerPins.map(({ jkt }) => jkt),
      }),
    );
    expect(await send(null)).toEqual(["owner-accepted", "owner_key_unaccepted", 403]);
  });

  it("is fetched from the configured origin only, where that is wanted", async () => {
    const story = await makeStory(fetched);
    const base = `${ORIGIN}/e/${story.statement.cs.slice(8)}`;
    const parts = bundleParts(story);
    const { asked, evidence } = fetching({
      [base]: parts.approval,
      [`${base}/${story.bundle.credential.jti}`]: parts.credential,
    });
    const party = partyFor(story, { evidence, demand: { proof: "logged" } });
    const headers = await requestHeaders(story, URL, { evidence: null });
    expect(await outcome(party.verifyRequest({ path: PATH, headers }))).toEqual([
      "accepted",
      "logged",
      200,
    ]);
    expect(asked.toSorted()).toEqual([base, `${base}/${story.bundle.credential.jti}`]);
    const again = await requestHeaders(story, URL, { evidence: null });
    await party.verifyRequest({ path: PATH, headers: again });
    expect(asked).toHaveLength(2);
  });

  it.each([
    ["two of two", { parties: TWO_OF_THREE, cosignedBy: [] }, 2, ["accepted", "verified", 200]],
    ["three of two", { parties: TWO_OF_THREE, cosignedBy: [] }, 3, ["demand", "quorum_unmet", 403]],
    ["two of one", {}, 2, ["demand", "quorum_unmet", 403]],
  ] as const)(
    "is of as many owners as the service demands: %s",
    async (_name, change, owners, wanted) => {
      const story = await makeStory(change);
      const party = partyFor(story, { demand: { owners } });
      const headers = await requestHeaders(story, URL);
      expect(await outcome(party.verifyRequest({ path: PATH, headers }))).toEqual(wanted);
    },
  );

  it("is asked of the caller where it cannot be fetched", async () => {
    const story = await makeStory(fetched);
    const { evidence } = fetching({});
    const headers = await requestHeaders(story, URL, { evidence: null });
    const party = partyFor(story, { evidence });
    expect(await outcome(party.verifyRequest({ path: PATH, headers }))).toEqual([
      "evidence",
      "owner_evidence_needed",
      400,
    ]);
  });

  it("is fetched from nowhere where the trust file names no origin", async () => {
    const story = await makeStory();
    const { asked, evidence } = fetching({});
    const headers = await requestHeaders(story, URL, { evidence: null });
    await outcome(partyFor(story, { evidence }).verifyRequest({ path: PATH, headers }));
    expect(asked).toEqual([]);
  });

  it("of another credential does not help", async () => {
    const story = await makeStory();
    const other = await makeStory();
    const headers = await requestHeaders(story, URL, { evidence: evidenceOf(other.bundle) });
    expect(await outcome(partyFor(story).verifyRequest({ path: PATH, headers }))).toEqual([
      "statement",
      "owner_claim",
      403,
    ]);
  });
});

function bundleParts(story: Story): { approval: unknown; credential: unknown } {
  const text = fromUtf8(fromBase64url(evidenceOf(story.bundle)));
  return JSON.parse(text) as { approval: unknown; credential: unknown }; // what the story wrote
}

describe("trust", () => {
  const of = (story: Story, change: Partial<TrustBundle>): Uint8Array =>
    writeTrustBundle({ ...story.domain.bundle, ...change });

  it("can be given as it was read", async () => {
    const story = await makeStory();
    const trust: Trust = story.trust;
    const headers = await requestHeaders(story, URL);
    expect(
      await outcome(partyFor(story, { trust }).verifyRequest({ path: PATH, headers })),
    ).toEqual(["accepted", "verified", 200]);
  });

  it.each<[string, (story: Story, other: Story) => Uint8Array, string]>([
    ["a newer bundle", (story) => of(story, { sequence: 8 }), "ok"],
    ["an older bundle", (story) => of(story, { sequence: 6 }), "trust_bundle_changed"],
    [
      "another log",
      (story, { domain }) => of(story, { log: { ...domain.bundle.log } }),
      "trust_bundle_changed",
    ],
    ["a bundle that is out of date", (story) => of(story, { exp: NOW }), "indeterminate"],
    [
      "a trust domain that is not configured",
      (story) => of(story, { trustDomain: "spiffe://example.com" }),
      "unknown_trust_domain",
    ],
    ["octets", () => new Uint8Array(3), "malformed_json"],
  ])("is refreshed by %s → %s", async (_name, make, wanted) => {
    const story = await makeStory();
    const party = partyFor(story);
    const octets = make(story, await makeStory());
    if (wanted === "ok") party.refreshTrust(octets);
    else expect(() => party.refreshTrust(octets)).toThrow(new RegExp(`^${wanted}`));
    const headers = await requestHeaders(story, URL);
    expect((await outcome(party.verifyRequest({ path: PATH, headers })))[0]).toBe("accepted");
  });
});
