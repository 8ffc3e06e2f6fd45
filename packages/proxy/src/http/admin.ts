import { Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { application, json } from "@countersign/node";
import type { Handler } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import type { Session } from "../agents/session.ts";
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

function statusView(
  w: ProxyWorld,
  agents: Agents,
  runs: OpenRuns,
  fixed: Pick<FixedDoors, "doors">,
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
    ...domain,
    certificate: { not_after: identity.certificate.notAfter },
    entries: (state?.entries ?? []).map(({ id, uid, door }) => ({ id, uid, door })),
    stops: state?.stops ?? [],
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
): Handler<object> {
  const status = (): Promise<Response> => Promise.resolve(json(statusView(w, agents, runs, fixed)));

  const evidence = (request: Request): Promise<Response> => {
    const found = agents.lastEvidence(
      agents.entry(new URL(request.url).searchParams.get("entry") ?? "").id,
    );
    if (found === undefined) throw new Refusal("no_credential");
    return Promise.resolve(json({ ...found, proxy_jwk: w.identity().signer.key }));
  };

  return application({ "GET /v1/status": status, "GET /v1/evidence": evidence }, w.log);
}
