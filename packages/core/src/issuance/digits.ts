import { equalBytes, utf8 } from "../bytes.ts";
import { DIGITS } from "../consent/digits.ts";
import type { OwnerKind } from "../consent/statement.ts";
import { Refusal } from "../refusal.ts";

/** How often the digits may be typed wrong: the last time denies the request (owner.md 1.7). */
export const MAX_WRONG_DIGITS = 2;

/** The digits of a question, which the terminal of its run shows, and how often others were typed. */
export interface KnownDigits {
  readonly digits: string;
  readonly failures: number;
}

/** Who is about to sign: by one key, or by one of several that a statement lists. */
export interface DigitsSigner {
  readonly ownerKind: OwnerKind;
}

/** What becomes of a question that its owner opens. */
export type DigitsRuling =
  /** Its statement may be made. */
  | { readonly do: "open" }
  /** The digits are asked for first. */
  | { readonly do: "ask"; readonly triesLeft: number }
  /** They were wrong, for the `failures`th time. */
  | { readonly do: "count"; readonly failures: number; readonly triesLeft: number }
  /** They were wrong for the last time: that denies it. */
  | { readonly do: "deny" };

/** How often they may still be typed. */
export const triesLeft = ({ failures }: KnownDigits): number =>
  Math.max(0, MAX_WRONG_DIGITS - failures);

/**
 * Decides whether the statement of a question may be made for a key: where somebody sits at the terminal that asks, not
 * before the two digits that stand there were typed. Only a person's key: a machine looks at no terminal.
 * @param typed what was typed; absent: nothing yet
 * @param known absent: the question has none
 * @throws Refusal `malformed_request` for what is not two digits, or where none are asked for
 */
export function decideDigits(
  typed: string | undefined,
  known: KnownDigits | undefined,
  { ownerKind }: DigitsSigner,
): DigitsRuling {
  if (typed !== undefined && !DIGITS.test(typed))
    throw new Refusal("malformed_request", "match is not two digits");
  if (known === undefined || ownerKind !== "person") {
    if (typed === undefined) return { do: "open" };
    throw new Refusal("malformed_request", "no digits are asked for");
  }
  if (typed === undefined) return { do: "ask", triesLeft: triesLeft(known) };
  if (equalBytes(utf8(typed), utf8(known.digits))) return { do: "open" };
  const failures = known.failures + 1;
  const left = triesLeft({ digits: known.digits, failures });
  return left === 0 ? { do: "deny" } : { do: "count", failures, triesLeft: left };
}

/**
 * What a statement says in `view.match`: the digits that its signer typed. Where it lists a machine's key beside those of
 * persons it says nothing, for it is the same for all of them; each person has typed them all the same.
 */
export function matchFor(
  digits: string | undefined,
  key: DigitsSigner,
  quorum: { readonly isOfPersons: boolean } | undefined,
): string | undefined {
  const isTyped = quorum === undefined ? key.ownerKind === "person" : quorum.isOfPersons;
  return isTyped ? digits : undefined;
}
