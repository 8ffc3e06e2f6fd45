import type { Random } from "../crypto.ts";

/** Two digits, as a statement's `view.match` and evidence's `countersign_run.digits` write them. */
export const DIGITS: RegExp = /^[0-9]{2}$/;

const COUNT = 100;
const DRAWN_BYTES = 8;

/** Two fresh digits, `00` to `99`: of 64 random bits the remainder is even to less than one part in 10^17. */
export function drawDigits(random: Random): string {
  let rest = 0;
  for (const octet of random(DRAWN_BYTES)) rest = (rest * 256 + octet) % COUNT;
  return String(rest).padStart(2, "0");
}
