import {
  decideApproval,
  fromBase64url,
  readOwnerSignature,
  readStatement,
  Refusal,
  verifyApproval,
} from "@countersign/core";
import type { Grant, JsonObject, OwnerSignature, Statement } from "@countersign/core";
import type { AskRow, GrantRow, OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { askOf, enrolledOf, findAsk } from "./asked.ts";
import { chainOf } from "./owner-chain.ts";
import { logRow } from "./record.ts";

export function grantRowOf(
  row: Pick<AskRow, "entry" | "proxy">,
  grant: Grant,
  statement: Statement,
  sig: OwnerSignature,
  key: OwnerKeyRow,
  chain: GrantRow["chain"],
): GrantRow {
  const { grant: bounds, agent, owner } = grant.statement;
  return {
    cs: grant.cs,
    agent: agent.id,
    entry: row.entry,
    proxy: row.proxy,
    owner: owner.id,
    ownerJkt: owner.jkt,
    ownerKind: grant.ownerKind,
    basis: grant.basis,
    assurance: grant.assurance,
    model: grant.model,
    statement: statement.bytes,
    signature: { ...sig },
    key: { jwk: key.jwk, ...(key.app === undefined ? {} : { app: key.app }) },
    ...(chain === undefined ? {} : { chain }),
    nbf: bounds.nbf,
    exp: bounds.exp,
    use: bounds.use,
    maxIssue: bounds.max_issue,
    maxLive: bounds.max_live,
    maxTtlSeconds: bounds.max_ttl,
    issued: 0,
  };
}

/**
 * A valid signature of the owner decides, whoever posts it: grant, burnt `jti` and log row in one commit.
 * @throws Refusal as `decideApproval` and `verifyApproval`; `replayed` for a statement used before
 */
export async function approve(
  w: World,
  idOrReq: string,
  posted: { readonly statement: string; readonly sig: JsonObject },
): Promise<{ readonly cs: string; readonly agent: string }> {
  const now = w.clock();
  const row = await findAsk(w, idOrReq);
  const statement = readStatement(w.c, fromBase64url(posted.statement));
  const prepared = await w.store.statement(statement.body.jti);
  if (prepared === undefined || prepared.req !== row.req)
    throw new Refusal("statement_invalid", "not a statement that was made for this request");
  const keyRow = await w.store.ownerKey(statement.body.owner.jkt);
  if (keyRow === undefined || keyRow.owner !== row.owner) throw new Refusal("key_not_enrolled");
  const sig = readOwnerSignature(posted.sig);
  const key = { jwk: keyRow.jwk, ...(keyRow.app === undefined ? {} : { app: keyRow.app }) };
  const approval = await verifyApproval(w.c, statement, sig, key, { ownerKind: keyRow.kind });
  const { proxy, entry, agent } = row;
  const known = await w.store.known({ proxy, entry, agent, cs: statement.cs, now }); // a statement may be halted before it is approved
  const grant = decideApproval(
    askOf(row),
    approval,
    {
      entry: known.entry?.body,
      key: enrolledOf(keyRow),
      stops: known.stops,
      issuer: w.config.issuer,
    },
    now,
  );
  const chain = await chainOf(w, keyRow);
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.approved",
      t: now,
      actor: "owner",
      record: {
        v: 1,
        agent: row.agent,
        entry: row.entry,
        owner: row.owner,
        key: keyRow.jkt,
        cs: grant.cs,
        req: row.req,
        assurance: grant.assurance,
        until: grant.statement.grant.exp,
      },
    }),
    changes: [
      { put: "grant", row: grantRowOf(row, grant, statement, sig, keyRow, chain) },
      { set: "ask", req: row.req, fields: { state: "approved", decidedAt: now, cs: grant.cs } },
    ],
    once: [{ kind: "jti", value: statement.body.jti, until: Number.MAX_SAFE_INTEGER }],
    expect: { epoch: known.epoch, ask: { req: row.req, state: "asked" } },
    issues: true,
  });
  if (committed === "used") throw new Refusal("replayed", "the statement was used");
  if (committed === "conflict")
    throw new Refusal((await findAsk(w, row.req)).state === "asked" ? "stale" : "already_decided");
  return { cs: grant.cs, agent: row.agent };
}

/** The owner says no: needs no signature, and is logged (owner.md 1.6). @throws Refusal `not_found`, `already_decided` */
export async function deny(w: World, idOrReq: string, by: string): Promise<void> {
  const row = await findAsk(w, idOrReq);
  const now = w.clock();
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.denied",
      t: now,
      actor: "owner",
      record: { v: 1, agent: row.agent, entry: row.entry, owner: row.owner, req: row.req, by },
    }),
    changes: [{ set: "ask", req: row.req, fields: { state: "denied", decidedAt: now } }],
    expect: { ask: { req: row.req, state: "asked" } },
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("already_decided");
}
