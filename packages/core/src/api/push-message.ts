import type { Bytes } from "../crypto.ts";
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
const CHANGE = /^[a-z_]{1,32}$/;

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
  /** Of a change of keys: what happened, as the log has it behind `key.` */
  readonly change?: string;
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
  const change = kind === "key" ? members.text("change", { pattern: CHANGE }) : undefined;
  members.end();
  return {
    kind,
    id,
    ...(agent === undefined ? {} : { agent }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(change === undefined ? {} : { change }),
  };
}
