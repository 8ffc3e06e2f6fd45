import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outcomeOf } from "../outcome.testing.ts";
import { credentialsOf } from "./headers.ts";
import type { HeaderLines } from "./headers.ts";

const WIT = ["Workload-Identity-Token", "a.b.c"] as const;
const AUTH = ["Authorization", "WPT d.e.f"] as const;

describe("credentials of a request", () => {
  test.each<readonly [string, HeaderLines, string]>([
    ["both", [WIT, AUTH], "accepted"],
    [
      "names in any case, white space around",
      [
        ["WORKLOAD-IDENTITY-TOKEN", " a.b.c\t"],
        ["authorization", "wPt   d.e.f "],
      ],
      "accepted",
    ],
    ["nothing", [], "wpt_missing"],
    ["no proof", [WIT], "wpt_missing"],
    ["no token", [AUTH], "wit_missing"],
    ["an empty token", [["Workload-Identity-Token", " "], AUTH], "wit_missing"],
    ["the token twice", [WIT, WIT, AUTH], "wit_repeated"],
    ["the token in a list", [["Workload-Identity-Token", "a.b.c,a.b.c"], AUTH], "wit_repeated"],
    ["a token of two parts", [["Workload-Identity-Token", "a.b"], AUTH], "malformed_token"],
    ["a token with padding", [["Workload-Identity-Token", "a.b.c="], AUTH], "malformed_token"],
    ["a token with an empty part", [["Workload-Identity-Token", "a.b."], AUTH], "malformed_token"],
    [
      "a bad token beside a bad proof",
      [
        ["Workload-Identity-Token", "a.b"],
        ["Authorization", "Bearer x"],
      ],
      "malformed_token",
    ],
    ["the proof twice", [WIT, AUTH, AUTH], "wpt_missing"],
    ["a bearer token beside the proof", [WIT, AUTH, ["Authorization", "Bearer x"]], "wpt_missing"],
    [
      "two credentials on one line",
      [WIT, ["Authorization", "WPT d.e.f, WPT d.e.f"]],
      "wpt_missing",
    ],
    ["another scheme", [WIT, ["Authorization", "DPoP d.e.f"]], "wpt_missing"],
    ["a scheme that begins like ours", [WIT, ["Authorization", "WPTX d.e.f"]], "wpt_missing"],
    ["the scheme alone", [WIT, ["Authorization", "WPT"]], "wpt_missing"],
    ["a tab in place of the space", [WIT, ["Authorization", "WPT\td.e.f"]], "wpt_missing"],
    [
      "Proxy-Authorization is untouched",
      [WIT, AUTH, ["Proxy-Authorization", "Basic x"]],
      "accepted",
    ],
  ])("%s → %#", async (_, headers, code) => {
    expect(await outcomeOf(() => credentialsOf(headers))).toBe(code);
  });

  test("are the values sent", () => {
    expect(credentialsOf([WIT, AUTH])).toEqual({ wit: "a.b.c", proof: "d.e.f" });
  });

  test("returns or refuses, whatever comes", async () => {
    const name = fc.constantFrom("Authorization", "Workload-Identity-Token", "X");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, fc.string()), { maxLength: 4 }), async (headers) => {
        await outcomeOf(() => credentialsOf(headers));
      }),
    );
  });
});
