import type { Bytes, Crypto, Digest, Seconds } from "../crypto.ts";
import { base64url, concat, equalBytes, utf8 } from "../bytes.ts";
import type { MeasurementName } from "../evidence/eat.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { readOnce } from "../remember.ts";
import type { CeilingEntry } from "./ceiling.ts";
import type { Parties } from "./parties.ts";
import { readBody } from "./statement-body.ts";

/** What an owner is. A person touches a key; a device or a policy engine signs by itself. */
export type OwnerKind = "person" | "device" | "policy";

/** One digest that must match at every issue. `binary` always; for an interpreter also `script` or `manifest`. */
export interface Measurement {
  readonly n: MeasurementName;
  readonly d: Digest;
}

/** Bounds within which credentials are issued without a person. Durations in seconds. */
export interface GrantBounds {
  /** `single`: `max_issue` is 1 and `exp` at most an hour after `nbf`. */
  readonly use: "single" | "standing";
  readonly nbf: Seconds;
  /** At most 30 days after `nbf`. */
  readonly exp: Seconds;
  /** Longest life of one credential, 5 … 3600. */
  readonly max_ttl: Seconds;
  readonly max_issue: number;
  readonly max_live: number;
  readonly rekey: "endorsed";
  /** Empty: the text names no limit. */
  readonly ceiling: readonly CeilingEntry[];
  /** Where it takes several owners; absent: the one who signs. */
  readonly parties?: Parties;
}

/** The template that an owner was shown; `d` is the digest of its octets, `match` the two digits, if asked. */
export interface StatementView {
  readonly tpl: string;
  readonly loc: string;
  readonly d: Digest;
  readonly match?: string;
}

/** Members of every statement (owner.md 1.4). `iat` and `exp` bound the ceremony, not the grant. */
export interface StatementCommon {
  readonly typ: "agent-consent/1";
  readonly decision: "approve" | "deny";
  /** ULID or UUIDv7; single use. */
  readonly jti: string;
  /** Issuer URL of the Identity Server. */
  readonly aud: string;
  readonly td: string;
  readonly iat: Seconds;
  readonly exp: Seconds;
  /** Base64url of 16 octets; pre-signed: the nonce of R as it is. */
  readonly nonce: string;
  readonly owner: { readonly id: string; readonly jkt: string };
}

export interface CredentialStatement extends StatementCommon {
  readonly kind: "credential";
  readonly agent: {
    readonly id: string;
    /** Thumbprint of the anchor. */
    readonly jkt: string;
    readonly meas: readonly Measurement[];
    /** Id of the only proxy that may serve it; absent: any of the trust domain. */
    readonly host?: string;
  };
  /** Digest of the octets of R. */
  readonly req: Digest;
  readonly grant: GrantBounds;
  readonly view: StatementView;
}

export interface KeyStatement extends StatementCommon {
  readonly kind: "key";
  readonly key: {
    readonly op: "add";
    readonly jkt: string;
    readonly kind: OwnerKind;
    /** Base64url of the DER SubjectPublicKeyInfo. */
    readonly spki: string;
    /** FIDO application of an `sk-` key, or RP ID of a WebAuthn credential. */
    readonly app?: string;
  };
}

declare const read: unique symbol;

/** A statement whose form holds: the octets as received, their digest, and what they say. */
export interface Statement<
  B extends CredentialStatement | KeyStatement = CredentialStatement | KeyStatement,
> {
  readonly bytes: Bytes;
  readonly cs: Digest;
  readonly body: B;
  readonly [read]: true;
}

export interface StatementOptions {
  /** The owner signed before anybody asked (agent-mediated): up to 7 days, and the nonce is R's. Default false. */
  readonly preSigned?: boolean;
}

export const MAX_STATEMENT_BYTES = 8192;
const MAX_STATEMENT_DEPTH = 8;
const SEPARATOR: Bytes = concat(utf8("agent-consent/1"), Uint8Array.of(0));

/** What WebAuthn signs for a statement: SHA-256 of the separator, a zero octet and the statement's octets. */
export function statementChallenge(c: Crypto, bytes: Bytes): Bytes {
  return c.sha256(concat(SEPARATOR, bytes));
}

/** `cs`: the same hash, as it stands in JSON. */
export function statementDigest(c: Crypto, bytes: Bytes): Digest {
  return `sha-256:${base64url(statementChallenge(c, bytes))}`;
}

/** What the rules of JSON refuse is refused as a statement. */
function within<T>(act: () => T): T {
  try {
    return act();
  } catch (problem) {
    if (problem instanceof Refusal) throw new Refusal("statement_invalid", problem.message);
    throw problem;
  }
}

function parse(bytes: Bytes): JsonObject {
  const limits = { maxBytes: MAX_STATEMENT_BYTES, maxDepth: MAX_STATEMENT_DEPTH };
  return within(() => parseJsonObject(bytes, limits));
}

/**
 * Reads a consent statement: strict JSON of at most 8 KiB and depth 8, closed at every level, its octets the
 * canonical form of what they say (owner.md 1.4, formats.md 3). Whether its view is one we can show, and whether
 * it fits a request, is for `render` and `verifyApproval`.
 * @throws Refusal `statement_invalid`
 */
export function readStatement(c: Crypto, bytes: Bytes, options: StatementOptions = {}): Statement {
  const what = options.preSigned === true ? "pre-signed statement" : "statement";
  return readOnce(c, what, bytes, () => readAnew(c, bytes, options));
}

function readAnew(c: Crypto, bytes: Bytes, options: StatementOptions): Statement {
  const json = parse(bytes);
  if (!equalBytes(canonicalBytes(json), bytes))
    throw new Refusal("statement_invalid", "the octets are not the canonical form");
  const body = readBody(c, json, options);
  return { bytes, cs: statementDigest(c, bytes), body } as Statement; // the brand exists for the compiler only
}

/**
 * Writes a statement in canonical form and reads it back as a stranger would.
 * @throws Refusal `statement_invalid`
 */
export function writeStatement<B extends CredentialStatement | KeyStatement>(
  c: Crypto,
  body: B,
  options: StatementOptions = {},
): Statement<B> {
  const bytes = within(() => canonicalBytes(body));
  return readStatement(c, bytes, options) as Statement<B>; // its kind is the one that was written
}

/** Whether the statement approves or denies a credential. */
export function isCredentialStatement(
  statement: Statement,
): statement is Statement<CredentialStatement> {
  return statement.body.kind === "credential";
}

/** Whether the statement adds a key of an owner. */
export function isKeyStatement(statement: Statement): statement is Statement<KeyStatement> {
  return statement.body.kind === "key";
}
