import { fromUtf8, Members, parseName, Refusal, writeEntry } from "@countersign/core";
import type { JsonObject, StopScope } from "@countersign/core";
import { base64url, entryId } from "@countersign/core";
import { readJsonBody } from "@countersign/node";
import type { Handler } from "@countersign/node";
import { makeJoinToken } from "../cases/enrol.ts";
import { halt, lift } from "../cases/halt.ts";
import { putEntry, removeEntry } from "../cases/register.ts";
import type { OwnerFeed } from "../feed/owner-feed.ts";
import type { LogRow } from "../store/rows.ts";
import type { Readings } from "../metrics.ts";
import type { Webhooks } from "../notices/webhooks.ts";
import type { KeyRing } from "../signer/key-ring.ts";
import type { World } from "../world.ts";
import { gatewayToken, listGateways } from "./gateways.ts";
import { invitationRoutes } from "./enrolment.ts";
import { rotation } from "./keys.ts";
import { ownerRoutes } from "./owner.ts";
import { recoveryRoutes } from "./owner-recovery.ts";
import { stopCodeRoutes } from "./stop-codes.ts";
import { webhookRoutes } from "./webhooks.ts";
import { application, json } from "@countersign/node";
import type { Endpoint, Routes } from "@countersign/node";

const MAX_BODY_BYTES = 65_536;
const MAX_JOIN_SECONDS = 86_400;
const SCOPES: readonly StopScope[] = ["agent", "entry", "grant", "owner", "proxy", "domain"];
/** Who acted, in the log: whoever could open the socket. */
const BY = "admin socket";

type Admin = Endpoint<object>;

const body = async (request: Request): Promise<JsonObject> => readJsonBody(request, MAX_BODY_BYTES);
const query = (request: Request, name: string): string | undefined =>
  new URL(request.url).searchParams.get(name) ?? undefined;

const setHalt =
  (w: World): Admin =>
  async (request) => {
    const posted = new Members(await body(request), "malformed_request", "halt");
    const order = {
      scope: posted.choice("scope", SCOPES),
      target: posted.text("target", { maxLength: 512 }),
      reason: posted.text("reason", { maxLength: 200, minLength: 0 }),
      by: BY,
    };
    posted.end();
    const stop = await halt(w, order);
    return json({ ...stop });
  };

const joinToken =
  (w: World): Admin =>
  async (request) => {
    const posted = new Members(await body(request), "malformed_request", "join token");
    const order = {
      name: posted.text("name", { maxLength: 64 }),
      lifeSeconds:
        posted.optional("life", (name) => posted.integer(name, 1, MAX_JOIN_SECONDS)) ?? 600,
      replace: posted.optional("replace", (name) => posted.flag(name)) ?? false,
    };
    posted.end();
    return json({ token: await makeJoinToken(w, order) });
  };

function logView(row: LogRow): JsonObject {
  return {
    seq: row.seq,
    type: row.type,
    t: row.t,
    leaf: base64url(row.leaf),
    ...(row.record === undefined ? {} : { record: fromUtf8(row.record) }),
    salts: { ...row.salts },
  };
}

function sequence(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text))
    throw new Refusal("malformed_request", "not a log index");
  return Number(text);
}

async function formerLogs(w: World): Promise<Response> {
  const rows = await w.store.formerLogs();
  return json({ logs: rows.map(({ endedAt, ...row }) => ({ ...row, ended_at: endedAt })) });
}

/** Rows of the log that is written now, or with `log=NUMBER` of one that ended in a recovery. */
async function logRange(w: World, request: Request): Promise<Response> {
  const from = sequence(query(request, "from"), 0);
  const former = query(request, "log");
  if (former !== undefined && Number(former) !== w.store.logName().number) {
    const to = sequence(query(request, "to"), from + 1000);
    const ended = await w.store.formerLogRows(sequence(former, 0), from, to);
    return json({ rows: ended.map((row) => logView(row)) });
  }
  const rows = await w.store.logRows(from, sequence(query(request, "to"), from + 1000));
  return json({ rows: rows.map((row) => logView(row)), checkpoint: await w.store.checkpoint() });
}

async function logOne(w: World, seq: string | undefined): Promise<Response> {
  const row = await w.store.logRow(sequence(seq, -1));
  if (row === undefined) throw new Refusal("not_found");
  return json({ ...logView(row), proof: await w.store.proofFor(row.seq) });
}

async function status(w: World): Promise<Response> {
  const now = w.clock();
  const hold = w.store.hold();
  const proxies = await w.store.proxies();
  return json({
    now,
    trust_domain: w.config.trustDomain,
    issuer: w.config.issuer,
    api: w.config.apiUrl,
    policy: w.config.policy,
    development: w.config.isDevelopment,
    // the address where owners make their passkeys and sign
    ...(w.config.console === undefined ? {} : { console: w.config.consent.origins[0] ?? "" }),
    ...(hold === undefined ? {} : { hold }),
    keys: {
      agents_ca: { not_after: w.keys.agents.certificate.notAfter },
      infrastructure_ca: { not_after: w.keys.infrastructure.certificate.notAfter },
      wit: w.keys.wit.map((key) => ({ nbf: key.nbf, exp: key.exp })),
      log: w.keys.logVkey,
    },
    proxies: proxies
      .filter(({ id }) => parseName(id).kind === "proxy") // gateways have a list of their own
      .map((row) => ({
        id: row.id,
        state: row.state,
        not_after: row.notAfter,
        forked: row.forkedAt !== undefined,
      })),
    webhooks_disabled: (await w.store.webhooks())
      .filter((row) => row.disabledAt !== undefined)
      .map((row) => ({ id: row.id, owner: row.owner, since: row.disabledAt ?? 0 })),
    checkpoint: await w.store.checkpoint(),
  });
}

async function credentials(w: World, agent: string | undefined): Promise<Response> {
  const rows = await w.store.credentials({
    ...(agent === undefined ? {} : { agent }),
    liveAt: w.clock(),
  });
  return json({
    credentials: rows.map((row) => ({
      jti: row.jti,
      agent: row.agent,
      n: row.n ?? 0,
      iat: row.iat,
      exp: row.exp,
      seq: row.seq,
      ...(row.cs === undefined ? {} : { cs: row.cs }),
    })),
  });
}

async function grants(w: World): Promise<Response> {
  const rows = await w.store.grants({ liveAt: w.clock() });
  return json({
    grants: rows.map((row) => ({
      cs: row.cs,
      agent: row.agent,
      owner: row.owner,
      ...(row.parties === undefined ? {} : { owners: [...row.parties] }),
      nbf: row.nbf,
      exp: row.exp,
      use: row.use,
      issued: row.issued,
      max_issue: row.maxIssue,
      max_live: row.maxLive,
    })),
  });
}

/** Entry id of a name or an id. */
function entryOf(w: World, nameOrId: string): string {
  return nameOrId.startsWith("spiffe://") ? nameOrId : entryId(w.config.trustDomain, nameOrId);
}

async function listEntries(w: World): Promise<Response> {
  const rows = await w.store.entries({ removed: false });
  const installations = await w.store.installations();
  return json({
    entries: rows.map((row) => ({
      ...writeEntry(row.body),
      version: row.version,
      agents: installations
        .filter((item) => item.entry === row.id && item.retiredAt === undefined)
        .map((item) => item.agent),
    })),
  });
}

/**
 * The calls of administrators and, on the same socket, of owners. Mode 0600: who can open it, may.
 * @param feed the streams of owners
 * @param ring the key files, which a running server has
 * @param webhooks where notices are posted to
 */
export function adminApp(
  w: World,
  readings: Readings,
  feed: OwnerFeed,
  ring?: KeyRing,
  webhooks?: Webhooks,
): Handler<object> {
  const routes: Routes<object> = {
    "GET /v1/status": () => status(w),
    "GET /metrics": async () =>
      new Response(await readings.render(), {
        headers: { "content-type": "text/plain; version=0.0.4" },
      }),
    "GET /v1/entries": () => listEntries(w),
    "POST /v1/entries": async (request) => {
      const row = await putEntry(w, await body(request));
      return json({ ...writeEntry(row.body), version: row.version });
    },
    "DELETE /v1/entries/:name": async (_request, _context, { name }) => {
      await removeEntry(w, entryOf(w, name ?? ""));
      return json({ removed: true });
    },
    "POST /v1/join-tokens": joinToken(w),
    "POST /v1/gateway-tokens": gatewayToken(w),
    "GET /v1/gateways": listGateways(w),
    ...ownerRoutes(w, BY, feed),
    ...recoveryRoutes(w, BY),
    ...stopCodeRoutes(w, BY),
    ...invitationRoutes(w, BY),
    ...(webhooks === undefined ? {} : webhookRoutes(w, webhooks, BY)),
    "GET /v1/halts": async () =>
      json({ stops: (await w.store.stops({ inForce: true })).map((row) => ({ ...row })) }),
    "POST /v1/halts": setHalt(w),
    "DELETE /v1/halts/:id": async (_request, _context, { id }) => {
      await lift(w, id ?? "", BY);
      return json({ lifted: true });
    },
    "GET /v1/grants": () => grants(w),
    "GET /v1/credentials": (request) => credentials(w, query(request, "agent")),
    ...(ring === undefined ? {} : { "POST /v1/keys/rotate": rotation(w, ring) }),
    "GET /v1/former-logs": () => formerLogs(w),
    "GET /v1/log": (request) => logRange(w, request),
    "GET /v1/log/:seq": (_request, _context, { seq }) => logOne(w, seq),
  };
  return application(routes, w.log);
}
