import { constants } from "node:crypto";
import { chmod } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket, TlsOptions } from "node:tls";
import { getRequestListener } from "@hono/node-server";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import type { Log } from "../log.ts";
import { silentLog } from "../log.ts";
import { isWithin, readBody, refuseUnread } from "./body.ts";
import { onDrop } from "./events.ts";
import { problemResponse } from "./problem.ts";
import { refuseProtocolErrors } from "./protocol-errors.ts";
import { keepRawHeaders } from "./raw-headers.ts";
import { prepareSocketPath } from "./unix-socket.ts";

/** An application: a pure function of a request and of what is known about its connection. */
export type Handler<C> = (request: Request, context: C) => Promise<Response>;

/** What a TLS listener shows and whom it asks. All PEM. */
export interface TlsIdentity {
  /** The leaf first, then issuing certificates, without the root. */
  readonly cert: string;
  /** PKCS#8 of the leaf's key. */
  readonly key: string;
  /**
   * Callers' roots **and** issuing CAs: a server on Node 24 does not see the intermediates that a caller sends, so
   * OpenSSL must build the path from what stands here. Absent: no client certificate is asked for.
   */
  readonly ca?: readonly string[];
}

export type ListenOn =
  | {
      /** Absolute path, under 100 bytes, in a folder that only we or root can write. */
      readonly unix: string;
      /** Permission bits of the socket file, for example 0o600. */
      readonly mode: number;
    }
  | {
      readonly host: string;
      /** 0 takes a free one. */
      readonly port: number;
      readonly tls?: TlsIdentity;
    };

export interface ServeOptions<C> {
  readonly on: ListenOn;
  readonly app: Handler<C>;
  /**
   * What the application knows about a connection. Called once for each, synchronously when it is accepted (over TLS:
   * when its handshake is done), since the kernel's word about a peer is only there while the peer is. A throw closes
   * the connection.
   * @param peerCertificate DER of the caller's certificate, only if it was verified against `tls.ca`
   */
  readonly contextOf: (socket: Socket, peerCertificate: Bytes | undefined) => C;
  /** Default 65,536. Larger bodies: 413 `too_large`. */
  readonly maxBodyBytes?: number;
  /** Default 16,384 for all header lines together. More: 431. */
  readonly maxHeaderBytes?: number;
  /** From the first octet to the end of the headers; default 10,000. Later: 408. */
  readonly headersTimeoutMs?: number;
  /** From the first octet to the end of the body; default 30,000. Later: 408. */
  readonly requestTimeoutMs?: number;
  /** Default 1,024; further connections are closed at accept. */
  readonly maxConnections?: number;
  readonly log?: Log;
}

export interface Listener {
  /** The TCP port, or 0 for a Unix socket. */
  readonly port: number;
  /** For logs: `unix:/path`, `http://host:port`, `https://host:port`. */
  readonly address: string;
  /** Shows another certificate from the next handshake on. Replaces the whole set; open connections stay as they are. */
  replaceTls(identity: TlsIdentity): void;
  /** Stops accepting, lets answers under way finish for `graceMs` (default 1,000), then ends every connection. */
  close(graceMs?: number): Promise<void>;
}

const MAX_BODY_BYTES = 65_536;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;
/** A connection on which nothing moves for so long is closed; the longest wait of a call is 5 minutes. */
const IDLE_TIMEOUT_MS = 600_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;

function tlsOptions(identity: TlsIdentity): TlsOptions {
  return {
    cert: identity.cert,
    key: identity.key,
    ...(identity.ca === undefined ? {} : { ca: [...identity.ca] }),
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    // No tickets, and Node keeps no sessions unless somebody listens for them: nothing can be resumed. A resumed
    // handshake would skip the certificate, and OpenSSL calls it verified even where there never was one.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function makeServer(on: ListenOn, options: ServerOptions): Server | TlsServer {
  if ("unix" in on || on.tls === undefined) return createServer(options);
  return createTlsServer({
    ...options,
    ...tlsOptions(on.tls),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: on.tls.ca !== undefined,
    // Single paths demand a certificate (enrolment has none yet), so the handshake passes without one. That is safe
    // only because of `verifiedCertificate`: what OpenSSL did not verify never reaches the context.
    rejectUnauthorized: false,
  });
}

/** The caller's certificate, if OpenSSL verified it against our own roots. May be called once per socket. */
function verifiedCertificate(socket: TLSSocket): Bytes | undefined {
  if (!socket.authorized || socket.isSessionReused()) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : new Uint8Array(certificate.raw);
}

/** Why nothing listens there, with the address: it is configuration, and no secret. */
function unheard(on: ListenOn, error: Error): Refusal {
  const where = "unix" in on ? on.unix : `${on.host}:${on.port}`;
  const code: unknown = "code" in error ? error.code : undefined;
  return code === "EADDRINUSE"
    ? new Refusal(
        "configuration_invalid",
        `something listens on ${where} already`,
        "Stop what listens there, or configure another address.",
      )
    : new Refusal("configuration_invalid", `cannot listen on ${where}: ${String(code)}`);
}

async function listen(server: Server, on: ListenOn): Promise<void> {
  if ("unix" in on) await prepareSocketPath(on.unix);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(unheard(on, error)));
    if (!("unix" in on)) {
      server.listen({ host: on.host, port: on.port }, resolve);
      return;
    }
    // bind happens inside this call: nobody else can connect before the mode is what it shall be
    const umask = process.umask(0o177);
    try {
      server.listen({ path: on.unix }, resolve);
    } finally {
      process.umask(umask);
    }
  });
  server.removeAllListeners("error");
  if ("unix" in on) await chmod(on.unix, on.mode);
}

function endAll(server: Server, sockets: ReadonlySet<Socket>, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function addressOf(on: ListenOn, port: number): string {
  if ("unix" in on) return `unix:${on.unix}`;
  const host = on.host.includes(":") ? `[${on.host}]` : on.host;
  return `${on.tls === undefined ? "http" : "https"}://${host}:${port}`;
}

/** RFC 9112 section 3.2: a server MUST refuse a request with no Host line or several. HTTP/1.0 knows none. */
function hasOneHost({ rawHeaders, httpVersion }: IncomingMessage): boolean {
  const count = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "host").length;
  return count === 1 || (count === 0 && httpVersion === "1.0");
}

/** From Node's pair of streams to the application and back; the body is read, within its bound, before the call. */
function requestListener<C>(
  options: ServeOptions<C>,
  contexts: WeakMap<Socket, { readonly context: C }>,
): (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void> {
  const log = options.log ?? silentLog;
  const adapted = getRequestListener(
    async (request, { incoming }) => {
      keepRawHeaders(request, incoming.rawHeaders);
      const held = contexts.get(incoming.socket);
      if (held === undefined) return problemResponse(new Refusal("authentication_failed"), log);
      try {
        const response = await options.app(request, held.context);
        onDrop(response, () => incoming.socket.destroy());
        return response;
      } catch (error) {
        return problemResponse(error, log);
      }
    },
    {
      hostname: "localhost",
      errorHandler: () => problemResponse(new Refusal("malformed_request")),
    },
  );
  return async (incoming, outgoing) => {
    if (!hasOneHost(incoming)) return refuseUnread(incoming, outgoing, "malformed_request");
    const body = await readBody(incoming, options.maxBodyBytes ?? MAX_BODY_BYTES);
    if (body === "gone") return;
    if (body === "too_large") return refuseUnread(incoming, outgoing, "too_large");
    // the adapter takes a body that was read already from this member
    await adapted(Object.assign(incoming, { rawBody: body }), outgoing);
  };
}

/** Gives every request an answer, and all that never becomes one. */
function answerRequests<C>(
  server: Server,
  options: ServeOptions<C>,
  contexts: WeakMap<Socket, { readonly context: C }>,
  log: Log,
): void {
  const answer = requestListener(options, contexts);
  const newest = new WeakMap<Duplex, ServerResponse>();
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    newest.set(incoming.socket, outgoing);
    answer(incoming, outgoing).catch((error: unknown) => {
      log.error("http.failed", { error });
      outgoing.destroy();
    });
  };
  server.on("request", onRequest);
  server.on("checkContinue", (incoming, outgoing) => {
    // a body that will be refused is not asked for
    if (isWithin(incoming, options.maxBodyBytes ?? MAX_BODY_BYTES)) outgoing.writeContinue();
    onRequest(incoming, outgoing);
  });
  server.on("checkExpectation", (incoming, outgoing) => {
    refuseUnread(incoming, outgoing, "malformed_request"); // RFC 9110 section 10.1.1 leaves the status open
  });
  refuseProtocolErrors(server, (socket) => newest.get(socket));
}

/**
 * Serves an application on a Unix socket, TCP or TLS 1.3.
 * @throws Refusal `configuration_invalid` (address in use, bad path), `private_mode` (folder of the socket)
 */
export async function serve<C>(options: ServeOptions<C>): Promise<Listener> {
  const { on, log = silentLog } = options;
  const headersTimeout = options.headersTimeoutMs ?? 10_000;
  const server = makeServer(on, {
    maxHeaderSize: options.maxHeaderBytes ?? 16_384,
    headersTimeout,
    requestTimeout: Math.max(headersTimeout, options.requestTimeoutMs ?? 30_000),
    connectionsCheckingInterval: Math.max(50, Math.min(5_000, headersTimeout / 2)),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requireHostHeader: false, // Node's own refusal says nothing: see `hasOneHost`
  });
  server.maxHeadersCount = 0; // bounded in bytes; a bound by count would drop lines in silence, the second Authorization too
  server.maxConnections = options.maxConnections ?? 1_024;
  server.timeout = IDLE_TIMEOUT_MS;

  const contexts = new WeakMap<Socket, { readonly context: C }>();
  const sockets = new Set<Socket>();
  const learn = (socket: Socket, certificate: Bytes | undefined): void => {
    try {
      contexts.set(socket, { context: options.contextOf(socket, certificate) });
    } catch (error) {
      if (error instanceof Refusal)
        log.warn("http.connection_refused", { code: error.code, detail: error.message });
      else log.error("http.connection_failed", { error });
      socket.destroy();
    }
  };
  const isTls = "tls" in on && on.tls !== undefined;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (!isTls) learn(socket, undefined);
  });
  server.on("secureConnection", (socket: TLSSocket) => learn(socket, verifiedCertificate(socket)));
  answerRequests(server, options, contexts, log);

  await listen(server, on);
  server.on("error", (error) => log.error("http.listener_failed", { error }));
  const bound: AddressInfo | string | null = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  return {
    port,
    address: addressOf(on, port),
    replaceTls: (identity) => {
      if (!("setSecureContext" in server) || !isTls)
        throw new Refusal("configuration_invalid", "the listener has no TLS");
      server.setSecureContext(tlsOptions(identity));
    },
    close: (graceMs = 1_000) => endAll(server, sockets, graceMs),
  };
}
