import { Resolver } from "node:dns/promises";
import { request as httpRequest } from "node:http";
import type { ClientRequest, RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { Refusal } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import type { Answer } from "../http/client.ts";
import { unreachable } from "../http/target.ts";
import { guardAddresses } from "./address-guard.ts";
import { readForeignUrl } from "./foreign-url.ts";

export interface GuardedFetchOptions {
  /** CIDR of private networks that may be called; default none. */
  readonly networks?: readonly string[];
  /** Origins that may be called without TLS; what is sent there can be read and changed on the way. Default none. */
  readonly insecureHttpOrigins?: readonly string[];
  /** PEM of the roots that are accepted; default the system's. */
  readonly ca?: readonly string[];
  /** Name servers, as address or address:port. Default: the system's. Its hosts file is not read. */
  readonly nameServers?: readonly string[];
  /** All addresses of a host name. Default: what those say. */
  readonly resolve?: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
}

export interface GuardedRequest {
  readonly method: "GET" | "POST";
  /** Lower-case names. `host` and `content-length` are ours. */
  readonly headers?: Readonly<Record<string, string>>;
  /** At most 65,536 octets. */
  readonly body?: Bytes;
  /** For everything together, the look-up of the name included; default 10,000. */
  readonly timeoutMs?: number;
  /** Most octets of the answer's body; default 16,384. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** One exchange with an address that somebody else chose. */
export type GuardedFetch = (url: string, request: GuardedRequest) => Promise<Answer>;

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 16_384;
const MAX_BODY_BYTES = 65_536;
const MAX_HEADER_BYTES = 16_384;
/** Addresses of one name that are looked at; a name with more is refused. */
const MAX_ADDRESSES = 16;
/** Of those, how many are tried. */
const MAX_TRIES = 3;
const DNS_TIMEOUT_MS = 3_000;
const DNS_TRIES = 2;
/** The connection was never made: nothing was sent, and another address may be tried. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
]);

/**
 * Asks name servers by sockets of the event loop. The system's own resolver would hold one of the few threads that also
 * write to the disk, for as long as somebody else's name server likes.
 */
async function lookUp(
  nameServers: readonly string[] | undefined,
  host: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
  if (nameServers !== undefined) resolver.setServers(nameServers);
  const cancel = (): void => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    return found.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Where a request goes: the address was judged, and nothing is looked up again. */
interface Pinned {
  readonly url: URL;
  readonly address: string;
}

function optionsOf(
  { url, address }: Pinned,
  request: GuardedRequest,
  ca: readonly string[] | undefined,
): RequestOptions {
  const isTls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const { body, method, headers } = request;
  const tls = {
    // the name in certificate and greeting stays the host's; an address has none, and is compared as one
    ...(isIP(host) === 0 ? { servername: host } : { servername: "" }),
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: [...ca] }),
  };
  return {
    agent: false,
    host: address,
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    method,
    path: `${url.pathname}${url.search}`,
    headers: {
      ...headers,
      host: url.host,
      ...(body === undefined ? {} : { "content-length": String(body.length) }),
    },
    maxHeaderSize: MAX_HEADER_BYTES,
    ...(isTls ? tls : {}),
  };
}

/** Calls exactly this address. A redirect is an answer like others: nothing follows it. */
function exchange(
  pinned: Pinned,
  request: GuardedRequest,
  given: { readonly ca: readonly string[] | undefined; readonly signal: AbortSignal },
): Promise<Answer> {
  const options = { ...optionsOf(pinned, request, given.ca), signal: given.signal };
  const maxBytes = request.maxBytes ?? DEFAULT_MAX_BYTES;
  return new Promise((resolve, reject) => {
    const start = pinned.url.protocol === "https:" ? httpsRequest : httpRequest;
    const outgoing: ClientRequest = start(options);
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      let byteCount = 0;
      incoming.on("data", (chunk: Buffer) => {
        byteCount += chunk.length;
        chunks.push(chunk);
        if (byteCount > maxBytes) incoming.destroy(new Refusal("too_large", "the answer"));
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        const headers: Record<string, string> = {};
        for (const [name, value] of Object.entries(incoming.headers))
          if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
        const body = new Uint8Array(Buffer.concat(chunks));
        resolve({ status: incoming.statusCode ?? 0, headers, body });
      });
    });
    outgoing.end(request.body);
  });
}

const isNotConnected = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  NOT_CONNECTED.has(error.code);

/**
 * The one way to call a URL that somebody else chose (T45). Only https; every address of the host is judged and the
 * connection goes to one of those, so that a name server cannot say something else the second time; no redirect is
 * followed, no proxy asked, no connection kept; answers are bounded in time and size.
 * The function throws Refusal `address_refused`, `unreachable`, `untrusted_chain`, `too_large`.
 * @throws Refusal `configuration_invalid` for a network that is none
 */
export function createGuardedFetch(given: GuardedFetchOptions = {}): GuardedFetch {
  const { networks, insecureHttpOrigins = [], ca, nameServers } = given;
  const resolve =
    given.resolve ?? ((host: string, signal: AbortSignal) => lookUp(nameServers, host, signal));
  const mayCall = guardAddresses(networks);

  const addressesOf = async (url: URL, signal: AbortSignal): Promise<readonly string[]> => {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const addresses = isIP(host) === 0 ? await resolve(host, signal) : [host];
    if (addresses.length === 0) throw new Refusal("unreachable", "the host has no address");
    // one that may not be called spoils the others: a host that mixes them means to be chosen from
    if (addresses.length > MAX_ADDRESSES || !addresses.every(mayCall))
      throw new Refusal("address_refused", "the host is on a network that may not be called");
    return addresses.slice(0, MAX_TRIES);
  };

  const run = async (url: URL, request: GuardedRequest, signal: AbortSignal): Promise<Answer> => {
    const addresses = await addressesOf(url, signal);
    for (const [index, address] of addresses.entries())
      try {
        return await exchange({ url, address }, request, { ca, signal });
      } catch (error) {
        if (signal.aborted || index === addresses.length - 1 || !isNotConnected(error)) throw error;
      }
    throw new Refusal("unreachable", "the host has no address");
  };

  return async (text, request) => {
    const url = readForeignUrl(text, insecureHttpOrigins);
    if ((request.body?.length ?? 0) > MAX_BODY_BYTES) throw new Refusal("too_large", "the body");
    const ended = new AbortController();
    const end = (): void => ended.abort();
    if (request.signal?.aborted === true) throw new Refusal("unreachable", "ended before it began");
    request.signal?.addEventListener("abort", end, { once: true });
    const timer = setTimeout(end, request.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const stopped = new Promise<never>((_resolve, reject) => {
      const late = (): void => reject(new Refusal("unreachable", "no answer in time"));
      ended.signal.addEventListener("abort", late, { once: true });
    });
    try {
      // a resolver that does not heed its signal holds nobody longer than that
      return await Promise.race([run(url, request, ended.signal), stopped]);
    } catch (error) {
      throw unreachable(error);
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener("abort", end);
    }
  };
}
