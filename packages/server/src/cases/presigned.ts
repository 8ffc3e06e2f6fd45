import {
  canonicalJson,
  decidePresigned,
  equalBytes,
  isCredentialStatement,
  open,
  readStatement,
  Refusal,
  REQUEST,
  verifyApproval,
} from "@countersign/core";
import type {
  CredentialStatement,
  Digest,
  Grant,
  PostedConsent,
  PresignedConsent,
  Statement,
} from "@countersign/core";
import type { AskRow, OwnerKeyRow } from "../store/rows.ts";
import type { KnownRows } from "../store/store.ts";
import type { World } from "../world.ts";
import { measurementsOf } from "./asked.ts";
import { signingKeyOf } from "./attested.ts";
import { checkAnchor } from "./credential.ts";
import type { ProxyPeer } from "./credential.ts";
import { checkGrantRoom } from "./bundle.ts";
import { grantRowOf } from "./grant-row.ts";
import { checkCertificate } from "./owner-certificate.ts";
import { chainOf } from "./owner-chain.ts";
import { moveCounters } from "./owner-counter.ts";
import { logRow } from "./record.ts";
import { logRefusal } from "./refusals.ts";

const MAX_TRIES = 3;

/**
 * An approval that the owner signed on the agent's host before this server was asked (DESIGN 4, agent-mediated): R,
 * statement and signature make the grant, once; nothing is issued from that R. The same octets again get the same
 * answer, for a proxy that lost the first one.
 * @throws Refusal as `decidePresigned` and `verifyApproval`; `replayed` for a statement or `jti` used before;
 * `counter_regressed` for one whose key has signed something later since; refusals are logged for the calling proxy
 */
export async function acceptPresigned(
  w: World,
  peer: ProxyPeer,
  posted: PostedConsent,
): Promise<{ readonly cs: Digest }> {
  try {
    const statement = readStatement(w.c, posted.statement, { preSigned: true });
    if (!isCredentialStatement(statement))
      throw new Refusal("approval_unsuitable", "the statement is of another kind");
    return (
      (await repeated(w, peer, posted, statement)) ?? (await accept(w, peer, posted, statement))
    );
  } catch (error) {
    if (error instanceof Refusal) await logRefusal(w, peer.id, error);
    throw error;
  }
}

/** What these very octets came to before. @throws Refusal `replayed`, `halted` when it was ended since */
async function repeated(
  w: World,
  peer: ProxyPeer,
  posted: PostedConsent,
  { cs, body }: Statement<CredentialStatement>,
): Promise<{ readonly cs: Digest } | undefined> {
  const grant = await w.store.grant(cs);
  if (grant === undefined) return undefined;
  const { digest } = await open(w.c, REQUEST, posted.request);
  const isSame =
    grant.model === "agent" &&
    grant.proxy === peer.id &&
    equalBytes(grant.statement, posted.statement) &&
    canonicalJson(grant.signature) === canonicalJson({ ...posted.sig }) &&
    digest === body.req;
  if (!isSame) throw new Refusal("replayed", "the statement was used");
  if (grant.endedAt !== undefined) throw new Refusal("halted", "the approval was ended");
  return { cs };
}

/** The key that is enrolled, and the approval verified with it. */
async function verified(
  w: World,
  posted: PostedConsent,
  statement: Statement<CredentialStatement>,
): Promise<{ readonly keyRow: OwnerKeyRow; readonly approval: PresignedConsent["approval"] }> {
  const keyRow = await w.store.ownerKey(statement.body.owner.jkt);
  if (keyRow === undefined) throw new Refusal("key_not_enrolled");
  const key = { jwk: keyRow.jwk, ...(keyRow.app === undefined ? {} : { app: keyRow.app }) };
  const approval = await verifyApproval(w.c, statement, posted.sig, key, {
    ownerKind: keyRow.kind,
    pages: w.config.consent,
  });
  await checkCertificate(w, keyRow, statement.body.iat);
  return { keyRow, approval };
}

async function accept(
  w: World,
  peer: ProxyPeer,
  posted: PostedConsent,
  statement: Statement<CredentialStatement>,
): Promise<{ readonly cs: Digest }> {
  const { keyRow, approval } = await verified(w, posted, statement);
  const request = await open(w.c, REQUEST, posted.request);
  await checkAnchor(w, request.claims.anchor, statement.body.agent.id);
  const of: PresignedConsent = { request, approval, proxy: peer.id };
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const committed = await tryOnce(w, posted, of, keyRow);
    if (committed === "used")
      // the same octets may have come twice at once: then the other one's outcome is this one's
      return (await repeated(w, peer, posted, statement)) ?? used();
    if (committed !== "conflict") return { cs: statement.cs };
  }
  return (
    (await repeated(w, peer, posted, statement)) ??
    Promise.reject(new Refusal("indeterminate", "the state changed at each of three tries"))
  );
}

function used(): never {
  throw new Refusal("replayed", "the statement's jti was used");
}

async function tryOnce(
  w: World,
  posted: PostedConsent,
  of: PresignedConsent,
  keyRow: OwnerKeyRow,
): Promise<"conflict" | "used" | object> {
  const now = w.clock();
  const { cs, body } = of.approval.statement;
  const [rows, prepared, stops, key, former] = await Promise.all([
    w.store.known({
      proxy: of.proxy,
      entry: of.request.claims.sub,
      agent: body.agent.id,
      cs,
      now,
    }),
    w.store.statement(body.jti),
    w.store.stops({ scope: "grant", target: cs }),
    w.store.ownerKey(keyRow.jkt),
    w.store.formerLogs(),
  ]);
  const recoveredAt = former.at(-1)?.endedAt;
  const grant = decidePresigned(
    of,
    {
      entry: rows.entry?.body,
      key: key === undefined ? undefined : await signingKeyOf(w, key),
      stops: rows.stops,
      wasStopped: stops.length > 0,
      isOfServer: prepared !== undefined,
      ...(recoveredAt === undefined ? {} : { recoveredAt }),
      issuer: w.config.issuer,
      trustDomain: w.config.trustDomain,
    },
    now,
  );
  // its counter as it is now: the approval may have been brought beside another one
  return commitGrant(w, posted, { of, grant, rows, keyRow: key ?? keyRow });
}

/** The open question of the same program of the same installation: this approval answers it. */
function answeredBy(grant: Grant, { openAsk }: KnownRows): AskRow | undefined {
  const { agent } = grant.statement;
  const isAnswered =
    openAsk !== undefined &&
    openAsk.agent === agent.id &&
    openAsk.owner === grant.statement.owner.id &&
    canonicalJson([...measurementsOf(openAsk)]) === canonicalJson([...agent.meas]);
  return isAnswered ? openAsk : undefined;
}

function recordOf({ request, proxy }: PresignedConsent, grant: Grant): object {
  const { agent, owner, req, iat, grant: bounds } = grant.statement;
  return {
    v: 1,
    agent: agent.id,
    entry: request.claims.sub,
    owner: owner.id,
    key: owner.jkt,
    cs: grant.cs,
    req,
    assurance: grant.assurance,
    until: bounds.exp,
    model: grant.model,
    proxy,
    signed: iat,
  };
}

async function commitGrant(
  w: World,
  posted: PostedConsent,
  by: {
    readonly of: PresignedConsent;
    readonly grant: Grant;
    readonly rows: KnownRows;
    readonly keyRow: OwnerKeyRow;
  },
): Promise<"conflict" | "used" | object> {
  const { of, grant, rows, keyRow } = by;
  const { statement, facts } = of.approval;
  const { jti } = statement.body;
  const entry = of.request.claims.sub;
  const now = w.clock();
  const ask = answeredBy(grant, rows);
  const chain = await chainOf(w, keyRow);
  const scope = { entry, proxy: of.proxy };
  const granted = grantRowOf(scope, grant, statement, posted.sig, keyRow, chain);
  await checkGrantRoom(w, granted);
  const moved = await moveCounters(w, [{ row: keyRow, facts }], { jti, cs: grant.cs });
  if (typeof moved === "string") return moved;
  return w.store.commit({
    log: logRow(w, {
      type: "approval.approved",
      t: now,
      actor: "owner",
      record: recordOf(of, grant),
    }),
    changes: [
      { put: "grant", row: granted },
      ...(ask === undefined
        ? []
        : [
            {
              set: "ask",
              req: ask.req,
              fields: { state: "approved", decidedAt: now, cs: grant.cs },
            } as const,
          ]),
      ...moved.changes,
    ],
    once: [{ kind: "jti", value: jti, until: Number.MAX_SAFE_INTEGER }],
    expect: {
      epoch: rows.epoch,
      ...(ask === undefined ? {} : { ask: { req: ask.req, state: "asked" } }),
      ownerKeys: moved.ownerKeys,
    },
    issues: true, // a store that is behind may have forgotten that it was used, or stopped
  });
}
