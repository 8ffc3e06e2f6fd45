import { Refusal } from "@countersign/core";
import { application } from "@countersign/node";
import type { Endpoint, Handler, Routes } from "@countersign/node";
import { callerOf } from "./http/caller.ts";
import type { GatewayContext } from "./http/caller.ts";
import { forward, octetsOf, responseOf } from "./relay/forward.ts";
import { Streams } from "./relay/streams.ts";
import { signAsked } from "./signing/sign.ts";
import type { Signing } from "./signing/sign.ts";
import type { GatewayWorld } from "./world.ts";

/** Calls that are passed on as they are. Enrolment is not among them: a join token's secret is for the server alone. */
const PASSED_ON: readonly string[] = [
  "POST /v1/nonce",
  "POST /v1/presigned-consents",
  "POST /v1/beats",
  "GET /.well-known/est/cacerts",
  "POST /.well-known/est/simplereenroll",
];
const ASKED = 202;

const passOn =
  (w: GatewayWorld): Endpoint<GatewayContext> =>
  async (request, context) => {
    const caller = callerOf(w, context);
    return responseOf(await forward(w, caller, request, await octetsOf(request)));
  };

/** Passes a request on; where the server then asks the owner, his gateway may answer. The proxy does not wait for it. */
const ask =
  (w: GatewayWorld, signing: Signing | undefined): Endpoint<GatewayContext> =>
  async (request, context) => {
    const caller = callerOf(w, context);
    const body = await octetsOf(request);
    const passed = await forward(w, caller, request, body);
    if (signing !== undefined && passed.status === ASKED && body !== undefined)
      void signAsked(w, signing, caller, body).catch((error: unknown) => {
        const why = error instanceof Refusal ? { code: error.code } : { error };
        w.log.warn("consent.not_signed", { proxy: caller.id, ...why });
      });
    return responseOf(passed);
  };

/**
 * What proxies call in place of the server. Every path demands the certificate of a proxy that it was set up for.
 * @param signing absent: every question is left to a person
 */
export function gatewayApp(w: GatewayWorld, signing?: Signing): Handler<GatewayContext> {
  const streams = new Streams();
  const pass = passOn(w);
  const routes: Routes<GatewayContext> = {
    ...Object.fromEntries(PASSED_ON.map((name) => [name, pass])),
    "POST /v1/credential-requests": ask(w, signing),
    "GET /v1/state": async (request, context) => {
      const caller = callerOf(w, context);
      return streams.open(w, caller, request, () => signing?.seen.watch(caller.id));
    },
  };
  return application(routes, w.log);
}
