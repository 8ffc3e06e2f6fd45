import { Members, readBundle } from "@countersign/core";
import type { Bundle, JsonObject, Seconds } from "@countersign/core";

// What the proxy says (DESIGN 11). Its answers are open: members that are not known here are passed over.

/** A credential in both forms. No key: that stays with the proxy. */
export interface Credential {
  /** The agent's id: `spiffe://example.org/agent/mailer/0011223344556677`. */
  readonly id: string;
  /** Workload Identity Token; worthless without a proof. */
  readonly wit: string;
  /** Workload Identity Certificate: PEM, leaf first. */
  readonly wic: readonly string[];
  readonly expiresAt: Seconds;
}

/** The owner is asked. */
export interface Waiting {
  /** Shown to the owner too: `9DD6X-2QK7M`. */
  readonly code: string;
  readonly deadline: Seconds;
  /** What a person may do, in words. */
  readonly next: string;
}

/** Proof of possession for one address, good for seconds and one use. */
export interface Proof {
  /** Value of `Workload-Identity-Token`. */
  readonly wit: string;
  /** Follows `Authorization: WPT `. */
  readonly wpt: string;
  /** Value of `Agent-Owner-Evidence`, if it was asked for. */
  readonly evidence?: string;
  readonly expiresAt: Seconds;
}

export interface AgentStatus {
  /** Registration entry that the socket belongs to. */
  readonly entry: string;
  readonly state: "none" | "waiting" | "held" | "halted";
  readonly agent?: string;
  readonly expiresAt?: Seconds;
  readonly waiting?: Waiting;
  /** Why it was stopped or refused. */
  readonly reason?: string;
}

export interface Halted {
  readonly reason: string;
  readonly next: string;
}

const CODE = "unreachable"; // nobody there who speaks this interface
const MAX_TOKEN_CHARACTERS = 8192;
const MAX_CERTIFICATE_CHARACTERS = 32_768;

/** @throws Refusal `unreachable` */
export function readCredential(value: JsonObject): Credential {
  const m = new Members(value, CODE, "credential");
  return {
    id: m.text("id"),
    wit: m.text("wit", { maxLength: MAX_TOKEN_CHARACTERS }),
    wic: m.list(
      "wic",
      (item) =>
        typeof item === "string" && item.length <= MAX_CERTIFICATE_CHARACTERS
          ? item
          : m.fail("wic", "holds something else"),
      4,
    ),
    expiresAt: m.integer("expires_at"),
  };
}

/** A credential for a key of the agent's own. */
export interface OwnCredential extends Credential {
  readonly bundle: Bundle;
  /** Whether the approval was for this one credential: the owner is asked for a next one. */
  readonly isSingle: boolean;
}

/** @throws Refusal `unreachable`, and as `readBundle` */
export function readOwnCredential(value: JsonObject): OwnCredential {
  const m = new Members(value, CODE, "credential");
  return {
    ...readCredential(value),
    bundle: readBundle(m.object("bundle").whole()),
    isSingle: m.flag("single"),
  };
}

/** What an R is made from. */
export interface Terms {
  readonly aud: string;
  readonly nonce: string;
  readonly now: Seconds;
  readonly sub: string;
  readonly anchor: string;
}

/** @throws Refusal `unreachable` */
export function readTerms(value: JsonObject): Terms {
  const m = new Members(value, CODE, "terms");
  return {
    aud: m.text("aud"),
    nonce: m.text("nonce", { maxLength: 128 }),
    now: m.integer("now"),
    sub: m.text("sub"),
    anchor: m.thumbprint("anchor"),
  };
}

function waitingOf(m: Members): Waiting {
  return {
    code: m.text("code", { maxLength: 16 }),
    deadline: m.integer("deadline"),
    next: m.text("next"),
  };
}

/** @throws Refusal `unreachable` */
export function readWaiting(value: JsonObject): Waiting {
  return waitingOf(new Members(value, CODE, "waiting"));
}

/** @throws Refusal `unreachable` */
export function readProof(value: JsonObject): Proof {
  const m = new Members(value, CODE, "proof");
  const evidence = m.optional("evidence", (name) => m.text(name, { maxLength: 8192 }));
  return {
    wit: m.text("wit", { maxLength: MAX_TOKEN_CHARACTERS }),
    wpt: m.text("wpt", { maxLength: 4096 }),
    ...(evidence === undefined ? {} : { evidence }),
    expiresAt: m.integer("expires_at"),
  };
}

/** @throws Refusal `unreachable` */
export function readHalted(value: JsonObject): Halted {
  const m = new Members(value, CODE, "halted");
  return { reason: m.text("reason"), next: m.text("next") };
}

/** @throws Refusal `unreachable` */
export function readStatus(value: JsonObject): AgentStatus {
  const m = new Members(value, CODE, "status");
  const agent = m.optional("agent", (name) => m.text(name));
  const expiresAt = m.optional("expires_at", (name) => m.integer(name));
  const waiting = m.optional("waiting", (name) => waitingOf(m.object(name)));
  const reason = m.optional("reason", (name) => m.text(name));
  return {
    entry: m.text("entry"),
    state: m.choice("state", ["none", "waiting", "held", "halted"] as const),
    ...(agent === undefined ? {} : { agent }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(reason === undefined ? {} : { reason }),
  };
}
