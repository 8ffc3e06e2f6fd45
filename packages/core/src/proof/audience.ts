import { Refusal } from "../refusal.ts";

/** An http or https address cut into what comparisons need; nothing is decoded or resolved. */
interface Address {
  /** Scheme and host in lower case, without the default port. */
  readonly base: string;
  /** As sent; `/` when empty. */
  readonly path: string;
  /** Query and fragment as sent, with their first character. */
  readonly rest: string;
}

// Host: registered name in A-label form, IPv4, or an IP literal. A backslash is a slash to some URL parsers.
const ADDRESS =
  /^(https?):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(\/[^?#\\"<>`\s]*)?([?#].*)?$/i;
const PRINTABLE = /^[\x21-\x7e]{1,2048}$/;
const DEFAULT_PORT: Readonly<Record<string, string>> = { http: "80", https: "443" };
const DOT_SEGMENT = /(?:^|\/|%2f|%5c)(?:\.|%2e){1,2}(?:\/|%2f|%5c|$)/i;

function parseAddress(text: string): Address | undefined {
  const [, scheme, host, port, path, rest] = PRINTABLE.test(text) ? (ADDRESS.exec(text) ?? []) : [];
  if (scheme === undefined || host === undefined) return undefined;
  const lower = scheme.toLowerCase();
  const shown = port === undefined || port === DEFAULT_PORT[lower] ? "" : `:${port}`;
  return {
    base: `${lower}://${host.toLowerCase()}${shown}`,
    path: path ?? "/",
    rest: rest ?? "",
  };
}

/**
 * The `aud` of a proof for a request to this address: scheme, host in lower case, port unless it is the default,
 * path as sent; no query, no fragment (draft-ietf-wimse-wpt-02 2, RFC 9110 7.1).
 * @throws Refusal `malformed_request` for anything but http and https addresses, or with user information
 */
export function audienceOf(url: string): string {
  const address = parseAddress(url);
  if (address === undefined) throw new Refusal("malformed_request", "not an http or https address");
  return address.base + address.path;
}

const LOOPBACK = /^http:\/\/(localhost|\[::1\]|127(\.\d{1,3}){3})[:/]/;

/**
 * The `aud` of a proof that may be made: for an `https` address, or for plain `http` to this machine where that is
 * allowed.
 * @throws Refusal `malformed_request`
 */
export function proofAudienceOf(url: string, isLoopbackAllowed: boolean): string {
  const audience = audienceOf(url);
  if (audience.startsWith("https://") || (isLoopbackAllowed && LOOPBACK.test(audience)))
    return audience;
  throw new Refusal(
    "malformed_request",
    "a proof is made for https addresses",
    "Call the service by https; plain http is for this machine, in development.",
  );
}

/** One spelling per audience: addresses by `base` and path, deployment-specific values as they are. */
function spelled(audience: string): string {
  const address = parseAddress(audience);
  return address === undefined ? audience : address.base + address.path + address.rest;
}

/**
 * Whether two audiences are the same after lower-casing scheme and host, dropping the default port and writing an
 * empty path as `/`. Nothing else is folded: no decoding, no dot segments, no trailing slash.
 */
export function sameAudience(a: string, b: string): boolean {
  return spelled(a) === spelled(b);
}

/**
 * Whether a location of a ceiling reaches a resource URI (formats 3): equal, or a prefix that ends in `/` or is
 * followed by `/`, without query and fragment. A resource with a dot segment, plain or encoded, matches nothing:
 * whoever resolves it would land outside of the prefix.
 */
export function matchesLocation(location: string, resourceUri: string): boolean {
  const allowed = parseAddress(location);
  const wanted = parseAddress(resourceUri);
  if (allowed === undefined || wanted === undefined) return false;
  if (allowed.base !== wanted.base || DOT_SEGMENT.test(wanted.path)) return false;
  if (allowed.path === wanted.path) return true;
  const prefix = allowed.path.endsWith("/") ? allowed.path : `${allowed.path}/`;
  return wanted.path.startsWith(prefix);
}
