import type { Digest, Seconds } from "../crypto.ts";
import { readAppraisalResult } from "../evidence/ear.ts";
import type { AppraisalResult } from "../evidence/ear.ts";
import { Members } from "../json/read.ts";
import type { JsonObject } from "../json/strict.ts";

/** The record behind a `credential.issued` leaf, members named as on the wire. Never holds a token or a key. */
export interface IssueRecord {
  readonly v: 1;
  readonly agent: string;
  readonly entry: string;
  /** `owner`, `cs` and `n` are there together, or not at all for a credential without an owner. */
  readonly owner?: string;
  /** Digest of the statement. */
  readonly cs?: Digest;
  /** Which issue under the grant, from 1. */
  readonly n?: number;
  readonly jti: string;
  /** Digest of the octets of R, and of E. */
  readonly req: Digest;
  readonly evidence: Digest;
  /** The proxy and the bare thumbprint of the key that signed E. */
  readonly proxy: { readonly id: string; readonly jkt: string };
  readonly appraisal: { readonly host: AppraisalResult; readonly agent: AppraisalResult };
  readonly policy: { readonly decision: "issue" | "ask" | "refuse"; readonly id: string };
  readonly iat: Seconds;
  readonly nbf: Seconds;
  readonly exp: Seconds;
}

const CODE = "record_invalid";
const IDENTIFIER = /^[a-z]+:\/\/[^\s\\"]+$/;
const OWNER = /^urn:agent-owner:[a-z0-9._-]{1,255}:[A-Za-z0-9_-]{8,64}$/;
const JTI = /^[A-Za-z0-9_-]{22}$/;

function readOwner(m: Members): Pick<IssueRecord, "owner" | "cs" | "n"> {
  if (!m.has("owner") && !m.has("cs") && !m.has("n")) return {};
  return {
    owner: m.text("owner", { pattern: OWNER }),
    cs: m.digest("cs"),
    n: m.integer("n", 1),
  };
}

function readAppraisals(m: Members): IssueRecord["appraisal"] {
  const appraisal = {
    host: readAppraisalResult(m.object("host"), CODE),
    agent: readAppraisalResult(m.object("agent"), CODE),
  };
  m.end();
  return appraisal;
}

/**
 * Reads the record of an issue (closed).
 * @throws Refusal `record_invalid`
 */
export function readIssueRecord(object: JsonObject): IssueRecord {
  const m = new Members(object, CODE, "record");
  m.integer("v", 1, 1);
  const proxy = m.object("proxy");
  const policy = m.object("policy");
  const record: IssueRecord = {
    v: 1,
    agent: m.text("agent", { pattern: IDENTIFIER, maxLength: 512 }),
    entry: m.text("entry", { pattern: IDENTIFIER, maxLength: 512 }),
    ...readOwner(m),
    jti: m.text("jti", { pattern: JTI }),
    req: m.digest("req"),
    evidence: m.digest("evidence"),
    proxy: {
      id: proxy.text("id", { pattern: IDENTIFIER, maxLength: 512 }),
      jkt: proxy.thumbprint("jkt"),
    },
    appraisal: readAppraisals(m.object("appraisal")),
    policy: {
      decision: policy.choice("decision", ["issue", "ask", "refuse"] as const),
      id: policy.text("id", { maxLength: 512 }),
    },
    iat: m.integer("iat"),
    nbf: m.integer("nbf"),
    exp: m.integer("exp"),
  };
  for (const closed of [proxy, policy, m]) closed.end();
  if (record.nbf > record.iat || record.exp <= record.iat)
    m.fail("exp", "and nbf are not around iat");
  return record;
}

/**
 * The record of an issue as it is logged: read once with the code a stranger would use.
 * @throws Refusal `record_invalid`
 */
export function writeIssueRecord(record: Omit<IssueRecord, "v">): IssueRecord {
  const { owner, cs, n, appraisal, ...rest } = record;
  const bound = owner === undefined && cs === undefined && n === undefined ? {} : { owner, cs, n };
  // a type's members are the wire's; the reader checks every one of them
  return readIssueRecord({ v: 1, ...rest, ...bound, appraisal } as unknown as JsonObject);
}
