import { beforeAll, describe, expect, it } from "vitest";
import {
  documentOf,
  makeTriples,
  questionOf,
  RULE,
} from "../../packages/core/src/consent/policy.testing.ts";
import { NOW } from "../../packages/core/src/issuance/attested.testing.ts";
import { readPolicyRules, Refusal } from "../../packages/core/src/index.ts";
import type { PolicyQuestion, SignedTimes } from "../../packages/core/src/index.ts";
import { RuleBook } from "../../packages/gateway/src/signing/rules.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";

const RULES = readPolicyRules(documentOf({ ...RULE, rate: { count: 2, window_seconds: 60 } }));

describe("the rules of a gateway", () => {
  let asked: PolicyQuestion;
  beforeAll(async () => {
    asked = questionOf(await makeTriples(), {});
  });

  it("many at once make no more signatures than the rate allows, and each is kept before it is made", async () => {
    const kept: SignedTimes[] = [];
    const book = new RuleBook(RULES, new Map(), (times) => {
      kept.push(times);
      return Promise.resolve();
    });
    const rulings = await Promise.all(Array.from({ length: 10 }, () => book.decide(c, asked, NOW)));
    expect(rulings.filter((ruling) => ruling.do === "sign")).toHaveLength(2);
    expect(kept.map((times) => times.get("mailers"))).toEqual([[NOW], [NOW, NOW]]);
    expect((await book.decide(c, asked, NOW + 60)).do).toBe("sign");
  });

  it("goes on from what was kept", async () => {
    const book = new RuleBook(RULES, new Map([["mailers", [NOW, NOW]]]), () => Promise.resolve());
    expect((await book.decide(c, asked, NOW)).do).toBe("leave");
  });

  it("signs nothing that could not be counted, and counts nothing that was not signed", async () => {
    let isFull = true;
    const book = new RuleBook(RULES, new Map(), () =>
      isFull ? Promise.reject(new Refusal("indeterminate", "the disk")) : Promise.resolve(),
    );
    for (let i = 0; i < 3; i += 1)
      await expect(book.decide(c, asked, NOW)).rejects.toThrow("indeterminate");
    isFull = false;
    expect((await book.decide(c, asked, NOW)).do).toBe("sign");
    expect((await book.decide(c, asked, NOW)).do).toBe("sign");
    expect((await book.decide(c, asked, NOW)).do).toBe("leave");
  });
});
