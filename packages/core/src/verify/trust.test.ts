import { describe, expect, it } from "vitest";
import { isObject, parseJsonObject } from "../json/strict.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { trustFileOf } from "./request.testing.ts";
import { makeStory, NOW } from "./story.testing.ts";
import { readTrust } from "./trust.ts";

const story = await makeStory();
const plain = parseJsonObject(trustFileOf(story), { maxBytes: 65_536, maxDepth: 12 });
const { vkeys = [] } = story.domain.witnesses ?? {};
const [first = ""] = vkeys;

/** The trust file with another member `witnesses` in its one domain. */
function fileWith(witnesses: Json): string {
  const domains = plain["domains"];
  const [domain] = Array.isArray(domains) ? (domains as readonly JsonObject[]) : []; // as just written
  if (!isObject(domain)) throw new TypeError("the file has a domain");
  return JSON.stringify({ ...plain, domains: [{ ...domain, witnesses }] });
}

describe("a relying party's trust file", () => {
  it("says which witnesses count, and how many it takes", () => {
    expect(readTrust(trustFileOf(story), NOW).get(story.domain.origin)?.witnesses).toEqual(
      story.domain.witnesses,
    );
  });

  it.each<[string, Json, string]>([
    ["all of them", { vkeys: [...vkeys], threshold: 3 }, "accepted"],
    ["one of them", { vkeys: [...vkeys], threshold: 1 }, "accepted"],
    ["none of them", { vkeys: [...vkeys], threshold: 0 }, "configuration_invalid"],
    ["more than there are", { vkeys: [...vkeys], threshold: 4 }, "configuration_invalid"],
    ["no witness", { vkeys: [], threshold: 1 }, "configuration_invalid"],
    ["no threshold", { vkeys: [...vkeys] }, "configuration_invalid"],
    ["a word for a key", { vkeys: ["witness"], threshold: 1 }, "configuration_invalid"],
    ["a number for a key", { vkeys: [7], threshold: 1 }, "configuration_invalid"],
    ["one twice", { vkeys: [first, first], threshold: 1 }, "configuration_invalid"],
    [
      "one under two names",
      { vkeys: [first, `other${first.slice(first.indexOf("+"))}`], threshold: 1 },
      "configuration_invalid",
    ],
    ["a member too many", { vkeys: [...vkeys], threshold: 1, all: true }, "configuration_invalid"],
    ["a list in place of an object", [...vkeys], "configuration_invalid"],
  ])("demands %s: %s", async (_name, witnesses, wanted) => {
    expect(await outcomeOf(() => readTrust(fileWith(witnesses), NOW))).toBe(wanted);
  });
});
