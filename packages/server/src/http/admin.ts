import { fromUtf8, isObject, Members, readJwk, Refusal, writeEntry } from "@countersign/core";
import type { Json, JsonObject, OwnerKind, StopScope } from "@countersign/core";
import { base64url, entryId } from "@countersign/core";
import { readJsonBody } from "@countersign/node";
import type { Handler } from "@countersign/node";
import { approve, deny, findAsk, noteOf, openRequest } from "../cases/approve.ts";
import { makeJoinToken } from "../cases/enrol.ts";
import { halt, lift } from "../cases/halt.ts";
import { addKey, findOwner, offerKey, removeKey } from "../cases/owners.ts";
import { coSignerThumbprints } from "../cases/owner-chain.ts";
import type { CoSignature } from "../cases/owner-chain.ts";
import { putEntry, removeEntry } from "../cases/register.ts";
import type { AskRow, LogRow, OwnerRow } from "../store/rows.ts";
import type { Readings } from "../metrics.ts";
import type { KeyRing } from "../signer/key-ring.ts";
import type { World } from "../world.ts";
import { rotation } from "./keys.ts";
import { application, json } from "@countersign/node";
import type { Endpoint, Routes } from "@countersign/node";

const MAX_BODY_BYTES = 65_536;
const MAX_CO_SIGNATURES = 3;
const MAX_JOIN_SECONDS = 86_400;
const KINDS: readonly OwnerKind[] = ["person", "device", "policy"];
const SCOPES: readonly StopScope[] = ["agent", "entry", "grant", "owner", "proxy", "domain"];
/** Who acted, in the log: whoever could open the socket. */
const BY = "admin socket";

type Admin = Endpoint<object>;

const body = async (request: Request): Promise<JsonObject> => readJsonBody(request, MAX_BODY_BYTES);
const query = (request: Request, name: string): string | undefined =>
  new URL(request.url).searchParams.get(name) ?? undefined;

function askView(row: AskRow): JsonObject {
  const { req, id, entry, agent, proxy, owner, reasons, expected, createdAt, deadline, state } =
    row;
  return {
    req,
    id,
    entry,
    agent,
    proxy,
    owner,
    reasons: reasons.map((reason) => ({ ...reason })),
    expected,
    created_at: createdAt,
    deadline,
    state,
  };
}

function ownerView({ id, name, kind, createdAt }: OwnerRow): JsonObject {
  return { id, name, kind, created_at: createdAt };
}

const openForOwner =
  (w: World): Admin =>
  async (request, _context, { id }) => {
    const jkt = query(request, "jkt");
    const row = await findAsk(w, id ?? "");
    const note = row.request === undefined ? undefined : await noteOf(w, row.request);
    const view = {
      ...askView(row),
      facts: row.facts,
      appraisal: row.appraisal,
      ...(note === undefined ? {} : { claimed: { note } }),
    };
    if (jkt === undefined) return json(view);
    const opened = await openRequest(w, row.req, jkt, query(request, "elsewhere") === "1");
    return json({
      ...view,
      jcs: base64url(opened.statement.bytes),
      digest: opened.statement.cs,
      request: opened.request,
    });
  };

const decide =
  (w: World): Admin =>
  async (request, _context, { id }) => {
    const posted = new Members(await body(request), "malformed_request", "decision");
    const decision = posted.choice("decision", ["approve", "deny"] as const);
    if (decision === "deny") {
      posted.end();
      await deny(w, id ?? "", BY);
      return json({ state: "denied" });
    }
    const sig = posted.raw("sig");
    const statement = posted.text("statement", { maxLength: 12_000 });
    posted.end();
    if (!isObject(sig)) throw new Refusal("malformed_request", "sig is not an object");
    return json({ state: "approved", ...(await approve(w, id ?? "", { statement, sig })) });
  };

const offer =
  (w: World): Admin =>
  async (request) => {
    const posted = new Members(await body(request), "malformed_request", "key");
    const app = posted.optional("app", (name) => posted.text(name, { maxLength: 255 }));
    const given = {
      name: posted.text("name", { maxLength: 64 }),
      kind: posted.choice("kind", KINDS),
      jwk: readJwk(posted.raw("jwk")),
      ...(app === undefined ? {} : { app }),
    };
    posted.end();
    const offered = await offerKey(w, given);
    return json({
      owner: ownerView(offered.owner),
      jcs: base64url(offered.statement.bytes),
      digest: offered.statement.cs,
    });
  };

function readCoSignature(value: Json, where: string): CoSignature {
  const members = new Members(value, "malformed_request", where);
  const sig = members.raw("sig");
  const jkt = members.thumbprint("jkt");
  members.end();
  if (!isObject(sig)) throw new Refusal("malformed_request", "sig is not an object");
  return { jkt, sig };
}

const enrolKey =
  (w: World): Admin =>
  async (request) => {
    const posted = new Members(await body(request), "malformed_request", "key");
    const sig = posted.raw("sig");
    const given = {
      statement: posted.text("statement", { maxLength: 12_000 }),
      comment: posted.text("comment", { maxLength: 200, minLength: 0 }),
      coSignatures:
        posted.optional("co_signatures", (name) =>
          posted.list(name, readCoSignature, MAX_CO_SIGNATURES),
        ) ?? [],
    };
    posted.end();
    if (!isObject(sig)) throw new Refusal("malformed_request", "sig is not an object");
    const key = await addKey(w, { ...given, sig });
    return json({
      owner: key.owner,
      jkt: key.jkt,
      jwk: { ...key.jwk },
      kind: key.kind,
      basis: key.basis,
    });
  };

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
  return json({
    now,
    trust_domain: w.config.trustDomain,
    issuer: w.config.issuer,
    api: w.config.apiUrl,
    policy: w.config.policy,
    development: w.config.isDevelopment,
    ...(hold === undefined ? {} : { hold }),
    keys: {
      agents_ca: { not_after: w.keys.agents.certificate.notAfter },
      infrastructure_ca: { not_after: w.keys.infrastructure.certificate.notAfter },
      wit: w.keys.wit.map((key) => ({ nbf: key.nbf, exp: key.exp })),
      log: w.keys.logVkey,
    },
    proxies: (await w.store.proxies()).map((row) => ({
      id: row.id,
      state: row.state,
      not_after: row.notAfter,
      forked: row.forkedAt !== undefined,
    })),
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
      nbf: row.nbf,
      exp: row.exp,
      use: row.use,
      issued: row.issued,
      max_issue: row.maxIssue,
      max_live: row.maxLive,
    })),
  });
}

async function owners(w: World): Promise<Response> {
  const rows = await w.store.owners();
  const withKeys = rows.map(async (row) => ({
    ...ownerView(row),
    keys: (await w.store.ownerKeys(row.id)).map((key) => ({
      jkt: key.jkt,
      comment: key.comment,
      basis: key.basis,
      co_signers: coSignerThumbprints(w, key),
      added_at: key.addedAt,
      software: key.app === undefined,
      jwk: key.jwk,
      ...(key.removedAt === undefined ? {} : { removed_at: key.removedAt }),
    })),
  }));
  return json({ owners: await Promise.all(withKeys) });
}

async function inbox(w: World, request: Request): Promise<Response> {
  const owner = query(request, "owner");
  const filter = owner === undefined ? {} : { owner: (await findOwner(w, owner)).id };
  const rows = await w.store.asks(
    query(request, "all") === "1" ? filter : { ...filter, state: "asked" },
  );
  return json({ requests: rows.map((row) => askView(row)) });
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
 * @param ring the key files, which a running server has
 */
export function adminApp(w: World, readings: Readings, ring?: KeyRing): Handler<object> {
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
    "GET /v1/owners": () => owners(w),
    "POST /v1/owner/keys/options": offer(w),
    "POST /v1/owner/keys": enrolKey(w),
    "DELETE /v1/owner/keys/:jkt": async (_request, _context, { jkt }) => {
      await removeKey(w, jkt ?? "", BY);
      return json({ removed: true });
    },
    "GET /v1/owner/requests": (request) => inbox(w, request),
    "GET /v1/owner/requests/:id": openForOwner(w),
    "POST /v1/owner/requests/:id/decision": decide(w),
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
