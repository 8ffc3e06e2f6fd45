import type { Seconds } from "../crypto.ts";

/** First second of 2050: from here on RFC 5280 section 4.1.2.5 wants GeneralizedTime. */
export const GENERALIZED_FROM: Seconds = 2_524_608_000;
/** Last second of year 9999, the largest that GeneralizedTime can say. */
export const LAST_SECOND: Seconds = 253_402_300_799;

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** `YYYYMMDDHHMMSSZ` of an instant. */
export function digitsOf(at: Seconds): string {
  const date = new Date(at * 1000);
  const year = String(date.getUTCFullYear()).padStart(4, "0");
  const parts = [
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
  ];
  return `${year}${parts.map(twoDigits).join("")}${twoDigits(date.getUTCSeconds())}Z`;
}

const DIGITS = /^\d{14}Z$/;

/** The instant that `YYYYMMDDHHMMSSZ` says, or undefined where that is no date. */
export function instantOf(digits: string): Seconds | undefined {
  if (!DIGITS.test(digits)) return undefined;
  const part = (from: number, to: number): number => Number(digits.slice(from, to));
  const at =
    Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14)) /
    1000;
  // Date.UTC carries 31 February over to March: only a date that comes back as it was is one
  return at >= 0 && at <= LAST_SECOND && digitsOf(at) === digits ? at : undefined;
}
