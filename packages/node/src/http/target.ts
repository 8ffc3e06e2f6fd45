import { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";

/** One request on its way out. */
export interface Outgoing {
  readonly method: string;
  /** Path and query, from `/` on. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Bytes;
  /** Ends the exchange, the reading of the answer included. */
  readonly signal: AbortSignal;
}

/** An answer as it comes in: leaving the loop over `chunks` early ends the connection. */
export interface Incoming {
  readonly status: number;
  /** Lower-case names; repeated lines joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: AsyncIterable<Bytes>;
}

/**
 * Another side that answers requests. `send` never follows a redirect, never retries, and rejects with a Refusal:
 * `unreachable` where there was no answer (it may have been carried out all the same), `untrusted_chain` where the
 * other side is not who it must be. Limits and timeouts are the caller's.
 */
export interface Target {
  send(request: Outgoing): Promise<Incoming>;
  /** Closes connections that are kept open; exchanges under way go on. */
  close(): void;
}

export type TargetSpec =
  | { /** Path of a Unix socket. */ readonly unix: string }
  | {
      /** Origin only. `http:` is for 127.0.0.1, [::1] and localhost. */
      readonly url: string;
      /** PEM of the roots that are accepted, or the system's. `https:` needs it. */
      readonly ca?: readonly string[] | "system";
      /** PEM of our certificate (leaf first, without the root) and PKCS#8 of its key. */
      readonly cert?: string;
      readonly key?: string;
      /**
       * Judges who the other side is, by its leaf's DER, after its chain was verified; throws if it is not who it must
       * be. It stands in place of the comparison of host names and is asked at every handshake: none is resumed.
       */
      readonly checkPeer?: (certificate: Bytes) => void;
      /**
       * Accepts any server at all. You lose every protection of TLS: only for reading what is compared with a pinned
       * hash afterwards, never for sending a secret.
       */
      readonly insecureAnyServer?: boolean;
      /** Connections at once, each with one exchange; default 64. Streams hold theirs. */
      readonly maxSockets?: number;
    };

const MAX_HEADER_BYTES = 16_384;
const MAX_SOCKETS = 64;
/** Below the 60 s after which our servers close, so that we do not write into a closing connection. */
const KEEP_ALIVE_TIMEOUT_MS = 50_000;
const LOOPBACK = new Set(["127.0.0.1", "[::1]", "localhost"]);
/** OpenSSL's and Node's words for "not verified". */
const UNTRUSTED = /CERT|ISSUER|SELF_SIGNED|LEAF_SIGNATURE|ALTNAME|HOSTNAME|INVALID_|PATH_LENGTH/;

type Start = (options: RequestOptions) => ClientRequest;

/** What an exchange failed with, as a Refusal without the other side's words. */
export function unreachable(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string"
      ? error.code
      : "no answer";
  return new Refusal(UNTRUSTED.test(code) ? "untrusted_chain" : "unreachable", code);
}

function headersOf(incoming: IncomingMessage): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return headers;
}

async function* chunksOf(incoming: IncomingMessage): AsyncGenerator<Bytes> {
  try {
    for await (const chunk of incoming) yield chunk as Bytes; // no encoding is set, so each is a Buffer
  } catch (error) {
    throw unreachable(error);
  }
}

function exchange(start: Start, request: Outgoing): Promise<Incoming> {
  return new Promise((resolve, reject) => {
    const outgoing = start({
      method: request.method,
      path: request.path,
      headers: {
        ...request.headers,
        ...(request.body === undefined ? {} : { "content-length": String(request.body.length) }),
      },
      signal: request.signal,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    outgoing.on("error", (error) => reject(unreachable(error)));
    outgoing.on("response", (incoming) => {
      incoming.on("error", () => undefined); // told to whoever reads the chunks
      resolve({
        status: incoming.statusCode ?? 0,
        headers: headersOf(incoming),
        chunks: chunksOf(incoming),
      });
    });
    outgoing.end(request.body);
  });
}

/** Node calls this with the verified leaf; what it returns becomes the error of the connection. */
function identityCheck(
  checkPeer: (certificate: Bytes) => void,
): (host: string, certificate: { readonly raw: Buffer }) => Error | undefined {
  return (_host, certificate) => {
    try {
      checkPeer(new Uint8Array(certificate.raw));
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Refusal("untrusted_chain");
    }
  };
}

type NetworkSpec = Extract<TargetSpec, { readonly url: string }>;

function tlsAgent(spec: NetworkSpec): HttpsAgent {
  if (spec.ca === undefined && spec.insecureAnyServer !== true)
    throw new Refusal("configuration_invalid", "https needs the roots that are accepted");
  return new HttpsAgent({
    keepAlive: spec.insecureAnyServer !== true,
    maxSockets: spec.maxSockets ?? MAX_SOCKETS,
    timeout: KEEP_ALIVE_TIMEOUT_MS,
    maxCachedSessions: 0, // a resumed handshake would not ask `checkPeer`
    minVersion: "TLSv1.3",
    ...(spec.ca === undefined || spec.ca === "system" ? {} : { ca: [...spec.ca] }),
    ...(spec.cert === undefined ? {} : { cert: spec.cert }),
    ...(spec.key === undefined ? {} : { key: spec.key }),
    ...(spec.checkPeer === undefined ? {} : { checkServerIdentity: identityCheck(spec.checkPeer) }),
    rejectUnauthorized: spec.insecureAnyServer !== true,
  });
}

function originOf(spec: NetworkSpec): URL {
  const url = URL.canParse(spec.url) ? new URL(spec.url) : undefined;
  if (url === undefined || `${url.origin}/` !== url.href)
    throw new Refusal("configuration_invalid", "an address is https://host:port and nothing more");
  if (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname)))
    return url;
  throw new Refusal("configuration_invalid", "an address is https, or http on loopback");
}

/**
 * Another side over a Unix socket, TLS 1.3 or loopback HTTP, with connections kept open and never a session resumed.
 * A renewed client certificate needs a new target.
 * @throws Refusal `configuration_invalid`
 */
export function openTarget(spec: TargetSpec): Target {
  const keep = { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: KEEP_ALIVE_TIMEOUT_MS };
  if ("unix" in spec) {
    const agent = new HttpAgent(keep);
    const base = { agent, socketPath: spec.unix, host: "localhost" };
    return {
      send: (request) => exchange((options) => httpRequest({ ...base, ...options }), request),
      close: () => agent.destroy(),
    };
  }
  const url = originOf(spec);
  const isTls = url.protocol === "https:";
  const agent = isTls ? tlsAgent(spec) : new HttpAgent(keep);
  const start = isTls ? httpsRequest : httpRequest;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const base = { agent, host, port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port) };
  return {
    send: (request) => exchange((options) => start({ ...base, ...options }), request),
    close: () => agent.destroy(),
  };
}

async function* nothing(): AsyncGenerator<Bytes> {
  // an answer without a body
}

/** A handler of this process as a target: whole flows run in memory, without sockets. */
export function handlerTarget(
  handler: (request: Request) => Promise<Response>,
  origin = "http://localhost",
): Target {
  return {
    send: async ({ method, path, headers, body, signal }) => {
      const stopped = new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Refusal("unreachable", "ended")), {
          once: true,
        });
      });
      const init = { method, headers, signal, ...(body === undefined ? {} : { body }) };
      const response = await Promise.race([
        handler(new Request(`${origin}${path}`, init as RequestInit)), // octets are a body; the types disagree on their buffer
        stopped,
      ]);
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        chunks: response.body ?? nothing(),
      };
    },
    close: () => undefined,
  };
}
