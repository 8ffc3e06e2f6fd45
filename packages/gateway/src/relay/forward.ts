import { CLIENT_CERT_HEADER, Refusal, RENEWAL_HEADER, writeClientCert } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import type { Incoming, Target } from "@countersign/node";
import type { Caller } from "../http/caller.ts";
import type { GatewayWorld } from "../world.ts";

const CALL_TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 1_048_576;
/** What goes on of a request's headers: nothing that the server reads says who calls, but the one that we write. */
const PASSED: readonly string[] = ["content-type", "accept", RENEWAL_HEADER];

/** The octets of an answer, whole. */
export interface Passed {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: Bytes;
}

/** An octet for an octet: what was signed, or is secret between two ends, is nobody's to write again. */
export function responseOf({ status, type, body }: Passed): Response {
  const octets = body as Uint8Array<ArrayBuffer>; // read above into memory of its own
  return new Response(body.length === 0 ? null : octets, {
    status,
    headers: {
      "cache-control": "no-store",
      ...(type === undefined ? {} : { "content-type": type }),
    },
  });
}

function headersOf(request: Request, caller: Caller): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const name of PASSED) {
    const value = request.headers.get(name);
    if (value !== null) headers[name] = value;
  }
  headers[CLIENT_CERT_HEADER] = writeClientCert(caller.certificate);
  return headers;
}

/** Sends a proxy's call on under its name. @param body its octets */
export function sendOn(
  target: Target,
  caller: Caller,
  request: Request,
  body: Bytes | undefined,
  signal: AbortSignal,
): Promise<Incoming> {
  const { pathname } = new URL(request.url);
  return target.send({
    method: request.method,
    path: pathname,
    headers: headersOf(request, caller),
    ...(body === undefined ? {} : { body }),
    signal,
  });
}

/** Reads an answer, bounded. @throws Refusal `too_large`, `unreachable` */
export async function readAnswer(incoming: Incoming): Promise<Passed> {
  const chunks: Bytes[] = [];
  let byteCount = 0;
  for await (const chunk of incoming.chunks) {
    byteCount += chunk.length;
    if (byteCount > MAX_ANSWER_BYTES)
      throw new Refusal("too_large", `answer over ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const body = new Uint8Array(Buffer.concat(chunks));
  return { status: incoming.status, type: incoming.headers["content-type"], body };
}

/** A signal that ends with the caller's, or when the call has had its time. */
export async function within<T>(
  w: GatewayWorld,
  outer: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  outer.addEventListener("abort", end, { once: true });
  const cancel = w.timers.after(CALL_TIMEOUT_MS, end);
  try {
    return await act(ended.signal);
  } catch (error) {
    if (ended.signal.aborted) throw new Refusal("unreachable", "the server did not answer in time");
    throw error;
  } finally {
    cancel();
    outer.removeEventListener("abort", end);
  }
}

/** The body of a request as octets. */
export async function octetsOf(request: Request): Promise<Bytes | undefined> {
  const body = new Uint8Array(await request.arrayBuffer());
  return body.length === 0 ? undefined : body;
}

/** One call of a proxy, in its turn. @throws Refusal as `Queue.run`; `unreachable`, `untrusted_chain` */
export async function forward(
  w: GatewayWorld,
  caller: Caller,
  request: Request,
  body: Bytes | undefined,
): Promise<Passed> {
  return w.queue.run(caller.id, request.signal, () =>
    within(w, request.signal, (signal) =>
      w.useServer(async ({ calls }) =>
        readAnswer(await sendOn(calls, caller, request, body, signal)),
      ),
    ),
  );
}
