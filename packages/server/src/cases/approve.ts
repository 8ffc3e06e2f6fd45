import {
  decideApproval,
  fromBase64url,
  readOwnerSignature,
  readStatement,
  Refusal,
  verifyApproval,
} from "@countersign/core";
import type { Approval, Grant, JsonObject, Seconds } from "@countersign/core";
import type { AskRow, OwnerKeyRow } from "../store/rows.ts";
import type { Committed } from "../store/store.ts";
import type { World } from "../world.ts";
import { askedOf, askOf, findAsk } from "./asked.ts";
import { signingKeyOf } from "./attested.ts";
import { checkGrantRoom } from "./bundle.ts";
import { tellSigned } from "./habits.ts";
import { grantRowOf } from "./grant-row.ts";
import { notEnrolled } from "./not-enrolled.ts";
import { checkCertificate } from "./owner-certificate.ts";
import { moveCounters } from "./owner-counter.ts";
import { knownOf } from "./known.ts";
import { chainOf } from "./owner-chain.ts";
import { mayAnswer, signAsParty } from "./quorum.ts";
import type { Answered } from "./quorum.ts";
import { logRow } from "./record.ts";

const MAX_TRIES = 3;

/**
 * A valid signature of the owner decides, whoever posts it: grant, burnt `jti`, the key's counter and log row in one
 * commit. Where the counter moved meanwhile, all is judged anew: a copy of the key is found by whoever comes second.
 * Where it takes several owners, see `signAsParty`.
 * @throws Refusal as `decideApproval` and `verifyApproval`; `replayed` for a statement used before, `counter_regressed`
 */
export async function approve(
  w: World,
  idOrReq: string,
  posted: { readonly statement: string; readonly sig: JsonObject },
): Promise<Answered> {
  for (let attempt = 1; ; attempt += 1) {
    const done = await tryOnce(w, idOrReq, posted);
    if (done !== "moved") return done;
    if (attempt === MAX_TRIES) throw new Refusal("stale");
  }
}

async function tryOnce(
  w: World,
  idOrReq: string,
  posted: { readonly statement: string; readonly sig: JsonObject },
): Promise<Answered | "moved"> {
  const now = w.clock();
  const row = await findAsk(w, idOrReq);
  const statement = readStatement(w.c, fromBase64url(posted.statement));
  const prepared = await w.store.statement(statement.body.jti);
  if (prepared === undefined || prepared.req !== row.req)
    throw new Refusal("statement_invalid", "not a statement that was made for this request");
  const keyRow = await w.store.ownerKey(statement.body.owner.jkt);
  const { proxy, entry, agent } = row;
  const known = await w.store.known({ proxy, entry, agent, cs: statement.cs, now }); // a statement may be halted before it is approved
  if (keyRow === undefined || !mayAnswer(row, known.entry?.body, keyRow.owner))
    throw await notEnrolled(w, statement.body.owner.jkt);
  const sig = readOwnerSignature(posted.sig);
  const key = { jwk: keyRow.jwk, ...(keyRow.app === undefined ? {} : { app: keyRow.app }) };
  const approval = await verifyApproval(w.c, statement, sig, key, {
    ownerKind: keyRow.kind,
    pages: w.config.consent,
  });
  await checkCertificate(w, keyRow, statement.body.iat);
  if (known.entry?.body.parties !== undefined) return signAsParty(w, { req: row.req, approval });
  const grant = decideApproval(
    askOf(row),
    approval,
    {
      entry: known.entry?.body,
      key: await signingKeyOf(w, keyRow),
      stops: known.stops,
      digits: (await w.store.digits(row.req))?.digits,
      issuer: w.config.issuer,
    },
    now,
  );
  const committed = await commitGrant(w, { row, keyRow, approval, grant, epoch: known.epoch }, now);
  if (committed === "used") throw new Refusal("replayed", "the statement was used");
  if (committed === "conflict") return afterConflict(w, row, keyRow);
  tellSigned(w, row, keyRow, now);
  return { state: "approved", cs: grant.cs, agent: row.agent };
}

async function commitGrant(
  w: World,
  by: {
    readonly row: AskRow;
    readonly keyRow: OwnerKeyRow;
    readonly approval: Approval;
    readonly grant: Grant;
    readonly epoch: number;
  },
  now: Seconds,
): Promise<Committed | "used" | "conflict"> {
  const { row, keyRow, approval, grant, epoch } = by;
  const { statement, signature, facts } = approval;
  const { jti } = statement.body;
  const chain = await chainOf(w, keyRow);
  const granted = grantRowOf(row, grant, statement, signature, keyRow, chain);
  await checkGrantRoom(w, granted);
  const moved = await moveCounters(w, [{ row: keyRow, facts }], { jti, cs: grant.cs });
  if (typeof moved === "string") return moved;
  return w.store.commit({
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
      { put: "grant", row: granted },
      {
        set: "ask",
        req: row.req,
        fields: { state: "approved", decidedAt: now, decidedBy: keyRow.jkt, cs: grant.cs },
      },
      ...moved.changes,
    ],
    once: [{ kind: "jti", value: jti, until: Number.MAX_SAFE_INTEGER }],
    expect: { epoch, ask: { req: row.req, state: "asked" }, ownerKeys: moved.ownerKeys },
    issues: true,
  });
}

/** @returns "moved" where another signature of this key came first @throws Refusal `already_decided`, `stale` */
async function afterConflict(
  w: World,
  { req }: AskRow,
  { jkt, counter }: OwnerKeyRow,
): Promise<"moved"> {
  if ((await findAsk(w, req)).state !== "asked") throw new Refusal("already_decided");
  if ((await w.store.ownerKey(jkt))?.counter !== counter) return "moved";
  throw new Refusal("stale");
}

/** When the entry may ask again: at an instant, or not before the owner says so. */
export interface Denied {
  readonly againAt?: Seconds;
  readonly isBlocked: boolean;
}

/**
 * The owner, or any one of several, says no: needs no signature, and is logged (owner.md 1.6). With `isBlocking` the
 * agent does not ask again before he lets it: what is being asked at this moment is judged anew. `key` is the one in
 * whose session he says it.
 * @throws Refusal `not_found`, `already_decided`
 */
export async function deny(
  w: World,
  idOrReq: string,
  by: string,
  { isBlocking = false, key }: { readonly isBlocking?: boolean; readonly key?: string } = {},
): Promise<Denied> {
  const row = await findAsk(w, idOrReq);
  const now = w.clock();
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.denied",
      t: now,
      actor: "owner",
      record: { v: 1, ...askedOf(row), by, ...(isBlocking ? { blocked: true } : {}) },
    }),
    changes: [
      {
        set: "ask",
        req: row.req,
        fields: {
          state: "denied",
          decidedAt: now,
          ...(key === undefined ? {} : { decidedBy: key }),
        },
      },
      { drop: "ceremony", req: row.req },
      ...(isBlocking ? [{ put: "block", row: { entry: row.entry, at: now } } as const] : []),
    ],
    expect: { ask: { req: row.req, state: "asked" } },
    bumpEpoch: isBlocking,
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("already_decided");
  return deniedOf(w, row);
}

/** What the denials of its entry come to, now that a question was denied. */
export async function deniedOf(w: World, { proxy, entry, agent }: AskRow): Promise<Denied> {
  const known = knownOf(w, await w.store.known({ proxy, entry, agent, now: w.clock() }));
  return {
    ...(known.askBlockedUntil === undefined ? {} : { againAt: known.askBlockedUntil }),
    isBlocked: known.isAskBlocked === true,
  };
}
