import type { Bytes, Random, Seconds } from "../crypto.ts";
import { concat, utf8 } from "../bytes.ts";
import { crockford } from "./code.ts";

/** How long an invitation to make a key on the console's pages is good. */
export const INVITATION_SECONDS: Seconds = 600;

const RANDOM_BYTES = 7; // fifty bits are shown of them
const CHARACTERS = 10;
const TAG = "countersign-invitation/1";

/** A fresh code of an invitation: 50 random bits, written as the code of a request is. `readCode` reads it. */
export function makeInvitationCode(random: Random): string {
  const text = crockford(random(RANDOM_BYTES), CHARACTERS);
  return `${text.slice(0, 5)}-${text.slice(5)}`;
}

/** The octets whose keyed hash is stored in place of the code (DESIGN 12). No other use of that key has this form. */
export function invitationPayload(code: string): Bytes {
  return concat(utf8(TAG), new Uint8Array([0]), utf8(code));
}
