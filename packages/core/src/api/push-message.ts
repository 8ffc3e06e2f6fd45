import { base64url, utf8 } from "../bytes.ts";
import type { Bytes, Crypto } from "../crypto.ts";
import { KEY_CHANGES } from "../issuance/notice.ts";
import type { KeyChange } from "../issuance/notice.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { Members } from "../json/read.ts";
import { parseJson } from "../json/strict.ts";

/** Octets of a push message before it is encrypted, padding included: more than the longest one has. */
export const PUSH_MESSAGE_BYTES = 320;

const KINDS = ["request", "digest", "key", "test"] as const;
const BAD = "malformed_request";
/** An entry's name, as registrations have it. */
const AGENT = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const ID = /^[A-Za-z0-9_-]{1,32}$/;
const SUBSCRIPTION_ID_BYTES = 16;

/**
 * What a push message carries to an owner's browser: that something waits, never what. The words are the browser's, so
 * that whoever could write to it could not choose them.
 */
export interface PushMessage {
  readonly kind: (typeof KINDS)[number];
  /** The same over repetitions: a later notification takes an earlier one's place. */
  readonly id: string;
  /** Of a question: the agent's name, as it is registered. */
  readonly agent?: string;
  /** Of a digest: how many questions wait. */
  readonly waiting?: number;
  /** Of a change of keys. */
  readonly change?: KeyChange;
}

/** The octets that are padded and encrypted. */
export function writePushMessage(message: PushMessage): Bytes {
  return canonicalBytes({ v: 1, ...message });
}

/** @throws Refusal `malformed_json`, `malformed_request`, `too_large` */
export function readPushMessage(octets: Bytes): PushMessage {
  const members = new Members(
    parseJson(octets, { maxBytes: PUSH_MESSAGE_BYTES, maxDepth: 2 }),
    BAD,
    "push message",
  );
  members.integer("v", 1, 1);
  const kind = members.choice("kind", KINDS);
  const id = members.text("id", { pattern: ID });
  const agent = kind === "request" ? members.text("agent", { pattern: AGENT }) : undefined;
  const waiting = kind === "digest" ? members.integer("waiting", 1, 9999) : undefined;
  const change = kind === "key" ? members.choice("change", KEY_CHANGES) : undefined;
  members.end();
  return {
    kind,
    id,
    ...(agent === undefined ? {} : { agent }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(change === undefined ? {} : { change }),
  };
}

/**
 * The name of an owner's subscription, which gives nothing of its endpoint away: a browser finds its own by it.
 * 22 base64url characters: half of SHA-256(owner ‖ 0x00 ‖ endpoint).
 */
export function pushSubscriptionId(
  c: Pick<Crypto, "sha256">,
  owner: string,
  endpoint: string,
): string {
  return base64url(c.sha256(utf8(`${owner}\0${endpoint}`)).subarray(0, SUBSCRIPTION_ID_BYTES));
}
