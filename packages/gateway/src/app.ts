import { application } from "@countersign/node";
import type { Endpoint, Handler, Routes } from "@countersign/node";
import { callerOf } from "./http/caller.ts";
import type { GatewayContext } from "./http/caller.ts";
import { forward, octetsOf, responseOf } from "./relay/forward.ts";
import { Streams } from "./relay/streams.ts";
import type { GatewayWorld } from "./world.ts";

/** Calls that are passed on as they are. Enrolment is not among them: a join token's secret is for the server alone. */
const PASSED_ON: readonly string[] = [
  "POST /v1/nonce",
  "POST /v1/credential-requests",
  "POST /v1/presigned-consents",
  "POST /v1/beats",
  "GET /.well-known/est/cacerts",
  "POST /.well-known/est/simplereenroll",
];

const passOn =
  (w: GatewayWorld): Endpoint<GatewayContext> =>
  async (request, context) => {
    const caller = callerOf(w, context);
    return responseOf(await forward(w, caller, request, await octetsOf(request)));
  };

/**
 * What proxies call in place of the server. Every path demands the certificate of a proxy that it was set up for.
 */
export function gatewayApp(w: GatewayWorld): Handler<GatewayContext> {
  const streams = new Streams();
  const pass = passOn(w);
  const routes: Routes<GatewayContext> = {
    ...Object.fromEntries(PASSED_ON.map((name) => [name, pass])),
    "GET /v1/state": async (request, context) => streams.open(w, callerOf(w, context), request),
  };
  return application(routes, w.log);
}
