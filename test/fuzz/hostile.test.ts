import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { drawsOf } from "./draw.ts";
import { bombs, hostile } from "./mutate.ts";
import { outcomeOf } from "./parser.ts";
import { everyParser } from "./parsers.ts";
import { makeSamples } from "./samples.ts";
import { everySigned } from "./signed.ts";
import { inputOf, unitsOf } from "./units.ts";

const samples = await makeSamples();
const parsers = everyParser(samples).map((parser) => [parser.name, parser] as const);
const signed = everySigned(samples).map((object) => [object.name, object] as const);
/** Length of large inputs where the parser's caller has bounded them, or where more takes long. */
const BOMB = 4096;
const seeds = fc.nat(2 ** 32 - 1);

describe("every parser", () => {
  it("stands once in the table", () => {
    expect(new Set(parsers.map(([name]) => name)).size).toBe(parsers.length);
  });

  it.each(parsers)("takes its sample: %s", async (_name, parser) => {
    expect(await outcomeOf(parser, parser.samples[0])).toBe("accepted");
  });

  it.each(parsers)("answers or refuses, whatever it is given: %s", async (_name, parser) => {
    const { shape } = parser;
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        await outcomeOf(parser, hostile(drawsOf(seed), shape, parser.samples));
      }),
      { numRuns: 60 },
    );
  });

  it.each(parsers)("answers or refuses octets and texts of no form: %s", async (_name, parser) => {
    const inputs =
      typeof parser.samples[0] === "string"
        ? fc.string({ unit: "binary", maxLength: 200 })
        : fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        await outcomeOf(parser, typeof input === "string" ? input : Uint8Array.from(input));
      }),
      { numRuns: 30 },
    );
  });

  it.each(parsers)(
    "answers or refuses when it is large, and refuses what is over its limit: %s",
    async (_name, parser) => {
      const {
        maxLength,
        shape,
        samples: [sample],
      } = parser;
      const large = Math.min(maxLength ?? BOMB, BOMB);
      for (const bomb of bombs(shape, sample, large)) await outcomeOf(parser, bomb);
      if (maxLength === undefined) return;
      for (const bomb of bombs(shape, sample, maxLength + 1))
        expect(await outcomeOf(parser, bomb)).not.toBe("accepted");
    },
  );
});

describe("every signed object", () => {
  it.each(signed)("is accepted as it is: %s", async (_name, { judge, input }) => {
    await judge(input);
  });

  it.each(signed)("is refused with any one octet changed: %s", async (_name, object) => {
    const units = unitsOf(object.input);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(units.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const changed = units.map((unit, i) => (i === at ? unit ^ by : unit));
          const judged = object.judge(inputOf(changed, object.input));
          await expect(judged, `octet ${at} ^ ${by}`).rejects.toBeInstanceOf(Refusal);
        },
      ),
      { numRuns: 100 },
    );
  });
});
