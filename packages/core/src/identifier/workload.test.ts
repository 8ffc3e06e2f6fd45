import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { generateSigner, nodeCrypto } from "../../../node/src/crypto.ts";
import { fromBase64url, hex } from "../bytes.ts";
import { thumbprint } from "../jose/jwk.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { lintIdentifier03 } from "./lint.ts";
import { parseOwnerId } from "./owner.ts";
import { matchesPolicy } from "./policy.ts";
import {
  agentEntryOf,
  agentId,
  entryId,
  parseName,
  parseOrigin,
  parseTrustDomain,
  parseWorkloadId,
  gatewayId,
  proxyId,
  serverId,
} from "./workload.ts";

const PREFIX = "00112233445566aa";

describe("workload identifiers", () => {
  test.each([
    ["spiffe://example.org/a", "accepted"],
    ["spiffe://10.0.0.1/a", "accepted"],
    ["wimse://10.0.0.1/a", "invalid_identifier"],
    ["wimse://.example/a", "invalid_identifier"],
    ["wimse://a..b/a", "invalid_identifier"],
    ["wimse://a.b/...", "accepted"],
    ["spiffe://example.org/a~b", "invalid_identifier"],
    ["wimse://example.org/a~b", "accepted"],
    ["spiffe://example.org/a\n", "invalid_identifier"],
    ["\tspiffe://example.org/a", "invalid_identifier"],
    ["spiffe://example.org/a\u0000", "invalid_identifier"],
    ["spiffe://example.org/..", "invalid_identifier"],
    [`spiffe://${"a".repeat(255)}/a`, "accepted"],
    [`spiffe://${"a".repeat(256)}/a`, "invalid_identifier"],
    [undefined, "invalid_identifier"],
    [["spiffe://example.org/a"], "invalid_identifier"],
  ])("%j → %s", async (text, code) => {
    expect(await outcomeOf(() => parseWorkloadId(text))).toBe(code);
  });

  test("returns or refuses, and says back exactly what it read", () => {
    const near = fc.stringMatching(
      /^(spiffe|wimse|SPIFFE):\/\/[a-zA-Z0-9._-]{0,6}(\/[a-z.%~]{0,3}){0,4}$/,
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        let id;
        try {
          id = parseWorkloadId(text);
        } catch (error) {
          expect((error as { code?: string }).code).toBe("invalid_identifier");
          return;
        }
        expect(`${id.origin}/${id.segments.join("/")}`).toBe(text);
        expect(lintIdentifier03(text)).toBe("ok");
        expect(new URL(text).href).toBe(text);
      }),
    );
  });

  test.each([
    ["spiffe://example.org", "accepted"],
    ["wimse://example.org", "accepted"],
    ["wimse://10.0.0.1", "invalid_identifier"],
    ["spiffe://example.org/", "invalid_identifier"],
    ["spiffe://example.org/a", "invalid_identifier"],
    ["https://example.org", "invalid_identifier"],
    [5, "invalid_identifier"],
  ])("origin %j → %s", async (text, code) => {
    expect(await outcomeOf(() => parseOrigin(text))).toBe(code);
  });

  test.each([
    ["example.org", "accepted"],
    ["k3f9.dev.invalid", "accepted"],
    ["Example.org", "invalid_identifier"],
    ["example.org.", "invalid_identifier"],
    [".example", "invalid_identifier"],
    ["10.0.0.1", "invalid_identifier"],
    ["a b", "invalid_identifier"],
    ["", "invalid_identifier"],
    ["a".repeat(256), "invalid_identifier"],
    [null, "invalid_identifier"],
  ])("trust domain %j → %s", async (text, code) => {
    expect(await outcomeOf(() => parseTrustDomain(text))).toBe(code);
  });
});

describe("names of ours", () => {
  test.each([
    ["spiffe://td.example/agent/mail", "entry"],
    [`spiffe://td.example/agent/mail/${PREFIX}`, "agent"],
    ["spiffe://td.example/proxy/host-1", "proxy"],
    ["spiffe://td.example/gateway/edge", "gateway"],
    ["wimse://td.example/server", "server"],
    ["spiffe://td.example/server/x", "invalid_identifier"],
    ["spiffe://td.example/agent", "invalid_identifier"],
    ["spiffe://td.example/agent/Mail", "invalid_identifier"],
    ["spiffe://td.example/agent/-mail", "invalid_identifier"],
    [`spiffe://td.example/agent/${"a".repeat(63)}`, "entry"],
    [`spiffe://td.example/agent/${"a".repeat(64)}`, "invalid_identifier"],
    [`spiffe://td.example/agent/mail/${PREFIX.toUpperCase()}`, "invalid_identifier"],
    [`spiffe://td.example/agent/mail/${PREFIX}0`, "invalid_identifier"],
    [`spiffe://td.example/agent/mail/${PREFIX}/x`, "invalid_identifier"],
    [`spiffe://td.example/proxy/host/${PREFIX}`, "invalid_identifier"],
    ["spiffe://td.example/gateway/edge/1", "invalid_identifier"],
    ["spiffe://td.example/gateway", "invalid_identifier"],
    ["spiffe://td.example/other/mail", "invalid_identifier"],
    ["spiffe://10.0.0.1/server", "invalid_identifier"],
  ])("%s → %s", async (text, wanted) => {
    let kind = "";
    const outcome = await outcomeOf(() => (kind = parseName(text).kind));
    expect(outcome === "accepted" ? kind : outcome).toBe(wanted);
  });

  test("are built as they are read", () => {
    const jkt = thumbprint(nodeCrypto, generateSigner().key);
    const entry = entryId("td.example", "mail");
    const agent = agentId(entry, jkt);
    expect(entry).toBe("spiffe://td.example/agent/mail");
    expect(proxyId("td.example", "host-1")).toBe("spiffe://td.example/proxy/host-1");
    expect(gatewayId("td.example", "edge")).toBe("spiffe://td.example/gateway/edge");
    expect(serverId("td.example", "wimse")).toBe("wimse://td.example/server");
    expect(agent).toBe(`${entry}/${hex(fromBase64url(jkt)).slice(0, 16)}`);
    expect(agentEntryOf(agent)).toBe(entry);
    expect(parseName(agent)).toMatchObject({
      kind: "agent",
      td: "td.example",
      name: "mail",
      entry,
    });
  });

  test.each<readonly [string, () => unknown]>([
    ["an entry with a bad name", () => entryId("td.example", "a/b")],
    ["a proxy of a bad trust domain", () => proxyId("TD.example", "a")],
    ["a server of an address", () => serverId("10.0.0.1")],
    [
      "an agent under an agent",
      () => agentId(`spiffe://td.example/agent/m/${PREFIX}`, "A".repeat(43)),
    ],
    ["an agent under a proxy", () => agentId("spiffe://td.example/proxy/m", "A".repeat(43))],
    ["an anchor that is no thumbprint", () => agentId("spiffe://td.example/agent/m", "AAAA")],
    ["the entry of an entry", () => agentEntryOf("spiffe://td.example/agent/m")],
  ])("%s is refused", async (_, run) => {
    expect(await outcomeOf(run)).toBe("invalid_identifier");
  });
});

describe("owner ids", () => {
  test.each([
    ["urn:agent-owner:example.com:7Qm0Zs6Yw1", "accepted"],
    ["urn:agent-owner:example.com:short", "invalid_identifier"],
    [`urn:agent-owner:example.com:${"a".repeat(65)}`, "invalid_identifier"],
    ["urn:agent-owner:Example.com:7Qm0Zs6Yw1", "invalid_identifier"],
    ["urn:agent-owner:example.com.:7Qm0Zs6Yw1", "invalid_identifier"],
    ["URN:agent-owner:example.com:7Qm0Zs6Yw1", "invalid_identifier"],
    ["urn:agent-owner:example.com:7Qm0Zs6Y%31", "invalid_identifier"],
    ["spiffe://example.com/owner", "invalid_identifier"],
    ["mail@example.com", "invalid_identifier"],
    [undefined, "invalid_identifier"],
  ])("%j → %s", async (text, code) => {
    expect(await outcomeOf(() => parseOwnerId(text))).toBe(code);
  });

  test("tell their parts", () => {
    expect(parseOwnerId("urn:agent-owner:example.com:7Qm0Zs6Yw1")).toMatchObject({
      trustDomain: "example.com",
      opaque: "7Qm0Zs6Yw1",
    });
  });
});

test("a rule below a root covers the root and whole segments under it, in its origin", () => {
  const root = parseWorkloadId("spiffe://td.example/a/b");
  const covers = (text: string): boolean =>
    matchesPolicy({ match: "below", root }, parseWorkloadId(text));
  expect(covers("spiffe://td.example/a/b")).toBe(true);
  expect(covers("spiffe://td.example/a/b/c")).toBe(true);
  expect(covers("spiffe://td.example/a/bc")).toBe(false);
  expect(covers("spiffe://td.example/a")).toBe(false);
  expect(covers("wimse://td.example/a/b/c")).toBe(false);
});
