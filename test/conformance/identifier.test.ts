import { describe, expect, test } from "vitest";
import { lintIdentifier03, matchesPolicy, parseWorkloadId, verifyWit } from "@countersign/core";
import { generateSigner, nodeCrypto } from "../../packages/node/src/crypto.ts";
import { sealFor } from "./wit-of.ts";
import { outcomeOf } from "./outcome.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

type Labelled = readonly (readonly [text: string, why: string])[];

interface Canonical {
  readonly accept: readonly string[];
  readonly reject: Labelled;
  readonly equality: readonly (readonly [string, string, boolean])[];
  readonly length: { readonly max_octets_supported: number };
}

interface Loose {
  readonly accept: readonly string[];
  readonly reject: Labelled;
}

interface Counterexamples {
  readonly canonicalization: readonly { subject: string; policy: string; expect: string }[];
  readonly issuer_origin_binding: readonly {
    issuer_authorized_origins: readonly string[];
    subject: string;
    expect: string;
  }[];
  readonly hierarchical_matching: readonly {
    policy_root: string;
    subject: string;
    expect: string;
  }[];
}

describe.skipIf(!vectorsPresent)("draft-ietf-wimse-identifier, canonical form (PR #99)", () => {
  const canonical = vectorsPresent
    ? vectors<Canonical>("wimse/identifier/canonical-editor-copy.json")
    : { accept: [], reject: [], equality: [], length: { max_octets_supported: 0 } };

  test.each(canonical.accept)("W-1: 4.4 accepts %s", (text) => {
    const id = parseWorkloadId(text);
    expect(id.uri).toBe(text);
    expect(`${id.origin}/${id.segments.join("/")}`).toBe(text);
    expect(Object.isFrozen(id) && Object.isFrozen(id.segments)).toBe(true);
  });

  test.each(canonical.reject)("W-1: 4.1 consumers MUST reject %s (%s)", async (text) => {
    expect(await outcomeOf(() => parseWorkloadId(text))).toBe("invalid_identifier");
  });

  test.each(canonical.equality)("W-2: 4.3 compare the complete URI: %s, %s", (a, b, same) => {
    expect(matchesPolicy(parseWorkloadId(a), parseWorkloadId(b))).toBe(same);
  });

  test("W-3: 4.1 MUST support 2048 bytes; one more is refused", async () => {
    const longest = `wimse://example.org/${"a".repeat(canonical.length.max_octets_supported - 20)}`;
    expect(longest).toHaveLength(2048);
    expect(parseWorkloadId(longest).uri).toBe(longest);
    expect(await outcomeOf(() => parseWorkloadId(`${longest}a`))).toBe("invalid_identifier");
  });
});

describe.skipIf(!vectorsPresent)("draft-ietf-wimse-identifier-03 and SPIFFE-ID", () => {
  const loose = vectorsPresent
    ? vectors<Loose>("wimse/identifier/wimsey-identifier-03.json")
    : { accept: [], reject: [] };

  test.each(loose.reject)("W-4: refused by both: %s (%s)", async (text, code) => {
    expect(await outcomeOf(() => parseWorkloadId(text))).toBe("invalid_identifier");
    expect(lintIdentifier03(text)).toBe(code);
  });

  const strictToo = new Set([
    "spiffe://example.org/workload/api",
    "wimse://trust.example.com/service/payment",
    "spiffe://prod.trust.domain/ns/prod-01/sa/foo-service",
  ]);
  test.each(loose.accept)("W-5: -03 accepts %s; canonical form decides by itself", async (text) => {
    expect(lintIdentifier03(text)).toBe("ok");
    expect(await outcomeOf(() => parseWorkloadId(text))).toBe(
      strictToo.has(text) ? "accepted" : "invalid_identifier",
    );
  });
});

describe.skipIf(!vectorsPresent)("identifier counterexamples", () => {
  const cases = vectorsPresent
    ? vectors<Counterexamples>("wimse/counterexamples/fkautz.json")
    : { canonicalization: [], issuer_origin_binding: [], hierarchical_matching: [] };
  const allows = (expectation: string): string =>
    expectation.startsWith("ALLOW") ? "ALLOW" : "DENY";
  const decide = async (rule: () => boolean): Promise<string> => {
    let isCovered = false;
    const outcome = await outcomeOf(() => (isCovered = rule()));
    return outcome === "accepted" && isCovered ? "ALLOW" : "DENY";
  };

  test.each(cases.canonicalization)("W-7: 7.1 twin $subject", async (row) => {
    const ruling = await decide(() =>
      matchesPolicy(parseWorkloadId(row.policy), parseWorkloadId(row.subject)),
    );
    expect(ruling).toBe(allows(row.expect));
  });

  test.each(cases.issuer_origin_binding)(
    "W-8: 4.2 anchors of $issuer_authorized_origins, $subject",
    async (row) => {
      const issuer = generateSigner();
      const { octets, kid } = await sealFor(row.subject, issuer);
      const trust = new Map(
        row.issuer_authorized_origins.map((origin) => [
          origin,
          { keys: [{ kid, key: issuer.key }] },
        ]),
      );
      const outcome = await outcomeOf(() => verifyWit(nodeCrypto, octets, trust, 1000));
      expect(outcome).toBe(row.expect === "ALLOW" ? "accepted" : "unknown_trust_domain");
    },
  );

  test.each(cases.hierarchical_matching)("W-9: 7.6 $policy_root over $subject", async (row) => {
    const below = await decide(() =>
      matchesPolicy(
        { match: "below", root: parseWorkloadId(row.policy_root) },
        parseWorkloadId(row.subject),
      ),
    );
    expect(below).toBe(allows(row.expect));
    const exact = await decide(() =>
      matchesPolicy(parseWorkloadId(row.policy_root), parseWorkloadId(row.subject)),
    );
    expect(exact).toBe("DENY");
  });

  test("W-9: an origin-wide grant is a form of its own", () => {
    const subject = parseWorkloadId("wimse://trust.example/service/pay/worker");
    expect(matchesPolicy({ match: "origin", origin: "wimse://trust.example" }, subject)).toBe(true);
    expect(matchesPolicy({ match: "origin", origin: "spiffe://trust.example" }, subject)).toBe(
      false,
    );
  });
});

describe("identifiers, own rows", () => {
  test.each(["https://example.org/x", "urn:example:x", "SPIFFE://example.org/x", ""])(
    "W-6: other schemes are refused: %j",
    async (text) => {
      expect(await outcomeOf(() => parseWorkloadId(text))).toBe("invalid_identifier");
    },
  );
});
