import { describe, expect, it } from "vitest";
import { isBetter, tierOf, tierOfVector, TIERS, worstTier } from "./ar4si.ts";

describe("AR4SI tiers", () => {
  it.each([
    [0, "none"],
    [1, "none"],
    [-1, "none"],
    [2, "affirming"],
    [31, "affirming"],
    [-2, "affirming"],
    [-32, "affirming"],
    [32, "warning"],
    [95, "warning"],
    [-33, "warning"],
    [-96, "warning"],
    [96, "contraindicated"],
    [127, "contraindicated"],
    [-97, "contraindicated"],
    [-128, "contraindicated"],
  ])("puts %i into %s", (value, tier) => {
    expect(tierOf(value)).toBe(tier);
  });

  it("orders affirming before none, warning and contraindicated", () => {
    const order = ["affirming", "none", "warning", "contraindicated"] as const;
    for (const [i, a] of order.entries())
      for (const [j, b] of order.entries()) expect(isBetter(a, b)).toBe(i < j);
    expect(worstTier(TIERS)).toBe("contraindicated");
    expect(worstTier([])).toBe("none");
  });

  it("takes 0 for an absent claim and -1 for no affirmation", () => {
    expect(tierOfVector({ executables: 2, hardware: 0 })).toBe("affirming");
    expect(tierOfVector({ executables: 2, hardware: -1 })).toBe("none");
    expect(tierOfVector({ executables: 33, hardware: 2 })).toBe("warning");
    expect(tierOfVector({})).toBe("none");
  });
});
