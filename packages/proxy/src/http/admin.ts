import {
  fromBase64url,
  Members,
  readJwk,
  readOwnerSignature,
  Refusal,
  requestCode,
  writeEntry,
} from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { application, json, readJsonBody } from "@countersign/node";
import type { Handler } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import type { Session } from "../agents/session.ts";
import type { Kept } from "../presigned/files.ts";
import { lastState } from "../presigned/material.ts";
import type { Presigned, SignedConsent } from "../presigned/presigned.ts";
import type { ProxyWorld } from "../world.ts";
import type { FixedDoors } from "../doors/fixed.ts";
import type { OpenRuns } from "./run.ts";

function sessionView(session: Session): JsonObject {
  const { held, waiting, refusal } = session;
  const state = held === undefined ? (waiting === undefined ? "none" : "waiting") : "held";
  return {
    state,
    ...(held === undefined
      ? {}
      : { agent: held.id, expires_at: held.exp, n: held.n, jti: held.jti }),
    ...(waiting === undefined ? {} : { code: waiting.code, deadline: waiting.deadline }),
    ...(refusal === undefined ? {} : { reason: refusal.code }),
  };
}

const MAX_BODY_BYTES = 32_768;
const MAX_PID = 4_194_304;

function presignedView(
  w: ProxyWorld,
  { entry, posted, statement, state, reason }: Kept,
): JsonObject {
  const { agent, exp, iat, grant } = statement.body;
  return {
    cs: statement.cs,
    entry,
    agent: agent.id,
    code: requestCode(w.c, posted.request),
    state,
    signed: iat,
    until: exp,
    grant_until: grant.exp,
    ...(reason === undefined ? {} : { reason }),
  };
}

async function readPresign(
  request: Request,
): Promise<{ readonly agent: string; readonly pid?: number }> {
  const members = new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request");
  const agent = members.text("agent", { maxLength: 512 });
  const pid = members.optional("pid", (name) => members.integer(name, 1, MAX_PID));
  members.end();
  return { agent, ...(pid === undefined ? {} : { pid }) };
}

async function readSigned(request: Request): Promise<SignedConsent> {
  const members = new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request");
  const key = members.object("key");
  const app = key.optional("app", (name) => key.text(name, { maxLength: 256 }));
  const signed = {
    statement: fromBase64url(members.text("statement", { maxLength: 11_000 })),
    sig: readOwnerSignature(members.raw("sig")),
    key: { jwk: readJwk(key.raw("jwk")), ...(app === undefined ? {} : { app }) },
  };
  key.end();
  members.end();
  return signed;
}

function statusView(
  w: ProxyWorld,
  agents: Agents,
  runs: OpenRuns,
  fixed: Pick<FixedDoors, "doors">,
  kept: readonly Kept[],
): object {
  const { state, isConnected, heardAt } = w.server();
  const identity = w.identity();
  const domain =
    state === undefined
      ? {}
      : {
          trust_domain: state.trustDomain,
          issuer: state.issuer,
          development: state.development,
          seq: state.seq,
        };
  return {
    proxy: identity.id,
    now: w.clock(),
    connected: isConnected,
    heard_at: heardAt,
    ...(w.gateway === undefined ? {} : { gateway: w.gateway }),
    ...domain,
    certificate: { not_after: identity.certificate.notAfter },
    entries: (state?.entries ?? []).map(({ id, uid, door }) => ({ id, uid, door })),
    stops: state?.stops ?? [],
    presigned: kept.map((item) => presignedView(w, item)),
    doors: [...runs.doors, ...fixed.doors].map((door) => ({
      path: door.path,
      entry: door.entry.id,
      uid: door.uid,
      sessions: agents.sessionsOf(door).map((session) => sessionView(session)),
    })),
  };
}

/** For the command line on this host: what the proxy holds and hears. Never a key, never a token. */
export function adminApp(
  w: ProxyWorld,
  agents: Agents,
  runs: OpenRuns,
  fixed: Pick<FixedDoors, "doors">,
  presigned: Presigned,
): Handler<object> {
  const status = async (): Promise<Response> =>
    json(statusView(w, agents, runs, fixed, await presigned.list()));

  const evidence = (request: Request): Promise<Response> => {
    const found = agents.lastEvidence(
      agents.entry(new URL(request.url).searchParams.get("entry") ?? "").id,
    );
    if (found === undefined) throw new Refusal("no_credential");
    return Promise.resolve(json({ ...found, proxy_jwk: w.identity().signer.key }));
  };

  const presign = async (request: Request): Promise<Response> => {
    const made = await presigned.material(await readPresign(request));
    const { issuer, trustDomain } = lastState(w);
    return json({
      request: made.request.octets,
      proxy: w.identity().id,
      issuer,
      trust_domain: trustDomain,
      entry: writeEntry(made.entry),
      measurements: made.measurements,
      facts: { evidence: { submods: made.submods } },
      connected: w.server().isConnected,
      now: w.clock(),
    });
  };

  const keep = async (request: Request): Promise<Response> =>
    json(presignedView(w, await presigned.keep(await readSigned(request))));

  return application(
    {
      "GET /v1/status": status,
      "GET /v1/evidence": evidence,
      "POST /v1/presign": presign,
      "POST /v1/presigned": keep,
    },
    w.log,
  );
}
