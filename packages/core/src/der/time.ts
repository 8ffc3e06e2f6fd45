import type { Seconds } from "../crypto.ts";

/** First second of 2050: from here on RFC 5280 section 4.1.2.5 wants GeneralizedTime. */
export const GENERALIZED_FROM: Seconds = 2_524_608_000;
/** Last second of year 9999, the largest that GeneralizedTime can say. */
export const LAST_SECOND: Seconds = 253_402_300_799;

/** `YYYYMMDDHHMMSSZ` of an instant. */
export function digitsOf(at: Seconds): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
}

/** The instant that `YYYYMMDDHHMMSSZ` says, or undefined where that is no date. */
export function instantOf(digits: string): Seconds | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(digits)?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const at = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  // Date.UTC carries 31 February over to March: only a date that comes back as it was is one
  return at >= 0 && at <= LAST_SECOND && digitsOf(at) === digits ? at : undefined;
}
