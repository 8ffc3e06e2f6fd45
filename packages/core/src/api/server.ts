import type { Bytes, Digest, Seconds } from "../crypto.ts";
import { base64url, fromBase64url } from "../bytes.ts";
import { readOwnerSignature } from "../consent/owner-signature.ts";
import type { OwnerSignature } from "../consent/owner-signature.ts";
import type { ApprovalPart, Bundle } from "../credential/bundle.ts";
import {
  readApprovalPart,
  readBundle,
  writeApprovalPart,
  writeBundle,
} from "../credential/bundle.ts";
import { ISSUANCE_MODELS } from "../credential/owner-claim.ts";
import type { IssuanceModel } from "../credential/owner-claim.ts";
import { readEntry, writeEntry } from "../issuance/entry.ts";
import type { Entry } from "../issuance/entry.ts";
import type { PostedRequest } from "../issuance/attest.ts";
import type { Stop, StopScope } from "../issuance/known.ts";
import { Members } from "../json/read.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { pemDecode, pemEncode } from "../x509/pem.ts";

// The calls between proxy and server (DESIGN 11). Each shape has its reader and its writer here, so that both ends agree.

const bad = "malformed_request";

/** What the proxy has seen of the log: lets the server notice that it is behind. */
export interface Seen {
  readonly seq: number;
  readonly checkpoint: string;
}

/** `POST /v1/nonce` → in. `seen` is absent before the first answer. */
export function readNonceRequest(value: Json): { readonly seen?: Seen } {
  const members = new Members(value, bad);
  const seen = members.optional("seen", (name) => {
    const inner = members.object(name);
    const read: Seen = {
      seq: inner.integer("seq"),
      checkpoint: inner.text("checkpoint", { maxLength: 4096 }),
    };
    inner.end();
    return read;
  });
  members.end();
  return seen === undefined ? {} : { seen };
}

/** `POST /v1/beats` → in: the word of a `beat` event, by the proxy that reads that stream. */
export function readBeat(value: Json): string {
  const members = new Members(value, bad);
  const beat = members.text("beat", { pattern: /^[A-Za-z0-9_-]{22}$/ });
  members.end();
  return beat;
}

export interface NonceAnswer {
  readonly nonce: string;
  readonly now: Seconds;
  readonly expires_in: Seconds;
}
export function readNonceAnswer(value: Json): NonceAnswer {
  const members = new Members(value, bad);
  return {
    nonce: members.text("nonce", { maxLength: 128 }),
    now: members.integer("now"),
    expires_in: members.integer("expires_in"),
  };
}

/** `POST /v1/credential-requests` → in. */
export function readPostedRequest(value: Json): PostedRequest {
  const members = new Members(value, bad);
  const posted: PostedRequest = {
    request: members.text("request", { maxLength: 16_384 }),
    evidence: members.text("evidence", { maxLength: 16_384 }),
    endorsement: members.text("endorsement", { maxLength: 16_384 }),
  };
  members.end();
  return posted;
}

/** `POST /v1/presigned-consents` → in: R, the statement over it, and the owner's signature. */
export interface PostedConsent {
  readonly request: string;
  /** Octets of the statement. */
  readonly statement: Bytes;
  readonly sig: OwnerSignature;
}
export function writePresignedRequest({ request, statement, sig }: PostedConsent): JsonObject {
  return { request, statement: base64url(statement), sig: { ...sig } };
}
export function readPresignedRequest(value: Json): PostedConsent {
  const members = new Members(value, bad);
  const posted: PostedConsent = {
    request: members.text("request", { maxLength: 16_384 }),
    statement: fromBase64url(members.text("statement", { maxLength: 11_000 })),
    sig: readOwnerSignature(members.raw("sig")),
  };
  members.end();
  return posted;
}
/** 200: the grant's statement digest. */
export function readPresignedAnswer(value: Json): { readonly cs: Digest } {
  return { cs: new Members(value, bad).digest("cs") };
}

/** 200: the credential, both forms and the whole bundle. */
export interface IssuedAnswer {
  readonly wit: string;
  /** Leaf first, then issuing CAs, without the root; DER here, PEM on the wire. */
  readonly wic: readonly Bytes[];
  readonly bundle: Bundle;
  readonly jti: string;
  /** Ordinal under the grant; 0 without an owner. */
  readonly n: number;
  readonly expires_at: Seconds;
}
export function writeIssuedAnswer(answer: IssuedAnswer): JsonObject {
  return {
    ...answer,
    wic: answer.wic.map((der) => pemEncode("CERTIFICATE", der)),
    bundle: writeBundle(answer.bundle) as JsonObject,
  }; // writers make plain JSON
}
function readPem(item: Json): Bytes {
  const [der] = typeof item === "string" ? pemDecode(item, "CERTIFICATE", 1) : [];
  if (der === undefined) throw new Refusal(bad, "wic holds something that is no certificate");
  return der;
}
export function readIssuedAnswer(value: Json): IssuedAnswer {
  const members = new Members(value, bad);
  return {
    wit: members.text("wit", { maxLength: 8192 }),
    wic: members.list("wic", readPem, 4),
    bundle: readBundle(members.raw("bundle") ?? null),
    jti: members.text("jti", { maxLength: 64 }),
    n: members.integer("n"),
    expires_at: members.integer("expires_at"),
  };
}

/** 202: the owner is asked. The proxy shows the code that it computed itself, never one from here. */
export interface AskedAnswer {
  readonly state: "asked";
  readonly id: string;
  readonly deadline: Seconds;
  readonly next: string;
  readonly reasons: readonly string[];
}
export function readAskedAnswer(value: Json): AskedAnswer {
  const members = new Members(value, bad);
  return {
    state: members.choice("state", ["asked"] as const),
    id: members.text("id", { maxLength: 64 }),
    deadline: members.integer("deadline"),
    next: members.text("next", { maxLength: 2048 }),
    reasons: members.list(
      "reasons",
      (item) => (typeof item === "string" ? item : members.fail("reasons", "holds something else")),
      16,
    ),
  };
}

/** A request of this proxy that waits, or was decided without a grant. */
export interface OpenAsk {
  readonly id: string;
  readonly req: Digest;
  readonly agent: string;
  readonly state: "asked" | "approved" | "denied" | "expired" | "superseded";
  readonly deadline: Seconds;
}
/** An approval in force for an agent of this proxy. */
export interface StandingApproval {
  readonly agent: string;
  readonly cs: Digest;
  /** How it came about: one of model `agent` was signed beforehand. */
  readonly model: IssuanceModel;
  readonly approval: ApprovalPart;
}

/** `GET /v1/state`: the whole truth for one proxy; each message replaces the one before. */
export interface ProxyState {
  readonly issuer: string;
  readonly trustDomain: string;
  readonly now: Seconds;
  readonly seq: number;
  readonly checkpoint: string;
  readonly entries: readonly Entry[];
  readonly stops: readonly Stop[];
  readonly asks: readonly OpenAsk[];
  readonly approvals: readonly StandingApproval[];
  /** The trust bundle's JSON text as published. */
  readonly trustBundle: string;
  readonly development: boolean;
}

const SCOPES: readonly StopScope[] = ["agent", "entry", "grant", "owner", "proxy", "domain"];

export function writeStop(stop: Stop): JsonObject {
  return { id: stop.id, scope: stop.scope, target: stop.target, since: stop.since };
}
function readStop(value: Json): Stop {
  const members = new Members(value, bad, "stop");
  return {
    id: members.text("id"),
    scope: members.choice("scope", SCOPES),
    target: members.text("target"),
    since: members.integer("since"),
  };
}
function readAsk(value: Json): OpenAsk {
  const members = new Members(value, bad, "ask");
  return {
    id: members.text("id"),
    req: members.digest("req"),
    agent: members.text("agent"),
    state: members.choice("state", [
      "asked",
      "approved",
      "denied",
      "expired",
      "superseded",
    ] as const),
    deadline: members.integer("deadline"),
  };
}
function readStanding(value: Json): StandingApproval {
  const members = new Members(value, bad, "approval");
  return {
    agent: members.text("agent"),
    cs: members.digest("cs"),
    model: members.choice("model", ISSUANCE_MODELS),
    approval: readApprovalPart(members.raw("approval")),
  };
}

export function writeProxyState(state: ProxyState): JsonObject {
  return {
    issuer: state.issuer,
    trust_domain: state.trustDomain,
    now: state.now,
    seq: state.seq,
    checkpoint: state.checkpoint,
    entries: state.entries.map((entry) => writeEntry(entry) as JsonObject),
    stops: state.stops.map((stop) => writeStop(stop)),
    asks: state.asks.map((ask) => ({ ...ask })),
    approvals: state.approvals.map(({ agent, cs, model, approval }) => ({
      agent,
      cs,
      model,
      approval: writeApprovalPart(approval) as JsonObject,
    })),
    trust_bundle: state.trustBundle,
    development: state.development,
  };
}
/** @throws Refusal `malformed_request` */
export function readProxyState(value: Json): ProxyState {
  const members = new Members(value, bad, "state");
  return {
    issuer: members.text("issuer"),
    trustDomain: members.text("trust_domain"),
    now: members.integer("now"),
    seq: members.integer("seq"),
    checkpoint: members.text("checkpoint", { maxLength: 4096, minLength: 0 }),
    entries: members.list("entries", (item) => readEntry(item), 10_000),
    stops: members.list("stops", readStop, 10_000),
    asks: members.list("asks", readAsk, 10_000),
    approvals: members.list("approvals", readStanding, 10_000),
    trustBundle: members.text("trust_bundle", { maxLength: 1_048_576 }),
    development: members.flag("development"),
  };
}
