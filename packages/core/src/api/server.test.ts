import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENTRY, OWNER } from "../issuance/attested.testing.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { makeStory, NOW } from "../verify/story.testing.ts";
import {
  readAskedAnswer,
  readIssuedAnswer,
  readNonceAnswer,
  readNonceRequest,
  readPostedRequest,
  readProxyState,
  writeIssuedAnswer,
  writeProxyState,
} from "./server.ts";
import type { IssuedAnswer, ProxyState } from "./server.ts";

const story = await makeStory();
const { approval } = story.bundle;
if (approval === undefined) throw new Error("the story has an owner");
const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject; // plain JSON
const bad = "malformed_request";

const STATE: ProxyState = {
  issuer: "https://id.example.org",
  trustDomain: "example.org",
  now: NOW,
  seq: 12,
  checkpoint: "id.example.org/log\n12\nAAAA\n",
  entries: [ENTRY, { ...ENTRY, id: `${ENTRY.id}-2`, manifest: "/a.json" }],
  stops: (["agent", "entry", "grant", "owner", "proxy", "domain"] as const).map((scope) => ({
    id: scope,
    scope,
    target: OWNER,
    since: NOW,
  })),
  asks: (["asked", "approved", "denied", "expired", "superseded"] as const).map((state) => ({
    id: state,
    req: story.statement.cs,
    agent: story.agent,
    state,
    deadline: NOW + 60,
  })),
  approvals: [{ agent: story.agent, cs: story.statement.cs, model: "server", approval }],
  trustBundle: '{"keys":[]}',
  development: false,
};
const ISSUED: IssuedAnswer = {
  wit: story.credential.wit,
  wic: story.credential.chain,
  bundle: story.bundle,
  jti: story.bundle.credential.jti,
  n: 1,
  expires_at: NOW + 600,
};

/** A name, what is read, what the reader says. */
type Row = readonly [string, JsonObject, string];
const rows = (value: JsonObject, more: readonly Row[] = []): readonly Row[] => [
  ["as written", value, "accepted"],
  ...Object.keys(value).map((name) => {
    const rest = Object.entries(value).filter(([key]) => key !== name);
    return [`${name} absent`, Object.fromEntries(rest), bad] as const;
  }),
  ...more,
];

describe("the calls between proxy and server", () => {
  it.each<Row>([
    ["nothing seen", {}, "accepted"],
    ["seen", { seen: { seq: 1, checkpoint: "x" } }, "accepted"],
    ["seen nothing", { seen: {} }, bad],
    ["seen with more", { seen: { seq: 1, checkpoint: "x", more: 1 } }, bad],
    ["seen a fraction", { seen: { seq: 1.5, checkpoint: "x" } }, bad],
    ["seen too much", { seen: { seq: 1, checkpoint: "x".repeat(4097) } }, bad],
    ["an unknown member", { sen: 1 }, bad],
  ])("nonce, in: %s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readNonceRequest(value))).toBe(code);
  });

  it.each(rows({ nonce: "AAAAAAAA", now: NOW, expires_in: 120 }))(
    "nonce, out: %s → %#",
    async (_name, value, code) => {
      expect(await outcomeOf(() => readNonceAnswer(value))).toBe(code);
    },
  );

  it.each(
    rows({ request: "a.b.c", evidence: "d.e.f", endorsement: "g.h.i" }, [
      ["an unknown member", { request: "a", evidence: "b", endorsement: "c", owner: OWNER }, bad],
      ["too long", { request: "x".repeat(16_385), evidence: "b", endorsement: "c" }, bad],
      ["not text", { request: {}, evidence: "b", endorsement: "c" }, bad],
    ]),
  )("credential request, in: %s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readPostedRequest(value))).toBe(code);
  });

  it.each(
    rows(plain(writeIssuedAnswer(ISSUED)), [
      [
        "a certificate that is none",
        { ...plain(writeIssuedAnswer(ISSUED)), wic: ["x"] },
        "malformed_certificate",
      ],
      ["a certificate that is no text", { ...plain(writeIssuedAnswer(ISSUED)), wic: [1] }, bad],
      [
        "five certificates",
        { ...plain(writeIssuedAnswer(ISSUED)), wic: ["", "", "", "", ""] },
        bad,
      ],
    ]),
  )("credential request, issued: %s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readIssuedAnswer(value))).toBe(code);
  });

  it.each(
    rows({ state: "asked", id: "x", deadline: NOW, next: "wait", reasons: ["first"] }, [
      ["another state", { state: "issued", id: "x", deadline: NOW, next: "w", reasons: [] }, bad],
      [
        "a reason that is no text",
        { state: "asked", id: "x", deadline: NOW, next: "w", reasons: [1] },
        bad,
      ],
    ]),
  )("credential request, asked: %s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readAskedAnswer(value))).toBe(code);
  });

  it("what was issued reads back", () => {
    expect(readIssuedAnswer(plain(writeIssuedAnswer(ISSUED)))).toEqual(ISSUED);
  });
});

describe("the state of a proxy", () => {
  const WIRE = plain(writeProxyState(STATE));
  it.each(
    rows(WIRE, [
      ["before the first checkpoint", { ...WIRE, checkpoint: "" }, "accepted"],
      [
        "a stop of a scope nobody knows",
        { ...WIRE, stops: [{ id: "x", scope: "planet", target: "t", since: 1 }] },
        bad,
      ],
      [
        "an ask in a state nobody knows",
        {
          ...WIRE,
          asks: [
            { id: "x", req: STATE.asks[0]?.req ?? "", agent: "a", state: "viewed", deadline: 1 },
          ],
        },
        bad,
      ],
      ["an entry that is none", { ...WIRE, entries: [{}] }, bad],
      [
        "an approval that is none",
        { ...WIRE, approvals: [{ agent: "a", cs: story.statement.cs, model: "server" }] },
        bad,
      ],
    ]),
  )("%s → %#", async (_name, value, code) => {
    expect(await outcomeOf(() => readProxyState(value))).toBe(code);
  });

  it("reads back", () => {
    expect(readProxyState(WIRE)).toEqual(STATE);
  });

  it("any other JSON is refused with a code", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await outcomeOf(() => readProxyState(value as Json))).toBe(bad);
      }),
    );
  });
});
