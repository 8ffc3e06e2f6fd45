import {
  decideApproval,
  draftStatement,
  fromBase64url,
  open,
  readOwnerSignature,
  readStatement,
  Refusal,
  REQUEST,
  base64url,
  STATEMENT_LIFE_ELSEWHERE_SECONDS,
  STATEMENT_LIFE_SECONDS,
  statementId,
  verifyApproval,
  writeStatement,
} from "@countersign/core";
import type {
  Ask,
  EnrolledKey,
  Grant,
  JsonObject,
  Json,
  Measurement,
  OwnerSignature,
  Statement,
} from "@countersign/core";
import type { AskRow, GrantRow, OwnerKeyRow, StatementRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { chainOf } from "./owner-chain.ts";
import { logRow } from "./record.ts";

const NONCE_BYTES = 16;

/** The measurements that were appraised when the request came in. */
export function measurementsOf(row: AskRow): readonly Measurement[] {
  const list: Json | undefined = row.facts["measurements"];
  return Array.isArray(list) ? (list as readonly Measurement[]) : []; // written by `commitAsk`
}

function askOf(row: AskRow): Ask {
  return { ...row, measurements: measurementsOf(row) };
}

/** An owner's key as core sees it. `sk-` keys carry an application; everything else here is software. */
export function enrolledOf(row: OwnerKeyRow): EnrolledKey {
  return {
    jkt: row.jkt,
    jwk: row.jwk,
    owner: row.owner,
    ownerKind: row.kind,
    isSoftware: row.app === undefined,
    basis: row.basis,
    ...(row.app === undefined ? {} : { app: row.app }),
    ...(row.removedAt === undefined ? {} : { removedAt: row.removedAt }),
    ...(row.suspendedAt === undefined ? {} : { suspended: true }),
  };
}

/** @throws Refusal `not_found` */
export async function findAsk(w: World, idOrReq: string): Promise<AskRow> {
  const row = await w.store.ask(idOrReq);
  if (row === undefined) throw new Refusal("not_found", "no such request");
  return row;
}

/** What a renderer gets: it computes code and digest itself from these octets. */
export interface OpenedRequest {
  readonly id: string;
  readonly statement: Statement;
  /** R's octets. */
  readonly request: string;
  readonly row: AskRow;
}

/**
 * The owner opens a request for one of his keys: the statement is made now, with a fresh nonce (DESIGN 6).
 * @throws Refusal `not_found`, `already_decided`, `approval_expired`, `key_not_enrolled`, `key_suspended`,
 * `hold`, `halted`, `entry_unknown`
 */
export async function openRequest(
  w: World,
  idOrReq: string,
  jkt: string,
  isElsewhere: boolean,
): Promise<OpenedRequest> {
  const now = w.clock();
  const row = await findAsk(w, idOrReq);
  if (row.state === "expired" || row.state === "superseded" || now >= row.deadline)
    throw new Refusal("approval_expired");
  if (row.state !== "asked" || row.request === undefined) throw new Refusal("already_decided");
  const key = await w.store.ownerKey(jkt);
  if (key === undefined || key.owner !== row.owner || key.removedAt !== undefined)
    throw new Refusal("key_not_enrolled");
  if (key.suspendedAt !== undefined) throw new Refusal("key_suspended");
  const { proxy, agent } = row;
  const known = await w.store.known({ proxy, agent, entry: row.entry, now });
  if (known.hold !== undefined) throw new Refusal("hold", known.hold);
  if (known.stops.length > 0) throw new Refusal("halted");
  const entry = known.entry?.body;
  if (entry === undefined) throw new Refusal("entry_unknown");
  const statement = writeStatement(
    w.c,
    draftStatement(
      askOf(row),
      entry,
      enrolledOf(key),
      {
        issuer: w.config.issuer,
        trustDomain: w.config.trustDomain,
        jti: statementId(now, w.random),
        nonce: base64url(w.random(NONCE_BYTES)),
        decision: "approve",
        lifeSeconds: isElsewhere ? STATEMENT_LIFE_ELSEWHERE_SECONDS : STATEMENT_LIFE_SECONDS,
      },
      now,
    ),
  );
  const prepared: StatementRow = {
    jti: statement.body.jti,
    req: row.req,
    ownerJkt: jkt,
    bytes: statement.bytes,
    exp: statement.body.exp,
  };
  await w.store.commit({ changes: [{ put: "statement", row: prepared }] });
  return { id: row.id, statement, request: row.request, row };
}

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

/** What the agent said, read from R, never from a copy. */
export async function noteOf(w: World, request: string): Promise<string | undefined> {
  return (await open(w.c, REQUEST, request)).claims.note;
}
