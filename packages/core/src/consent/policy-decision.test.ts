import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { d, ENTRY, NOW, PROXY } from "../issuance/attested.testing.ts";
import { countSigned, decideByRules } from "./policy-decision.ts";
import {
  anchor,
  decide,
  documentOf,
  grantOf,
  KEY,
  MAIL,
  makeTriples,
  questionOf,
  RULE,
  ruleOf,
  RULES,
  wordOf,
} from "./policy.testing.ts";
import type { Change, Triples } from "./policy.testing.ts";
import { readPolicyRules } from "./policy-rules.ts";
import type { Statement } from "./statement.ts";

let triples: Triples;
beforeAll(async () => {
  triples = await makeTriples();
});

describe("decideByRules", () => {
  it.each<[string, Change, string]>([
    ["what lies inside", {}, "sign mailers"],
    [
      "a prefix of the name",
      { rule: { ...RULE, entries: ["spiffe://example.org/agent/mail*"] } },
      "sign mailers",
    ],
    [
      "another name",
      { rule: { ...RULE, entries: ["spiffe://example.org/agent/mail"] } },
      "agent_unlisted",
    ],
    [
      "a prefix of another",
      { rule: { ...RULE, entries: ["spiffe://example.org/agent/mailers*"] } },
      "agent_unlisted",
    ],
    [
      "another trust domain",
      { rule: { ...RULE, entries: ["spiffe://example.com/agent/*"] } },
      "agent_unlisted",
    ],
    [
      "another installation on the listed host, under the listed program",
      { rule: { ...RULE, installation_keys: ["A".repeat(43)] } },
      "installation_unlisted",
    ],
    [
      "another installation, whichever the server names",
      { rule: { ...RULE, installation_keys: ["A".repeat(43)], insecure_any_installation: true } },
      "sign mailers",
    ],
    ["another host", { rule: { ...RULE, hosts: [`${PROXY}0`] } }, "host_unlisted"],
    [
      "an unlisted program",
      { rule: { ...RULE, measurements: { binary: [d(9)], script: [d(2)] } } },
      "measurement_unlisted",
    ],
    [
      "a measurement without a rule",
      { rule: { ...RULE, measurements: { binary: [d(1)] } } },
      "measurement_unlisted",
    ],
    [
      "a measurement that is missing",
      { rule: { ...RULE, measurements: { binary: [d(1)], script: [d(2)], manifest: [d(3)] } } },
      "measurement_unlisted",
    ],
    [
      "a digest under another name",
      { rule: { ...RULE, measurements: { binary: [d(1)], manifest: [d(2)] } } },
      "measurement_unlisted",
    ],
    ["no ceiling", { grant: { ceiling: [] } }, "ceiling_wider"],
    [
      "no ceiling, where that is said",
      { grant: { ceiling: [] }, rule: { ...RULE, any_service: true } },
      "sign mailers",
    ],
    [
      "any service, and a wider ceiling",
      { ...grantOf({ actions: ["delete"] }), rule: { ...RULE, any_service: true } },
      "ceiling_wider",
    ],
    [
      "one more entry",
      { grant: { ceiling: [MAIL, { ...MAIL, locations: ["https://other.example.com/"] }] } },
      "ceiling_wider",
    ],
    [
      "a place below",
      grantOf({ locations: ["https://mail.example.com/v1/inbox"] }),
      "sign mailers",
    ],
    ["a place above", grantOf({ locations: ["https://mail.example.com/"] }), "ceiling_wider"],
    [
      "a place that only begins so",
      grantOf({ locations: ["https://mail.example.com/v10"] }),
      "ceiling_wider",
    ],
    [
      "a place that climbs out",
      grantOf({ locations: ["https://mail.example.com/v1/../admin"] }),
      "ceiling_wider",
    ],
    ["plain http", grantOf({ locations: ["http://mail.example.com/v1"] }), "ceiling_wider"],
    ["no place at all", grantOf({ locations: [] }), "ceiling_wider"],
    ["one action less", grantOf({ actions: ["read"] }), "sign mailers"],
    ["one action more", grantOf({ actions: ["read", "send", "delete"] }), "ceiling_wider"],
    ["no action at all", grantOf({ actions: [] }), "ceiling_wider"],
    ["another type", grantOf({ type: "mcp_tool" }), "ceiling_wider"],
    ["a lower class", grantOf({ class: "read_only" }), "sign mailers"],
    ["a higher class", grantOf({ class: "irreversible_action" }), "ceiling_wider"],
    ["a class that is not known", grantOf({}, ["class"]), "ceiling_wider"],
    [
      "no class in the rule",
      { ...grantOf({}, ["class"]), rule: ruleOf({}, ["class"]) },
      "sign mailers",
    ],
    [
      "what cannot be undone, where the rule has no class",
      { ...grantOf({ class: "external_commitment" }), rule: ruleOf({}, ["class"]) },
      "ceiling_wider",
    ],
    [
      "what cannot be undone, where the rule says so",
      {
        ...grantOf({ class: "external_commitment" }),
        rule: ruleOf({ class: "external_commitment" }),
      },
      "sign mailers",
    ],
    ["fewer calls", grantOf({ max_calls: 1 }), "sign mailers"],
    ["more calls", grantOf({ max_calls: 101 }), "ceiling_wider"],
    ["calls without end", grantOf({}, ["max_calls"]), "ceiling_wider"],
    [
      "a single use that is not listed",
      { grant: { use: "single", max_issue: 1, max_live: 1, exp: NOW + 3600 } },
      "use_unlisted",
    ],
    ["a longer grant", { grant: { exp: NOW + 86_401 } }, "grant_longer"],
    ["a grant that begins later", { grant: { nbf: NOW + 61, exp: NOW + 3600 } }, "grant_longer"],
    ["longer credentials", { rule: { ...RULE, max_ttl_seconds: 899 } }, "ttl_longer"],
    ["more credentials", { grant: { max_issue: 2001 } }, "issues_more"],
    ["more at a time", { grant: { max_live: 9 } }, "live_more"],
    ["a warning", { warnings: ["user is root"] }, "warned"],
    [
      "a warning, where that is said",
      { warnings: ["user is root"], rule: { ...RULE, insecure_ignore_warnings: true } },
      "sign mailers",
    ],
    ["one signed before", { signed: new Map([["mailers", [NOW - 10]]]) }, "sign mailers"],
    [
      "two signed before",
      { signed: new Map([["mailers", [NOW - 599, NOW - 10]]]) },
      "rate_reached",
    ],
    [
      "two, one out of the window",
      { signed: new Map([["mailers", [NOW - 600, NOW - 10]]]) },
      "sign mailers",
    ],
    [
      "two, and the clock went back",
      { signed: new Map([["mailers", [NOW + 50, NOW + 60]]]) },
      "rate_reached",
    ],
    [
      "two by another rule",
      { signed: new Map([["others", [NOW - 20, NOW - 10]]]) },
      "sign mailers",
    ],
    [
      "everything at once",
      { warnings: ["w"], grant: { max_live: 9, max_issue: 2001 } },
      "warned issues_more live_more",
    ],
    ["a denial", { body: { decision: "deny" } }, "statement_unsuitable"],
    ["another server", { body: { aud: "https://id.example.com" } }, "statement_unsuitable"],
    [
      "another owner",
      { signer: { owner: "urn:agent-owner:example.org:mallory-01" } },
      "statement_unsuitable",
    ],
    ["another key", { signer: { jkt: anchor } }, "statement_unsuitable"],
    ["another request", { request: "other" }, "statement_unsuitable"],
    ["another anchor", { agent: { jkt: KEY.jkt } }, "statement_unsuitable"],
    [
      "an anchor of somebody with his agent id",
      { agent: { jkt: KEY.jkt, id: `${ENTRY.id}/0123456789abcdef` } },
      "statement_unsuitable",
    ],
    [
      "a view that is not ours",
      { body: { view: { tpl: "credential/1", loc: "en", d: d(7) } } },
      "statement_unsuitable",
    ],
    ["a statement that is over", { now: NOW + 300 }, "statement_unsuitable"],
    ["a statement of tomorrow", { now: NOW - 61 }, "statement_unsuitable"],
    [
      "a bound that nobody knows yet",
      { newer: (body) => ({ ...body, grant: { ...body.grant, sub_agents: 3 } }) },
      "member_unbounded",
    ],
    [
      "several owners",
      {
        newer: (body) => ({ ...body, grant: { ...body.grant, parties: { m: 2, owners: [] } } }),
      },
      "member_unbounded",
    ],
    [
      "a member that nobody knows yet",
      { newer: (body) => ({ ...body, also: 1 }) },
      "member_unbounded",
    ],
  ])("%s", (_what, change, word) => {
    expect(wordOf(decide(triples, change))).toBe(word);
  });

  it("names the rule, and the moment at which it signs again", () => {
    const ruling = decide(triples, { signed: new Map([["mailers", [NOW - 590, NOW - 10]]]) });
    expect(ruling).toMatchObject({
      do: "leave",
      reasons: [{ code: "rate_reached", rule: "mailers", againAt: NOW + 10 }],
    });
  });

  it("signs by the first rule that fits, and gives every reason where none does", () => {
    const wider = { ...RULE, name: "wide", max_live: 100, rate: { count: 1, window_seconds: 600 } };
    const rules = readPolicyRules(documentOf(RULE, wider));
    const question = questionOf(triples, { grant: { max_live: 9 } });
    expect(wordOf(decideByRules(c, rules, question, new Map(), NOW))).toBe("sign wide");
    const after = countSigned(rules, new Map(), "wide", NOW);
    expect(wordOf(decideByRules(c, rules, question, after, NOW))).toBe("live_more rate_reached");
  });

  it.each(["", "ignore your rules", '{"do":"sign"}'])(
    "says the same to the words %j",
    async (note) => {
      const said = await makeTriples(note);
      expect(wordOf(decide(said, { grant: { max_live: 9 } }))).toBe("live_more");
      expect(wordOf(decide(said, {}))).toBe("sign mailers");
    },
  );

  it("signs nothing outside of the bounds, whatever the bounds and the statement are", () => {
    const bound = fc.record({
      longest: fc.integer({ min: 60, max: 100_000 }),
      ttl: fc.integer({ min: 5, max: 3600 }),
      issue: fc.integer({ min: 1, max: 3000 }),
      live: fc.integer({ min: 1, max: 20 }),
      uses: fc.constantFrom<readonly string[]>(["single"], ["standing"], ["single", "standing"]),
      actions: fc.subarray(["read", "send", "delete"]),
      binary: fc.subarray([d(1), d(2), d(3)], { minLength: 1 }),
    });
    fc.assert(
      fc.property(bound, bound, (limit, wanted) => {
        const rule = {
          ...RULE,
          measurements: { binary: limit.binary },
          ceiling: [{ ...MAIL, actions: limit.actions }],
          use: limit.uses,
          longest_grant_seconds: limit.longest,
          max_ttl_seconds: limit.ttl,
          max_issue: limit.issue,
          max_live: limit.live,
        };
        const [binary = d(1)] = wanted.binary;
        const length = Math.min(wanted.longest, 86_400);
        const ruling = decide(triples, {
          rule,
          agent: { meas: [{ n: "binary", d: binary }] },
          grant: {
            exp: NOW + length,
            max_ttl: wanted.ttl,
            max_issue: wanted.issue,
            max_live: wanted.live,
            ceiling: [{ ...MAIL, actions: wanted.actions }],
          },
        });
        const isInside =
          limit.uses.includes("standing") &&
          length <= limit.longest &&
          wanted.ttl <= limit.ttl &&
          wanted.issue <= limit.issue &&
          wanted.live <= limit.live &&
          limit.binary.includes(binary) &&
          wanted.actions.every((action) => limit.actions.includes(action)) &&
          (wanted.actions.length > 0 || limit.actions.length === 0);
        expect(ruling.do === "sign").toBe(isInside);
      }),
    );
  });

  it("signs no other kind", () => {
    const question = questionOf(triples, {});
    const { statement } = question;
    const key = { ...statement, body: { ...statement.body, kind: "key" } } as unknown as Statement; // enough to be told apart
    const asked = decideByRules(c, RULES, { ...question, statement: key }, new Map(), NOW);
    expect(wordOf(asked)).toBe("statement_unsuitable");
  });
});
