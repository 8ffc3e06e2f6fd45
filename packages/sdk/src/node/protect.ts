import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { LinkRefusal, problemFor, relyingParty as portable } from "../verify/index.ts";
import type {
  Caller,
  HeaderLines,
  IncomingRequest,
  RelyingParty,
  RelyingPartyOptions,
} from "../verify/index.ts";
import { systemClock } from "./clock.ts";

/** A request whose caller is known. */
export interface ProtectedRequest extends IncomingMessage {
  readonly caller: Caller;
}

export type ProtectedHandler = (
  request: ProtectedRequest,
  response: ServerResponse,
) => void | Promise<void>;

export interface ProtectOptions {
  /** Told of every request that was refused; its `link` and `code` say why. Never holds a token. */
  readonly onRefused?: (refusal: LinkRefusal, request: IncomingMessage) => void;
  /** Told of every other throw, of the handler too. Default: a process warning. */
  readonly onError?: (error: unknown, request: IncomingMessage) => void;
}

/** As in `@countersign/sdk/verify`, with the system's clock unless another is given. */
export function relyingParty(
  options: Omit<RelyingPartyOptions, "clock"> & Partial<Pick<RelyingPartyOptions, "clock">>,
): RelyingParty {
  return portable({ clock: systemClock, ...options });
}

/** Every line as it came: `request.headers` joins lines, and drops the second `Authorization`. */
function linesOf({ rawHeaders }: IncomingMessage): HeaderLines {
  return rawHeaders.flatMap((name, i) =>
    i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ""] as const] : [],
  );
}

function refuse(error: unknown, response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = problemFor(error);
  response.writeHead(status, headers).end(body);
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}

/** A listener that hands on only requests whose caller `verify` has verified. */
export function protectBy(
  verify: (request: IncomingRequest, socket: Socket) => Promise<Caller>,
  handler: ProtectedHandler,
  options: ProtectOptions,
): RequestListener {
  const { onRefused, onError = warn } = options;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    const caller = await verify({ path, headers: linesOf(request) }, request.socket);
    await handler(Object.assign(request, { caller }), response);
  };
  return (request, response) => {
    serve(request, response).catch((error: unknown) => {
      if (error instanceof LinkRefusal) onRefused?.(error, request);
      else onError(error, request);
      refuse(error, response);
    });
  };
}

/**
 * A listener for `node:http` and `node:https` servers that hands on only requests whose caller was verified, and
 * answers all others with a problem document. The proof covers neither method nor body: TLS does.
 */
export function protect(
  party: RelyingParty,
  handler: ProtectedHandler,
  options: ProtectOptions = {},
): RequestListener {
  return protectBy((request) => party.verifyRequest(request), handler, options);
}
