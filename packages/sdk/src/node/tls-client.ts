import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import type { PeerCertificate, SecureContext } from "node:tls";
import {
  isDevelopment,
  OWNER_EVIDENCE_HEADER,
  parseWorkloadId,
  pemEncode,
  readTrust,
  Refusal,
  verifyTlsLeaf,
} from "@countersign/core";
import type { Bytes, Trust } from "@countersign/core";
import type { TlsIdentity, TlsSource } from "../agent/tls-identity.ts";
import { webCrypto } from "../verify/index.ts";
import { refreshed, rootsOf } from "../verify/trusted.ts";
import { endAt, SYSTEM } from "./tls-life.ts";
import type { TlsPlatform } from "./tls-life.ts";

export interface MutualTlsClientOptions {
  /** The certificate to show: an agent of `connectWithOwnKey`. */
  readonly source: TlsSource;
  /** Text or octets of a trust file, or trust that was read before. */
  readonly trust: Bytes | string | Trust;
  /** The whole id of the one agent that is called; compared exactly. No host name is. */
  readonly agent: string;
  /** Sends token and owner's approval with every request: for a service that demands an owner. Default false. */
  readonly showOwner?: boolean;
}

/** What of `https.request` may be chosen: nothing that decides whom one talks to. */
export interface MutualTlsRequest extends Pick<RequestOptions, "method" | "signal" | "timeout"> {
  readonly headers?: OutgoingHttpHeaders;
}

/** A way to one agent, by mutual TLS. */
export interface MutualTlsClient {
  /**
   * As `https.request`, with the newest certificate. What it cannot do is an `error` of the request.
   * @throws Refusal `no_credential` where there is no certificate to show
   */
  readonly request: (
    url: string | URL,
    options?: MutualTlsRequest,
    onResponse?: (response: IncomingMessage) => void,
  ) => ClientRequest;
  /** Takes a newer trust bundle. @throws Refusal as `RelyingParty.refreshTrust` */
  readonly refreshTrust: (bundle: Bytes | string) => void;
  /** Ends every connection. */
  readonly close: () => void;
}

const MAX_SOCKETS = 64;
const c = webCrypto();

/** Judges the other side's leaf; returns when it ends. */
type JudgePeer = (leaf: Bytes) => number;

/** Connections made with one certificate. They end with it, or with the other side's. */
class Generation extends HttpsAgent {
  readonly identity: TlsIdentity;
  readonly #judge: JudgePeer;
  readonly #platform: TlsPlatform;

  constructor(
    identity: TlsIdentity,
    secureContext: SecureContext,
    of: { readonly judge: JudgePeer; readonly platform: TlsPlatform },
  ) {
    // no session is kept: a resumed handshake would not ask who the other side is
    super({ keepAlive: true, maxSockets: MAX_SOCKETS, maxCachedSessions: 0, secureContext });
    this.identity = identity;
    this.#judge = of.judge;
    this.#platform = of.platform;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    let end = this.identity.expiresAt;
    // called with the leaf of a path that OpenSSL has verified; what it returns becomes the error of the connection
    const checkServerIdentity = (_host: string, { raw }: PeerCertificate): Error | undefined => {
      try {
        end = Math.min(end, this.#judge(new Uint8Array(raw)));
        return undefined;
      } catch (error) {
        return error instanceof Error ? error : new Refusal("untrusted_chain");
      }
    };
    const judged = { ...options, checkServerIdentity, rejectUnauthorized: true };
    const socket = super.createConnection(judged, callback);
    socket?.once("secureConnect", () => endAt(socket, end, this.#platform));
    return socket;
  }
}

function ownerHeaders({ wit, evidence }: TlsIdentity): Readonly<Record<string, string>> {
  return {
    "workload-identity-token": wit,
    ...(evidence === undefined ? {} : { [OWNER_EVIDENCE_HEADER]: evidence }),
  };
}

/** One trust domain's word about one agent. */
function judgeFor(trust: Trust, origin: string, agent: string, clock: () => number): JudgePeer {
  return (der) => {
    const domain = trust.get(origin);
    if (domain === undefined) throw new Refusal("unknown_trust_domain", origin);
    if (isDevelopment(domain) && !domain.insecureAcceptDevelopment)
      throw new Refusal("development_refused", origin);
    const now = clock();
    const { leaf, workload } = verifyTlsLeaf(c, { leaf: der, origin, purpose: "server", now });
    if (workload.uri !== agent) throw new Refusal("untrusted_chain", "another agent");
    return leaf.notAfter;
  };
}

/** Connections to one agent, by the certificates that they were made with. */
class Generations {
  readonly #of: { readonly source: TlsSource; readonly agent: string; readonly origin: string };
  readonly #platform: TlsPlatform;
  readonly #made: Set<Generation> = new Set();
  #trust: Trust;
  #newest: Generation | undefined;

  constructor({ source, agent }: MutualTlsClientOptions, trust: Trust, platform: TlsPlatform) {
    this.#of = { source, agent, origin: parseWorkloadId(agent).origin };
    this.#trust = trust;
    this.#platform = platform;
    this.#roots();
  }

  /** @throws Refusal `no_credential` */
  current(): Generation {
    const identity = this.#of.source.tlsIdentity();
    if (identity === undefined) {
      this.endAll();
      throw new Refusal("no_credential", "there is no certificate to show");
    }
    if (this.#newest?.identity !== identity) this.#newest = this.#make(identity);
    return this.#newest;
  }

  /** Connections are made anew, with the roots of the newer bundle. */
  refreshTrust(bundle: Bytes | string): void {
    this.#trust = refreshed(this.#trust, bundle, this.#platform.clock());
    this.#newest = undefined;
  }

  endAll(): void {
    for (const generation of this.#made) generation.destroy();
    this.#made.clear();
    this.#newest = undefined;
  }

  #roots(): readonly Bytes[] {
    return rootsOf(this.#trust, this.#of.origin, this.#platform.clock()).roots;
  }

  #make(identity: TlsIdentity): Generation {
    const { agent, origin } = this.#of;
    const { after, clock } = this.#platform;
    const secureContext = createSecureContext({
      cert: identity.cert,
      key: identity.key,
      ca: this.#roots().map((root) => pemEncode("CERTIFICATE", root)),
      minVersion: "TLSv1.3",
    });
    const judge = judgeFor(this.#trust, origin, agent, clock);
    const made = new Generation(identity, secureContext, { judge, platform: this.#platform });
    this.#made.add(made);
    after(Math.max(0, (identity.expiresAt - clock()) * 1000), () => {
      made.destroy();
      this.#made.delete(made);
    });
    return made;
  }
}

/**
 * A client for `node:https` that shows the newest certificate of its source and talks to one agent only, whose trust
 * domain's roots alone are accepted; TLS 1.3, nothing is resumed. A request is sent over a connection that was made
 * with the newest certificate; a connection ends with its certificate at the latest, and all of them at a stop.
 * @param platform for tests
 * @throws Refusal `invalid_identifier`, `configuration_invalid`, `indeterminate` for trust that is out of date
 */
export function mutualTlsClient(
  options: MutualTlsClientOptions,
  platform: TlsPlatform = SYSTEM,
): MutualTlsClient {
  const { source, trust, showOwner = false } = options;
  const isRead = typeof trust !== "string" && !(trust instanceof Uint8Array);
  const read = isRead ? trust : readTrust(trust, platform.clock());
  const generations = new Generations(options, read, platform);
  const stop = source.onTlsIdentity(() => {
    if (source.tlsIdentity() === undefined) generations.endAll();
  });
  return {
    request: (url, { method, signal, timeout, headers: given = {} } = {}, onResponse) => {
      const agent = generations.current();
      const headers = { ...given, ...(showOwner ? ownerHeaders(agent.identity) : {}) };
      return httpsRequest(url, { method, signal, timeout, headers, agent }, onResponse);
    },
    refreshTrust: (bundle) => generations.refreshTrust(bundle),
    close: () => {
      stop();
      generations.endAll();
    },
  };
}
