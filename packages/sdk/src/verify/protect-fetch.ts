import { Refusal } from "@countersign/core";
import { problemFor, step } from "./refused.ts";
import type { Caller, IncomingRequest, RelyingParty } from "./relying-party.ts";

/** A handler of servers that speak `Request` and `Response`; `rest` is whatever the platform adds: bindings, a context. */
export type CalledHandler<Rest extends readonly unknown[]> = (
  request: Request,
  caller: Caller,
  ...rest: Rest
) => Response | Promise<Response>;

export interface ProtectFetchOptions {
  /** Told of every request that was refused; its `code` and, for a `LinkRefusal`, its `link` say why. Never holds a token. */
  readonly onRefused?: (refusal: Refusal, request: Request) => void;
}

/**
 * What a proof is judged by. `Headers` joins lines of one name with a comma: two tokens or two proofs arrive as one
 * value with a comma, which no token has, and are refused as such.
 */
function incoming(request: Request): IncomingRequest {
  const { pathname, search } = new URL(request.url);
  return { path: pathname + search, headers: [...request.headers] };
}

/**
 * A handler for servers of the `fetch` kind (edge platforms, Deno, Bun, Hono) that is called only for requests whose
 * caller was verified; all others get a problem document. Only the path of `request.url` is used: `Host` names
 * nothing. The proof covers neither method nor body: TLS does. A throw that is no `Refusal` is passed on, and is the
 * platform's to answer and to log.
 */
export function protectFetch<Rest extends readonly unknown[]>(
  party: RelyingParty,
  handler: CalledHandler<Rest>,
  { onRefused }: ProtectFetchOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    try {
      const caller = await party.verifyRequest(await step("request", () => incoming(request)));
      return await handler(request, caller, ...rest);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      onRefused?.(error, request);
      const { status, headers, body } = problemFor(error);
      return new Response(body, { status, headers });
    }
  };
}
