import {
  canonicalJson,
  decideMediated,
  digestOf,
  equalBytes,
  isCredentialStatement,
  readStatement,
  Refusal,
  verifyApproval,
} from "@countersign/core";
import type {
  Approval,
  CredentialStatement,
  Digest,
  Grant,
  KnownOfMediated,
  PostedOwnerConsent,
  Statement,
} from "@countersign/core";
import type { AskRow, OwnerKeyRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { checkGrantRoom } from "./bundle.ts";
import { grantRowOf } from "./grant-row.ts";
import { askOf, findAsk } from "./asked.ts";
import { signingKeyOf } from "./attested.ts";
import { checkSpeaksFor, signsFor } from "./gateways.ts";
import { chainOf } from "./owner-chain.ts";
import { checkCertificate } from "./owner-certificate.ts";
import { moveCounters } from "./owner-counter.ts";
import { logRow } from "./record.ts";
import { logRefusal } from "./refusals.ts";

const MAX_TRIES = 3;

/** One approval while it is judged. */
interface Brought {
  /** Id of the gateway. */
  readonly gateway: string;
  readonly posted: PostedOwnerConsent;
  readonly keyRow: OwnerKeyRow;
  readonly approval: Approval;
}

/**
 * An approval that the owner's gateway has signed over the question of a proxy that it stands before (DESIGN 4,
 * owner-mediated): grant, burnt `jti`, answered question and log row in one commit. Nothing is issued: the proxy, told
 * by its state, asks again. The same octets again get the same answer, for a gateway that lost the first one.
 * @param gateway its id
 * @throws Refusal `gateway_not_allowed`, `halted` as `checkSpeaksFor`; as `decideMediated` and `verifyApproval`;
 * `not_found` where nobody asks so; `replayed` for a statement or `jti` used before; refusals are logged for the gateway
 */
export async function acceptOwnerConsent(
  w: World,
  gateway: string,
  posted: PostedOwnerConsent,
): Promise<{ readonly cs: Digest }> {
  try {
    const statement = readStatement(w.c, posted.statement);
    if (!isCredentialStatement(statement))
      throw new Refusal("approval_unsuitable", "the statement is of another kind");
    return (
      (await repeated(w, gateway, posted, statement)) ??
      (await accept(w, gateway, posted, statement))
    );
  } catch (error) {
    if (error instanceof Refusal) await logRefusal(w, gateway, error);
    throw error;
  }
}

/** What these very octets came to before. @throws Refusal `replayed`, `halted` when it was ended since */
async function repeated(
  w: World,
  gateway: string,
  posted: PostedOwnerConsent,
  { cs, body }: Statement<CredentialStatement>,
): Promise<{ readonly cs: Digest } | undefined> {
  const grant = await w.store.grant(cs);
  if (grant === undefined) return undefined;
  await checkSpeaksFor(w, gateway, grant.proxy);
  const isSame =
    grant.model === "owner" &&
    equalBytes(grant.statement, posted.statement) &&
    canonicalJson(grant.signature) === canonicalJson({ ...posted.sig }) &&
    digestOf(w.c, posted.request) === body.req;
  if (!isSame) throw new Refusal("replayed", "the statement was used");
  if (grant.endedAt !== undefined) throw new Refusal("halted", "the approval was ended");
  return { cs };
}

/** The question that the statement answers: this R. @throws Refusal `not_found`, `approval_unsuitable` */
async function questionOf(w: World, { posted, approval }: Brought): Promise<AskRow> {
  const { req } = approval.statement.body;
  if (digestOf(w.c, posted.request) !== req)
    throw new Refusal("approval_unsuitable", "another request");
  return findAsk(w, req);
}

async function accept(
  w: World,
  gateway: string,
  posted: PostedOwnerConsent,
  statement: Statement<CredentialStatement>,
): Promise<{ readonly cs: Digest }> {
  const keyRow = await w.store.ownerKey(statement.body.owner.jkt);
  if (keyRow === undefined) throw new Refusal("key_not_enrolled");
  const key = { jwk: keyRow.jwk, ...(keyRow.app === undefined ? {} : { app: keyRow.app }) };
  const approval = await verifyApproval(w.c, statement, posted.sig, key, {
    ownerKind: keyRow.kind,
    pages: w.config.consent,
  });
  await checkCertificate(w, keyRow, statement.body.iat);
  const brought = { gateway, posted, keyRow, approval };
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const committed = await tryOnce(w, brought);
    if (committed === "used")
      // the same octets may have come twice at once: then the other one's outcome is this one's
      return (await repeated(w, gateway, posted, statement)) ?? used();
    if (committed !== "conflict") return { cs: statement.cs };
  }
  return (
    (await repeated(w, gateway, posted, statement)) ??
    Promise.reject(new Refusal("indeterminate", "the state changed at each of three tries"))
  );
}

function used(): never {
  throw new Refusal("replayed", "the statement's jti was used");
}

async function knownOf(
  w: World,
  { gateway, approval, keyRow }: Brought,
  ask: AskRow,
): Promise<KnownOfMediated & { readonly epoch: number; readonly keyRow: OwnerKeyRow }> {
  const { cs, body } = approval.statement;
  const now = w.clock();
  const query = { proxy: ask.proxy, entry: ask.entry, agent: ask.agent, cs, now };
  const [rows, prepared, stops, key, former, proxy, own, signsForOwner] = await Promise.all([
    w.store.known(query),
    w.store.statement(body.jti),
    w.store.stops({ scope: "grant", target: cs }),
    w.store.ownerKey(keyRow.jkt),
    w.store.formerLogs(),
    w.store.proxy(ask.proxy),
    w.store.proxy(gateway),
    signsFor(w, gateway, ask.owner),
  ]);
  await checkSpeaksFor(w, gateway, ask.proxy); // after the epoch was read: what changes it since is a conflict
  const recoveredAt = former.at(-1)?.endedAt;
  return {
    epoch: rows.epoch,
    keyRow: key ?? keyRow, // its counter as it is now
    signsForOwner,
    entry: rows.entry?.body,
    key: key === undefined ? undefined : await signingKeyOf(w, key),
    stops: rows.stops,
    wasStopped: stops.length > 0,
    isOfServer: prepared !== undefined,
    ...(recoveredAt === undefined ? {} : { recoveredAt }),
    attesterKeys: [proxy, own].flatMap((row) => (row === undefined ? [] : [row.liveJkt])),
    issuer: w.config.issuer,
    trustDomain: w.config.trustDomain,
  };
}

async function tryOnce(w: World, brought: Brought): Promise<"conflict" | "used" | object> {
  const ask = await questionOf(w, brought);
  const known = await knownOf(w, brought, ask);
  const grant = decideMediated(askOf(ask), brought.approval, known, w.clock());
  return commitGrant(w, { ...brought, keyRow: known.keyRow }, { ask, grant, epoch: known.epoch });
}

function recordOf({ gateway, keyRow }: Brought, ask: AskRow, grant: Grant): object {
  const { grant: bounds, iat } = grant.statement;
  return {
    v: 1,
    agent: ask.agent,
    entry: ask.entry,
    owner: ask.owner,
    key: keyRow.jkt,
    cs: grant.cs,
    req: ask.req,
    assurance: grant.assurance,
    until: bounds.exp,
    model: grant.model,
    proxy: ask.proxy,
    gateway,
    signed: iat,
  };
}

async function commitGrant(
  w: World,
  brought: Brought,
  by: { readonly ask: AskRow; readonly grant: Grant; readonly epoch: number },
): Promise<"conflict" | "used" | object> {
  const { posted, keyRow, approval } = brought;
  const { ask, grant, epoch } = by;
  const { jti } = approval.statement.body;
  const now = w.clock();
  const chain = await chainOf(w, keyRow);
  const row = grantRowOf(ask, grant, approval.statement, posted.sig, keyRow, chain);
  await checkGrantRoom(w, row);
  const signed = [{ row: keyRow, facts: approval.facts }];
  const moved = await moveCounters(w, signed, { jti, cs: grant.cs });
  if (typeof moved === "string") return moved;
  return w.store.commit({
    log: logRow(w, {
      type: "approval.approved",
      t: now,
      actor: "owner",
      record: recordOf(brought, ask, grant),
    }),
    changes: [
      { put: "grant", row },
      { set: "ask", req: ask.req, fields: { state: "approved", decidedAt: now, cs: grant.cs } },
      ...moved.changes,
    ],
    once: [{ kind: "jti", value: jti, until: Number.MAX_SAFE_INTEGER }],
    expect: { epoch, ask: { req: ask.req, state: "asked" }, ownerKeys: moved.ownerKeys },
    issues: true, // a store that is behind may have forgotten that it was used, or stopped
  });
}
