import { Refusal } from "@countersign/core";
import { application, json } from "@countersign/node";
import type { Handler } from "@countersign/node";
import type { Agents } from "../agents/agents.ts";
import type { ProxyWorld } from "../world.ts";
import type { OpenRuns } from "./run.ts";

/** For the command line on this host: what the proxy holds and hears. Never a key, never a token. */
export function adminApp(w: ProxyWorld, agents: Agents, runs: OpenRuns): Handler<object> {
  const status = (): Promise<Response> => {
    const { state, isConnected, heardAt } = w.server();
    const identity = w.identity();
    return Promise.resolve(
      json({
        proxy: identity.id,
        now: w.clock(),
        connected: isConnected,
        heard_at: heardAt,
        ...(state === undefined
          ? {}
          : {
              trust_domain: state.trustDomain,
              issuer: state.issuer,
              development: state.development,
              seq: state.seq,
            }),
        certificate: { not_after: identity.certificate.notAfter },
        entries: (state?.entries ?? []).map((entry) => ({
          id: entry.id,
          uid: entry.uid,
          door: entry.door,
        })),
        stops: state?.stops ?? [],
        doors: runs.doors.map((door) => ({
          path: door.path,
          entry: door.entry.id,
          uid: door.uid,
          sessions: agents.sessionsOf(door).map((session) => ({
            state:
              session.held === undefined
                ? session.waiting === undefined
                  ? "none"
                  : "waiting"
                : "held",
            ...(session.held === undefined
              ? {}
              : {
                  agent: session.held.id,
                  expires_at: session.held.exp,
                  n: session.held.n,
                  jti: session.held.jti,
                }),
            ...(session.waiting === undefined
              ? {}
              : { code: session.waiting.code, deadline: session.waiting.deadline }),
            ...(session.refusal === undefined ? {} : { reason: session.refusal.code }),
          })),
        })),
      }),
    );
  };

  const evidence = (request: Request): Promise<Response> => {
    const found = agents.lastEvidence(
      agents.entry(new URL(request.url).searchParams.get("entry") ?? "").id,
    );
    if (found === undefined) throw new Refusal("no_credential");
    return Promise.resolve(json({ ...found, proxy_jwk: w.identity().signer.key }));
  };

  return application({ "GET /v1/status": status, "GET /v1/evidence": evidence }, w.log);
}
