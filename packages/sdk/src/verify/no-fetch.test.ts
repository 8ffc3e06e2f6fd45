import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { base64url, parseCompact, parseJsonObject, utf8 } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { requestHeaders, trustFileOf } from "../../../core/src/verify/request.testing.ts";
import { makeStory, NOW, RESOURCE } from "../../../core/src/verify/story.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";
import type { Fetch } from "./evidence.ts";
import { problemFor } from "./refused.ts";
import { relyingParty } from "./relying-party.ts";
import { PATH, URL as ADDRESS } from "./requests.testing.ts";

const EVIL = "https://evil.example/keys";
const ORIGIN = "https://evidence.example.org";
const LIMITS = { maxBytes: 16_384, maxDepth: 16, nullAllowed: true, fractionsAllowed: true };

const story = await makeStory();
const fetching = await makeStory({ trust: (domain) => ({ ...domain, evidenceOrigin: ORIGIN }) });

interface Change {
  readonly header?: JsonObject;
  readonly claims?: JsonObject;
}

/** The story's token with members changed, signed by its issuer all the same. */
async function witWith(of: Story, { header, claims }: Change): Promise<string> {
  const jws = parseCompact(of.presented.wit, 16_384);
  const part = (value: object): string => base64url(utf8(JSON.stringify(value)));
  const payload = parseJsonObject(jws.payload, LIMITS);
  const input = `${part({ ...jws.header, ...header })}.${part({ ...payload, ...claims })}`;
  return `${input}.${base64url(await of.keys.wit.sign(utf8(input)))}`;
}

/** Addresses that were asked for, and the answer, when a request came with this token and no evidence. */
async function asked(of: Story, change: Change): Promise<{ urls: string[]; answer: string }> {
  const urls: string[] = [];
  const fetch: Fetch = (url) => {
    urls.push(url);
    return Promise.resolve(new Response(null, { status: 404 }));
  };
  const trust = trustFileOf(of);
  const party = relyingParty({
    trust,
    resources: [RESOURCE],
    clock: () => NOW,
    evidence: { fetch },
  });
  const wit = await witWith(of, change);
  const headers = await requestHeaders(of, ADDRESS, { wit, evidence: null });
  const answer = await party.verifyRequest({ path: PATH, headers }).then(
    () => "accepted",
    (error: unknown) => problemFor(error).problem.reason,
  );
  return { urls, answer };
}

const elsewhere: string[] = [];
const { fetch: platform } = globalThis;
beforeAll(() => {
  globalThis.fetch = (url) => {
    elsewhere.push(url instanceof Request ? url.url : String(url));
    return Promise.resolve(new Response());
  };
});
afterAll(() => {
  globalThis.fetch = platform;
});

/** What a token may say, and what becomes of it where evidence is demanded and none is sent. */
const ROWS: readonly (readonly [string, Change, string])[] = [
  ["nothing unusual", {}, "owner_evidence_needed"],
  ["jku", { header: { jku: EVIL } }, "owner_evidence_needed"],
  ["x5u", { header: { x5u: EVIL } }, "owner_evidence_needed"],
  ["a key and a chain", { header: { jwk: { kty: "EC" }, x5c: ["AAAA"] } }, "owner_evidence_needed"],
  ["a kid that is an address", { header: { kid: EVIL } }, "unknown_key"],
  ["an issuer that is an address", { claims: { iss: EVIL } }, "issuer_not_allowed"],
  [
    "claims that are addresses",
    { claims: { jku: EVIL, x5u: EVIL, jwks_uri: EVIL } },
    "owner_evidence_needed",
  ],
  ["an audience", { claims: { aud: EVIL } }, "owner_evidence_needed"],
  ["another subject", { claims: { sub: "spiffe://evil.example/keys" } }, "unknown_trust_domain"],
  ["a confirmation with an address", { claims: { cnf: { jku: EVIL } } }, "missing_confirmation"],
  ["an identifier that is an address", { claims: { jti: EVIL } }, "owner_evidence_needed"],
  ["an identifier that climbs", { claims: { jti: "../../../keys" } }, "owner_evidence_needed"],
  ["an identifier of two dots", { claims: { jti: ".." } }, "owner_evidence_needed"],
  [
    "an identifier with user and host",
    { claims: { jti: "@evil.example" } },
    "owner_evidence_needed",
  ],
  ["an identifier with a query", { claims: { jti: "?a#b\\c%2f" } }, "owner_evidence_needed"],
];

describe("whatever a token says, nothing is fetched", () => {
  it.each(ROWS)("at all without a configured origin: %s", async (_name, change, wanted) => {
    const { urls, answer } = await asked(story, change);
    expect(urls).toEqual([]);
    expect(answer).toBe(wanted);
  });

  it.each(ROWS)("but below the configured origin's /e/: %s", async (_name, change, wanted) => {
    const { urls, answer } = await asked(fetching, change);
    expect(answer).toBe(wanted);
    expect(urls).toHaveLength(wanted === "owner_evidence_needed" ? 2 : 0);
    for (const url of urls) {
      const { origin, pathname, search, hash, username } = new URL(url);
      expect({ origin, search, hash, username }).toEqual({
        origin: ORIGIN,
        search: "",
        hash: "",
        username: "",
      });
      expect(pathname).toMatch(/^\/e\//);
    }
  });

  it("by the platform's own fetch", () => {
    expect(elsewhere).toEqual([]);
  });
});
