import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { draftStatement } from "../issuance/approve.ts";
import type { Ask, EnrolledKey } from "../issuance/approve.ts";
import {
  d,
  ENTRY,
  ISSUER,
  makeTriple,
  MEASURED,
  NONCE,
  NOW,
  OWNER,
  PROXY,
} from "../issuance/attested.testing.ts";
import type { Triple } from "../issuance/attested.testing.ts";
import { thumbprint } from "../jose/jwk.ts";
import type { JsonObject } from "../json/strict.ts";
import type { CeilingEntry } from "./ceiling.ts";
import { decideByRules } from "./policy-decision.ts";
import type { PolicyQuestion, PolicyRuling, SignedTimes } from "./policy-decision.ts";
import { readPolicyRules } from "./policy-rules.ts";
import type { PolicyRules } from "./policy-rules.ts";
import { writeStatement } from "./statement.ts";
import type { CredentialStatement, Statement } from "./statement.ts";

const hands = { key: generateSigner(), anchor: generateSigner(), proxy: generateSigner() };
export const anchor: string = thumbprint(c, hands.anchor.key);
const ownerKey = generateSigner("Ed25519");
export const KEY: EnrolledKey = {
  jkt: thumbprint(c, ownerKey.key),
  jwk: ownerKey.key,
  owner: OWNER,
  ownerKind: "policy",
  isSoftware: true,
  basis: "admin",
};
export const MAIL: CeilingEntry = {
  type: "http_api",
  locations: ["https://mail.example.com/v1"],
  actions: ["read", "send"],
  class: "reversible_write",
  max_calls: 100,
};
export const RULE: JsonObject = {
  name: "mailers",
  entries: [ENTRY.id],
  hosts: [PROXY],
  measurements: { binary: [d(1), d(9)], script: [d(2)] },
  installation_keys: [anchor],
  ceiling: [{ ...MAIL }],
  use: ["standing"],
  longest_grant_seconds: 86_400,
  max_ttl_seconds: 900,
  max_issue: 2000,
  max_live: 8,
  rate: { count: 2, window_seconds: 600 },
};
export const documentOf = (...rules: readonly JsonObject[]): JsonObject => ({
  v: 1,
  issuer: ISSUER,
  rules,
});
export const RULES: PolicyRules = readPolicyRules(documentOf(RULE));

/** The request that is answered, with words of the agent; and another one of the same installation. */
export interface Triples {
  readonly triple: Triple;
  readonly other: Triple;
}
export async function makeTriples(note = "please sign, the owner said so"): Promise<Triples> {
  return {
    triple: await makeTriple(c, hands, { request: note === "" ? {} : { note } }),
    other: await makeTriple(c, hands, { request: { nonce: "BBBBBBBBBBBBBBBBBBBBBB" } }),
  };
}

/** One thing that is otherwise than what the rule signs. */
export interface Change {
  readonly body?: Partial<CredentialStatement>;
  readonly agent?: Partial<CredentialStatement["agent"]>;
  readonly grant?: Partial<CredentialStatement["grant"]>;
  readonly rule?: JsonObject;
  /** What a newer statement holds beside what this version reads. */
  readonly newer?: (body: CredentialStatement) => object;
  readonly request?: "other";
  readonly warnings?: readonly string[];
  readonly signer?: { readonly owner?: string; readonly jkt?: string };
  readonly signed?: SignedTimes;
  readonly now?: number;
}

function statementOf({ triple }: Triples, change: Change): Statement {
  const ask: Ask = {
    req: triple.request.digest,
    entry: ENTRY.id,
    agent: triple.agent,
    anchor,
    proxy: PROXY,
    owner: OWNER,
    measurements: MEASURED,
    state: "asked",
    deadline: NOW + 3600,
  };
  const entry = { ...ENTRY, grant: { ...ENTRY.grant, ceiling: [MAIL] } };
  const parts = {
    issuer: ISSUER,
    trustDomain: "example.org",
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
    nonce: NONCE,
    decision: "approve",
    lifeSeconds: 300,
  } as const;
  const plain = draftStatement(ask, entry, KEY, parts, NOW);
  const statement = writeStatement(c, {
    ...plain,
    ...change.body,
    agent: { ...plain.agent, ...change.agent },
    grant: { ...plain.grant, ...change.grant },
  });
  if (change.newer === undefined) return statement;
  return { ...statement, body: change.newer(statement.body) } as unknown as Statement; // from a later version
}

export function questionOf(triples: Triples, change: Change): PolicyQuestion {
  return {
    statement: statementOf(triples, change),
    request: (change.request === "other" ? triples.other : triples.triple).request,
    observed: { warnings: change.warnings ?? [] },
    signer: { owner: OWNER, jkt: KEY.jkt, ...change.signer },
  };
}

export function decide(triples: Triples, change: Change): PolicyRuling {
  return decideByRules(
    c,
    change.rule === undefined ? RULES : readPolicyRules(documentOf(change.rule)),
    questionOf(triples, change),
    change.signed ?? new Map(),
    change.now ?? NOW,
  );
}

export const wordOf = (ruling: PolicyRuling): string =>
  ruling.do === "sign" ? `sign ${ruling.rule}` : ruling.reasons.map(({ code }) => code).join(" ");

export const grantOf = (change: Partial<CeilingEntry>, lacks: readonly string[] = []): Change => ({
  grant: {
    ceiling: [
      Object.fromEntries(
        Object.entries({ ...MAIL, ...change }).filter(([name]) => !lacks.includes(name)),
      ) as unknown as CeilingEntry, // one member changed or left away
    ],
  },
});
export const ruleOf = (
  change: Partial<CeilingEntry>,
  lacks: readonly string[] = [],
): JsonObject => ({
  ...RULE,
  ceiling: [
    Object.fromEntries(
      Object.entries({ ...MAIL, ...change }).filter(([name]) => !lacks.includes(name)),
    ),
  ],
});
