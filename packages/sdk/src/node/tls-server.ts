import { constants } from "node:crypto";
import { createServer } from "node:https";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import { parseCertificate, pemEncode, Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import type { TlsIdentity, TlsSource } from "../agent/tls-identity.ts";
import type { Caller, IncomingRequest, RelyingParty, TlsPeer } from "../verify/index.ts";
import { step } from "../verify/refused.ts";
import { protectBy } from "./protect.ts";
import type { ProtectedHandler, ProtectOptions } from "./protect.ts";
import { endAt, SYSTEM } from "./tls-life.ts";
import type { TlsPlatform } from "./tls-life.ts";

export interface MutualTlsServerOptions extends ProtectOptions {
  /** The certificate to show: an agent of `connectWithOwnKey`. */
  readonly source: TlsSource;
  /** The trust domain whose callers are let in, `spiffe://example.org`; default: the only one that is configured. */
  readonly origin?: string;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Token and approval stand in headers. */
const MAX_HEADER_BYTES = 32_768;

function contextOf({ cert, key }: TlsIdentity, roots: readonly Bytes[]): TlsOptions {
  return {
    cert,
    key,
    ca: roots.map((root) => pemEncode("CERTIFICATE", root)),
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET, // a resumed handshake would skip the certificate
  };
}

function identityOf(source: TlsSource): TlsIdentity {
  const identity = source.tlsIdentity();
  if (identity === undefined) throw new Refusal("no_credential", "there is no certificate to show");
  return identity;
}

/** When a connection must end: with the caller's certificate, or with the one that it was made with. */
function endOf(socket: TLSSocket, leaf: Bytes): number {
  const own = socket.getX509Certificate();
  if (own === undefined) throw new Refusal("untrusted_chain", "no certificate of ours");
  const ends = [leaf, new Uint8Array(own.raw)].map((der) => parseCertificate(der).notAfter);
  return Math.min(...ends);
}

/** The leaf that OpenSSL has verified with our roots. May be called once for each socket. */
function leafOf(socket: TLSSocket): Bytes {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined || socket.isSessionReused())
    throw new Refusal("client_certificate_required");
  return new Uint8Array(certificate.raw);
}

function peerOf(peer: TlsPeer | undefined): TlsPeer {
  if (peer === undefined) throw new Refusal("client_certificate_required");
  return peer;
}

/**
 * A server for `node:https` that lets in only callers with a certificate of one trust domain, and hands on only
 * requests whose caller the relying party has verified; TLS 1.3, nothing is resumed. It shows the newest certificate
 * of its source from the next handshake on; a connection that was made with an older one takes one more request, and
 * ends with that certificate, or with the caller's. After a stop all connections end, and none is taken. A trust bundle
 * that was refreshed counts for TLS from the next certificate on.
 * @param platform for tests
 * @throws Refusal `no_credential` (nothing to show), and as `RelyingParty.roots`
 */
export function mutualTlsServer(
  party: RelyingParty,
  handler: ProtectedHandler,
  { source, origin, ...options }: MutualTlsServerOptions,
  platform: TlsPlatform = SYSTEM,
): Server {
  const trusted = party.roots(origin);
  const server = createServer({
    ...contextOf(identityOf(source), trusted.roots),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  const peers = new WeakMap<Socket, TlsPeer>();
  const made = new WeakMap<Socket, TlsIdentity>();
  const sockets = new Set<TLSSocket>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    try {
      made.set(socket, identityOf(source));
      const leaf = leafOf(socket);
      endAt(socket, endOf(socket, leaf), platform);
      peers.set(socket, { leaf, origin: trusted.origin });
    } catch {
      socket.destroy(); // not verified, or stopped: nothing of it is read
    }
  });
  const verify = async (request: IncomingRequest, socket: Socket): Promise<Caller> => {
    const peer = await step("peer", () => peerOf(peers.get(socket)));
    return party.verifyConnected(request, peer);
  };
  const answer = protectBy(verify, handler, options);
  server.on("request", (request, response) => {
    // the next request comes by a newer certificate, long before this one ends
    if (made.get(request.socket) !== source.tlsIdentity())
      response.setHeader("connection", "close");
    answer(request, response);
  });
  const stop = source.onTlsIdentity(() => {
    const identity = source.tlsIdentity();
    if (identity === undefined) for (const socket of sockets) socket.destroy();
    else server.setSecureContext(contextOf(identity, party.roots(trusted.origin).roots));
  });
  server.on("close", stop);
  return server;
}
