import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { parseConfig, printConfig, readYamlConfig } from "./config.ts";
import type { ConfigSchema } from "./config.ts";
import { codeOf } from "./refusal.testing.ts";

interface Example {
  readonly trust_domain: string;
  readonly api_port: number;
  readonly policy: "standard" | "laptop";
  readonly is_quiet: boolean;
  readonly names: readonly string[];
  readonly note?: string;
}
const SCHEMA: ConfigSchema<Example> = {
  trust_domain: {
    type: "string",
    required: true,
    doc: "What the keys speak for",
    pattern: /^[a-z.]+$/,
  },
  api_port: { type: "integer", default: 8443, min: 1, max: 65_535, doc: "Where proxies call" },
  policy: {
    type: "string",
    default: "standard",
    choices: ["standard", "laptop"],
    doc: "How strict",
  },
  is_quiet: { type: "boolean", default: false, doc: "Whether to say less" },
  names: { type: "strings", default: [], doc: "Names of the listener" },
  note: { type: "string", doc: "For people" },
};
const least = "trust_domain: a.b\n";

describe("parseConfig", () => {
  it.each([
    ["the least", least, "ok"],
    ["all", `${least}api_port: 1\npolicy: laptop\nis_quiet: true\nnames: [a, b]\nnote: "x"`, "ok"],
    ["comments", `# x\n${least}`, "ok"],
    ["nothing", "", "trust_domain"],
    ["an unknown setting", `${least}port: 1`, "port"],
    ["a name of every object", `${least}constructor: 1`, "constructor"],
    ["a number over its bound", `${least}api_port: 65536`, "api_port"],
    ["a number below its bound", `${least}api_port: 0`, "api_port"],
    ["a fraction", `${least}api_port: 1.5`, "api_port"],
    ["a number in quotes", `${least}api_port: "1"`, "api_port"],
    ["a word that YAML 1.1 calls true", `${least}is_quiet: yes`, "is_quiet"],
    ["a choice that is none", `${least}policy: lax`, "policy"],
    ["a text of a bad form", "trust_domain: A_B", "trust_domain"],
    ["null", "trust_domain:", "trust_domain"],
    ["a list of other things", `${least}names: [1]`, "names"],
    ["a text for a list", `${least}names: a`, "names"],
    ["a setting twice", `${least}api_port: 1\napi_port: 2`, "YAML"],
    ["an alias", `${least}names: &a [x]\nnote: *a`, "alias"],
    ["a merge", `${least}<<: { api_port: 1 }`, "<<"],
    ["a tag", `${least}note: !x y`, "YAML"],
    // deep ones must not reach the parser: a stack that ends inside of a regular expression ends the process
    ["lists in lists", `${least}names: ${"[".repeat(65)}`, "nested"],
    ["maps in maps", '{"a":'.repeat(12_000), "nested"],
    ["lists in lists on a line", "- ".repeat(30_000), "nested"],
    ["lists in lists behind stray ends", "]".repeat(100) + "[".repeat(100), "nested"],
    ["brackets in a text", `${least}note: "${"[".repeat(100)}"`, "ok"],
    ["a list", "- a", "not a list of settings"],
    ["a name that is no text", `${least}1: 2`, "text"],
    ["no YAML", "{", "YAML"],
    ["two documents", `${least}---\n${least}`, "YAML"],
    ["too much", `${least}# ${"x".repeat(70_000)}`, "large"],
  ])("%s", async (_name, text, said) => {
    try {
      expect(parseConfig(text, SCHEMA).trust_domain).toBe("a.b");
      expect(said).toBe("ok");
    } catch (error) {
      expect(error).toMatchObject({ code: "configuration_invalid" });
      expect(String(error)).toContain(said);
    }
  });

  it.each([
    ["a bad value", `# x\n${least}api_port: 0\n`, "line 3, column 11: api_port is not an integer"],
    [
      "an unknown setting",
      `${least}\n  \nport: 1`,
      "line 4, column 1: port is not a known setting",
    ],
    ["an item of a list", `${least}names:\n  - a\n  - 2`, "line 4, column 5: names is not"],
    ["an item on one line", `${least}names: [a, 2]`, "line 2, column 12: names is not"],
    ["a value that is not there", `${least}api_port:\n`, "line 2, column 10: api_port is not"],
    ["a bad value behind text", "note: Łódź\ntrust_domain: A_B", "line 2, column 15: trust_domain"],
    ["a value in braces", "{ trust_domain: a.b, policy: lax }", "line 1, column 30: policy is"],
    ["a quote that is not closed", `${least}note: "x\n`, "not YAML at line 3, column 1: "],
    ["a setting twice", `${least}api_port: 1\napi_port: 2`, "not YAML at line 3, column 1: "],
    ["Windows line ends", "trust_domain: a.b\r\napi_port: no\r\n", "line 2, column 11: api_port"],
    ["nothing", "", "configuration_invalid: trust_domain is missing"],
  ])("says where %s stands", (_name, text, said) => {
    expect(() => parseConfig(text, SCHEMA)).toThrow(said);
  });

  it("fills in what was left out", () => {
    expect(parseConfig(least, SCHEMA)).toEqual({
      trust_domain: "a.b",
      api_port: 8443,
      policy: "standard",
      is_quiet: false,
      names: [],
    });
  });

  it("returns or refuses, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          parseConfig(text, SCHEMA);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
        }
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});

describe("printConfig", () => {
  it("says what each setting is", () => {
    expect(printConfig(SCHEMA, parseConfig(least, SCHEMA)).split("\n").slice(0, 6)).toEqual([
      "# What the keys speak for (required)",
      'trust_domain: "a.b"',
      "",
      "# Where proxies call (default 8443)",
      "api_port: 8443",
      "",
    ]);
  });

  it("reads back as it was", () => {
    const text = fc.string({ unit: "grapheme-ascii", maxLength: 20 });
    const values = fc.record(
      {
        trust_domain: fc.constant("a.b"),
        api_port: fc.integer({ min: 1, max: 65_535 }),
        policy: fc.constantFrom("standard" as const, "laptop" as const),
        is_quiet: fc.boolean(),
        names: fc.array(text, { maxLength: 3 }),
        note: text,
      },
      {
        requiredKeys: ["trust_domain", "api_port", "policy", "is_quiet", "names"],
        noNullPrototype: true,
      },
    );
    fc.assert(
      fc.property(values, (value) => {
        expect(parseConfig(printConfig(SCHEMA, value), SCHEMA)).toEqual(value);
      }),
      { seed: 6, numRuns: 100 },
    );
  });
});

describe("readYamlConfig", () => {
  let home = "";
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "cs-"));
    await writeFile(join(home, "good.yaml"), least);
    await writeFile(join(home, "large.yaml"), `${least}# ${"x".repeat(70_000)}`);
  });
  afterAll(() => rm(home, { recursive: true }));

  it.each([
    ["good.yaml", "ok"],
    ["large.yaml", "configuration_invalid"],
    ["none.yaml", "configuration_invalid"],
    [".", "configuration_invalid"],
  ])("%s: %s", async (name, code) => {
    expect(await codeOf(() => readYamlConfig(join(home, name), SCHEMA))).toBe(code);
  });

  it("without a file has the defaults, and misses what has none", async () => {
    expect(await codeOf(() => readYamlConfig(undefined, SCHEMA))).toBe("configuration_invalid");
  });
});
