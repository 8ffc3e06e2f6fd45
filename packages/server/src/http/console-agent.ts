import { base64url, entryId, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { isOf } from "../cases/asked.ts";
import type { OwnerSession } from "../cases/owner-sessions.ts";
import type { CredentialRow, GrantRow, StopRow } from "../store/rows.ts";
import type { World } from "../world.ts";

const MAX_GRANTS = 10;
const MAX_CREDENTIALS = 50;

function grantView(row: GrantRow): JsonObject {
  return {
    cs: row.cs,
    statement: base64url(row.statement),
    sig: row.signature,
    key: { jwk: { ...row.key.jwk }, ...(row.key.app === undefined ? {} : { app: row.key.app }) },
    model: row.model,
    assurance: row.assurance,
    issued: row.issued,
    max_issue: row.maxIssue,
    max_live: row.maxLive,
    nbf: row.nbf,
    exp: row.exp,
    ...(row.endedAt === undefined ? {} : { ended_at: row.endedAt }),
    ...(row.endedWhy === undefined ? {} : { ended_why: row.endedWhy }),
  };
}

function credentialView(row: CredentialRow): JsonObject {
  return {
    jti: row.jti,
    iat: row.iat,
    exp: row.exp,
    seq: row.seq,
    ...(row.n === undefined ? {} : { n: row.n }),
    ...(row.cs === undefined ? {} : { cs: row.cs }),
  };
}

const stopView = ({ id, scope, since, reason }: StopRow): JsonObject => ({
  id,
  scope,
  since,
  reason,
});

/**
 * One agent of the owner's: what he approved, with the octets and signatures for a browser to check, what was issued
 * under it, and how the host looked when it last asked.
 * @throws Refusal `not_found` also for another owner's
 */
export async function agentOf(
  w: World,
  { owner }: OwnerSession,
  name: string,
): Promise<JsonObject> {
  const entry = await w.store.entry(entryId(w.config.trustDomain, name));
  if (entry === undefined || entry.removedAt !== undefined || !isOf(entry.body, owner))
    throw new Refusal("not_found", "no such agent");
  const installations = await w.store.installations({ entry: entry.id });
  const agent = installations.find((row) => row.retiredAt === undefined)?.agent;
  const grants = await w.store.grants({ entry: entry.id });
  const credentials = agent === undefined ? [] : await w.store.credentials({ agent });
  const [asked] = await w.store.asks({ entry: entry.id });
  const targets = [owner, entry.id, entry.proxy, agent];
  const stops = (await w.store.stops({ inForce: true })).filter(
    ({ scope, target }) => scope === "domain" || targets.includes(target),
  );
  return {
    now: w.clock(),
    entry: entry.id,
    proxy: entry.proxy,
    ...(agent === undefined ? {} : { agent }),
    grants: grants.slice(0, MAX_GRANTS).map(grantView),
    credentials: credentials.slice(0, MAX_CREDENTIALS).map(credentialView),
    stops: stops.map(stopView),
    ...(asked === undefined
      ? {}
      : { observed_at: asked.createdAt, appraisal: asked.appraisal, facts: asked.facts }),
  };
}
