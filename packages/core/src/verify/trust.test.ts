import { describe, expect, it } from "vitest";
import { base64 } from "../bytes.ts";
import { isObject, parseJsonObject } from "../json/strict.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { pemEncode } from "../x509/pem.ts";
import { trustFileOf } from "./request.testing.ts";
import { makeStory, NOW } from "./story.testing.ts";
import { readTrust } from "./trust.ts";

const story = await makeStory();
const plain = parseJsonObject(trustFileOf(story), { maxBytes: 65_536, maxDepth: 12 });
const { vkeys = [] } = story.domain.witnesses ?? {};
const [first = ""] = vkeys;

/** The trust file with another member in its one domain. */
function fileWith(witnesses: Json, name = "witnesses"): string {
  const domains = plain["domains"];
  const [domain] = Array.isArray(domains) ? (domains as readonly JsonObject[]) : []; // as just written
  if (!isObject(domain)) throw new TypeError("the file has a domain");
  return JSON.stringify({ ...plain, domains: [{ ...domain, [name]: witnesses }] });
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

  it.each<[string, JsonObject, string]>([
    ["a person who enrols others", { kind: "person", enrols: true }, "accepted"],
    ["a person who does not", { kind: "person", enrols: false }, "accepted"],
    ["a program that does not", { kind: "policy", enrols: false }, "accepted"],
    ["a program that enrols", { kind: "policy", enrols: true }, "configuration_invalid"],
    ["a device that enrols", { kind: "device", enrols: true }, "configuration_invalid"],
    ["nobody knows who, that enrols", { enrols: true }, "configuration_invalid"],
    ["a word for it", { kind: "person", enrols: "yes" }, "configuration_invalid"],
  ])("pins %s", async (_name, pin, wanted) => {
    const pins = [{ jkt: "A".repeat(43), ...pin }];
    expect(await outcomeOf(() => readTrust(fileWith(pins, "owner_pins"), NOW))).toBe(wanted);
  });
});

describe("a relying party's trust file: attestations", () => {
  const domainWith = (change: JsonObject): string => {
    const [domain] = plain["domains"] as readonly JsonObject[]; // as just written
    return JSON.stringify({ ...plain, domains: [{ ...domain, ...change }] });
  };
  const [root = new Uint8Array(0)] = story.domain.bundle.roots;
  const pem = pemEncode("CERTIFICATE", root);

  it("names makers' roots as PEM or base64, and says which pins are attested", () => {
    const [pin] = story.domain.ownerPins;
    const file = domainWith({
      attestation_roots: [pem, base64(root)],
      owner_pins: [{ ...pin, attested: true }],
    });
    const domain = readTrust(file, NOW).get(story.domain.origin);
    expect(domain?.attestationRoots).toEqual([root, root]);
    expect(domain?.ownerPins).toEqual([{ ...pin, attested: true }]);
  });

  const bad = "configuration_invalid";
  it.each<[string, JsonObject, string]>([
    ["none", { attestation_roots: [] }, "accepted"],
    ["a text for the list", { attestation_roots: pem }, bad],
    ["a number", { attestation_roots: [7] }, bad],
    ["an empty text", { attestation_roots: [""] }, bad],
    ["base64 that is no certificate", { attestation_roots: ["AAAA"] }, bad],
    ["two certificates in one text", { attestation_roots: [pem + pem] }, bad],
    [
      "a key in place of a certificate",
      { attestation_roots: [pem.replaceAll("CERTIFICATE", "PUBLIC KEY")] },
      bad,
    ],
    ["65 roots", { attestation_roots: Array.from({ length: 65 }, () => pem) }, bad],
    [
      "a pin that is attested in words",
      { owner_pins: [{ jkt: "A".repeat(43), attested: "yes" }] },
      bad,
    ],
  ])("%s: $2", async (_name, change, wanted) => {
    expect(await outcomeOf(() => readTrust(domainWith(change), NOW))).toBe(wanted);
  });
});
