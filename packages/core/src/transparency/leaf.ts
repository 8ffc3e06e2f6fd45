import type { Bytes, Crypto, Digest, Seconds } from "../crypto.ts";
import { base64url, concat, equalBytes, fromBase64url, utf8 } from "../bytes.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { isHash, Members } from "../json/read.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";

const TYPES = [
  "key.enrolled",
  "key.added",
  "key.rotated",
  "key.removed",
  "key.suspended",
  "key.resumed",
  "key.known",
  "key.recovery_announced",
  "key.recovery_cancelled",
  "key.recovered",
  "owner.stop_codes_made",
  "owner.invitation_cancelled",
  "owner.push_subscribed",
  "owner.push_ended",
  "entry.added",
  "entry.changed",
  "entry.removed",
  "proxy.enrolled",
  "proxy.renewed",
  "approval.asked",
  "approval.signed",
  "approval.approved",
  "approval.denied",
  "approval.mismatched",
  "approval.expired",
  "approval.unblocked",
  "approval.announced",
  "approval.starters_changed",
  "credential.issued",
  "credential.refused",
  "halt.set",
  "halt.lifted",
  "notice.webhook_disabled",
  "policy.changed",
  "log.gap",
] as const;

/** What a leaf can say happened. Acts of an administrator are `admin.` and one word. */
export type LeafType = (typeof TYPES)[number] | `admin.${string}`;
/** Who did it; never an id. */
export type Actor = "server" | "proxy" | "owner" | "admin";

/** The public part of a log row. Holds no id, no statement digest and nothing that can be guessed. */
export interface Leaf {
  readonly v: 1;
  readonly type: LeafType;
  readonly t: Seconds;
  readonly actor: Actor;
  /** A refusal code or another single word. */
  readonly reason?: string;
  /** Bare base64url of 32 octets each: the record first, then the forms that the type has. */
  readonly commits: readonly string[];
}

/** Octets of salt in a commitment. */
export const SALT_BYTES = 16;
const MAX_LEAF_BYTES = 2048;
const MAX_RECORD_BYTES = 64 * 1024;
const ACTORS = ["server", "proxy", "owner", "admin"] as const;
const ADMIN = /^admin\.[a-z][a-z0-9_]{0,47}$/;
const REASON = /^[a-z][a-z0-9_]{0,63}$/;
const COMMIT_TAG = "countersign-commit/1";

/** Commits beside the record's; types that are not listed have none. */
const FORMS: Readonly<Partial<Record<LeafType, number>>> = {
  "credential.issued": 2, // wit, x509
  "key.added": 1, // the key statement
  "key.recovered": 1, // the same
};

/** SHA-256("countersign-commit/1" ‖ 0x00 ‖ salt ‖ payload); `salt` is 16 random octets used once. */
export function commitment(c: Crypto, salt: Bytes, payload: Bytes): Bytes {
  if (salt.length !== SALT_BYTES) throw new Refusal("record_invalid", "the salt is not 16 octets");
  return c.sha256(concat(utf8(COMMIT_TAG), new Uint8Array([0]), salt, payload));
}

/**
 * What a commit to one form of a credential covers: the statement's digest, or zeros where there is none, and the
 * form's own hash.
 * @param cs digest of the consent statement
 * @param form the WIT's octets, or the leaf certificate's DER
 */
export function formPayload(c: Crypto, cs: Digest | undefined, form: Bytes): Bytes {
  const statement = cs === undefined ? new Uint8Array(32) : fromBase64url(cs.slice(8));
  return concat(statement, c.sha256(form));
}

function isLeafType(text: string): text is LeafType {
  return TYPES.some((type) => type === text) || ADMIN.test(text);
}

function readMembers(object: JsonObject): Leaf {
  const members = new Members(object, "log_proof_invalid", "leaf");
  members.integer("v", 1, 1);
  const type = members.text("type", { maxLength: 64 });
  if (!isLeafType(type)) return members.fail("type", "is not one of this log");
  const leaf = {
    v: 1 as const,
    type,
    t: members.integer("t"),
    actor: members.choice("actor", ACTORS),
    commits: members.list(
      "commits",
      (item) => (isHash(item) ? item : members.fail("commits", "holds something else")),
      8,
    ),
  };
  const reason = members.optional("reason", (name) => members.text(name, { pattern: REASON }));
  members.end();
  if (leaf.commits.length !== 1 + (FORMS[type] ?? 0))
    members.fail("commits", "are not as many as the type has");
  if (type === "credential.issued" && leaf.actor !== "server")
    members.fail("actor", "is not the server");
  return reason === undefined ? leaf : { ...leaf, reason };
}

/**
 * Reads a log entry: a closed JSON object in JCS, at most 2 KiB.
 * @throws Refusal `log_proof_invalid`
 */
export function readLeaf(bytes: Bytes): Leaf {
  let object: JsonObject;
  try {
    object = parseJsonObject(bytes, { maxBytes: MAX_LEAF_BYTES, maxDepth: 2 });
  } catch {
    throw new Refusal("log_proof_invalid", "the leaf is not strict JSON of its size");
  }
  const leaf = readMembers(object);
  if (!equalBytes(canonicalBytes(leaf), bytes))
    throw new Refusal("log_proof_invalid", "the leaf is not canonical");
  return leaf;
}

function recordJson(bytes: Bytes): JsonObject {
  try {
    return parseJsonObject(bytes, { maxBytes: MAX_RECORD_BYTES, maxDepth: 16 });
  } catch {
    throw new Refusal("record_invalid", "the record is not strict JSON of its size");
  }
}

/** A decision to be logged. */
export interface LeafDraft {
  readonly type: LeafType;
  readonly t: Seconds;
  readonly actor: Actor;
  readonly reason?: string;
  /** Complete, and without any token or key. */
  readonly record: object;
  readonly recordSalt: Bytes;
  /** In the order that the type prescribes; each with a salt of its own. */
  readonly forms?: readonly { readonly salt: Bytes; readonly payload: Bytes }[];
}

/**
 * The octets of one log row: the leaf to be hashed into the tree, and the record that its first commit opens to.
 * Both are read again before they are given out.
 * @throws Refusal `record_invalid`, `log_proof_invalid` for drafts that do not fit
 */
export function makeLeaf(
  c: Crypto,
  draft: LeafDraft,
): { readonly leaf: Bytes; readonly record: Bytes } {
  const record = canonicalBytes(draft.record);
  recordJson(record);
  const committed = [{ salt: draft.recordSalt, payload: c.sha256(record) }, ...(draft.forms ?? [])];
  const leaf = canonicalBytes({
    v: 1,
    type: draft.type,
    t: draft.t,
    actor: draft.actor,
    reason: draft.reason,
    commits: committed.map(({ salt, payload }) => base64url(commitment(c, salt, payload))),
  });
  readLeaf(leaf);
  return { leaf, record };
}

/**
 * Whether one of the leaf's commits after the first is to this payload under this salt.
 * @param at 1 for the first form
 */
export function opensForm(
  c: Crypto,
  leaf: Leaf,
  at: number,
  opening: { readonly salt: Bytes; readonly payload: Bytes },
): boolean {
  return at > 0 && leaf.commits[at] === base64url(commitment(c, opening.salt, opening.payload));
}

/**
 * Opens a leaf's first commit: the record must be canonical and be the one that was committed to.
 * @throws Refusal `record_invalid`
 */
export function openRecord(c: Crypto, leaf: Leaf, record: Bytes, salt: Bytes): JsonObject {
  const object = recordJson(record);
  if (!equalBytes(canonicalBytes(object), record))
    throw new Refusal("record_invalid", "the record is not canonical");
  if (leaf.commits[0] !== base64url(commitment(c, salt, c.sha256(record))))
    throw new Refusal("record_invalid", "the record does not open the leaf");
  return object;
}
