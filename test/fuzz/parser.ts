import { parseJson, Refusal } from "@countersign/core";
import type { Crypto, Json } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import type { Shape } from "./mutate.ts";
import type { Input } from "./units.ts";

/** One parser: whatever it is given, it answers or throws a Refusal. */
export interface Parser {
  readonly name: string;
  readonly shape: Shape;
  /** Inputs that it takes. */
  readonly samples: readonly [Input, ...Input[]];
  /** Longest input, in octets or characters; what is longer must be refused. Absent: the caller has bounded it. */
  readonly maxLength?: number;
  readonly parse: (input: Input) => unknown;
}

/** Takes every signature, so that what stands behind one is reached too. */
export const credulous: Crypto = { ...nodeCrypto, verify: () => Promise.resolve(true) };

type Samples<I extends Input> = readonly [I, ...I[]];

/** A parser of texts. */
export function ofText(
  name: string,
  shape: Shape,
  samples: Samples<string>,
  parse: (text: string) => unknown,
  maxLength?: number,
): Parser {
  return {
    name,
    shape,
    samples,
    parse: (input) => parse(typeof input === "string" ? input : Buffer.from(input).toString()),
    ...(maxLength === undefined ? {} : { maxLength }),
  };
}

/** A parser of octets. */
export function ofOctets(
  name: string,
  shape: Shape,
  samples: Samples<Uint8Array>,
  parse: (octets: Uint8Array) => unknown,
  maxLength?: number,
): Parser {
  return {
    name,
    shape,
    samples,
    parse: (input) => parse(typeof input === "string" ? Buffer.from(input) : input),
    ...(maxLength === undefined ? {} : { maxLength }),
  };
}

const LOOSE = { maxBytes: 262_144, maxDepth: 64, nullAllowed: true, fractionsAllowed: true };

/** A reader of values that were parsed before, with whatever our JSON lets through anywhere. */
export function ofJson(
  name: string,
  samples: readonly [object, ...object[]],
  read: (value: Json) => unknown,
): Parser {
  const [first, ...more] = samples.map((value) => JSON.stringify(value));
  if (first === undefined) throw new TypeError("a parser has a sample");
  return ofText(name, "json", [first, ...more], (text) => read(parseJson(text, LOOSE)));
}

/** `accepted`, or the code and reason of the refusal. Any other throw passes: it is a bug. */
export async function outcomeOf(parser: Parser, input: Input): Promise<string> {
  try {
    await parser.parse(input);
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
}
