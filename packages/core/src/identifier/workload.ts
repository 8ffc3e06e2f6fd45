import { fromBase64url, hex } from "../bytes.ts";
import { isHash } from "../json/read.ts";
import { Refusal } from "../refusal.ts";

/** The URI schemes of workload identifiers. `spiffe` is issued by default; both are verified. */
export type Scheme = "spiffe" | "wimse";

/** Scheme and trust domain without a path: what trust anchors are bound to. Never a subject. */
export interface Origin {
  /** For example `spiffe://example.org`. */
  readonly origin: string;
  readonly scheme: Scheme;
  readonly trustDomain: string;
}

/** A workload identifier in its one canonical form. `uri` alone decides equality and authorisation. */
export interface WorkloadId extends Origin {
  readonly uri: string;
  /** The path's segments, at least one. */
  readonly segments: readonly string[];
}

/** Longest identifier and longest trust domain, in octets (draft-ietf-wimse-identifier-03 4.1, SPIFFE-ID 2.3). */
const MAX_URI_BYTES = 2048;

// Not WHATWG URL: it repairs what must be refused (`/a/../b`, `WIMSE:`, an empty port, an embedded tab).
const PATTERN: Readonly<Record<Scheme, RegExp>> = {
  wimse: /^wimse:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._~-]+)+)$/,
  spiffe: /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)+)$/,
};
const ORIGIN = /^(spiffe|wimse):\/\/([a-z0-9._-]{1,255})$/;
const DNS_LIKE = /^(?=.*[a-z])[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

function schemeOf(text: string): Scheme {
  if (text.startsWith("spiffe://")) return "spiffe";
  if (text.startsWith("wimse://")) return "wimse";
  throw new Refusal("invalid_identifier", "scheme is neither spiffe nor wimse");
}

/** SPIFFE-ID 2.1 forbids treating names that look like addresses differently; `wimse` has stricter labels. */
function checkTrustDomain(scheme: Scheme, trustDomain: string): void {
  if (scheme === "wimse" && !DNS_LIKE.test(trustDomain))
    throw new Refusal("invalid_identifier", "trust domain is not a DNS-like name");
}

/**
 * Reads a workload identifier. Only the canonical form passes and nothing is repaired, so that two spellings never
 * name one principal: no query, fragment, user, port, percent-encoding, dot segment, empty segment or bare origin
 * (draft-ietf-wimse-identifier 4, SPIFFE-ID 2). Use the result, never the text, from here on.
 * @throws Refusal `invalid_identifier`
 */
export function parseWorkloadId(text: unknown): WorkloadId {
  if (typeof text !== "string") throw new Refusal("invalid_identifier", "not a string");
  if (text.length > MAX_URI_BYTES) throw new Refusal("invalid_identifier", "over 2048 bytes");
  const scheme = schemeOf(text);
  const [, trustDomain, path] = PATTERN[scheme].exec(text) ?? [];
  if (trustDomain === undefined || path === undefined)
    throw new Refusal("invalid_identifier", "not in canonical form");
  checkTrustDomain(scheme, trustDomain);
  const segments = path.slice(1).split("/");
  if (segments.some((segment) => segment === "." || segment === ".."))
    throw new Refusal("invalid_identifier", "dot segment");
  return Object.freeze({
    uri: text,
    scheme,
    trustDomain,
    origin: `${scheme}://${trustDomain}`,
    segments: Object.freeze(segments),
  });
}

/**
 * Reads an origin such as `spiffe://example.org`.
 * @throws Refusal `invalid_identifier`
 */
export function parseOrigin(text: unknown): Origin {
  const [, , trustDomain] = (typeof text === "string" ? ORIGIN.exec(text) : null) ?? [];
  if (typeof text !== "string" || trustDomain === undefined)
    throw new Refusal("invalid_identifier", "not an origin");
  const scheme = schemeOf(text);
  checkTrustDomain(scheme, trustDomain);
  return Object.freeze({ origin: text, scheme, trustDomain });
}

/**
 * Reads the name of a trust domain of ours: a lower-case DNS-like name, at most 255 octets, at least one letter,
 * no empty label. Stricter than what `spiffe` allows strangers.
 * @throws Refusal `invalid_identifier`
 */
export function parseTrustDomain(text: unknown): string {
  if (typeof text !== "string" || text.length > 255 || !DNS_LIKE.test(text))
    throw new Refusal("invalid_identifier", "not a lower-case DNS-like name");
  return text;
}

/** What an identifier of ours names. The kinds never overlap: they differ in first segment or in length. */
export type Name =
  | { readonly kind: "entry"; readonly id: WorkloadId; readonly td: string; readonly name: string }
  | {
      readonly kind: "agent";
      readonly id: WorkloadId;
      readonly td: string;
      readonly name: string;
      /** Id of the registration entry that the agent belongs to. */
      readonly entry: string;
      /** First 8 octets of the anchor's thumbprint as 16 lower-case hexadecimal digits. */
      readonly anchorPrefix: string;
    }
  | { readonly kind: "proxy"; readonly id: WorkloadId; readonly td: string; readonly name: string }
  | {
      readonly kind: "gateway";
      readonly id: WorkloadId;
      readonly td: string;
      readonly name: string;
    }
  | { readonly kind: "server"; readonly id: WorkloadId; readonly td: string };

const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const ANCHOR_PREFIX = /^[0-9a-f]{16}$/;

/**
 * Reads the name of an entry or proxy: `[a-z0-9][a-z0-9._-]{0,62}`.
 * @throws Refusal `invalid_identifier`
 */
export function parseNameSegment(text: unknown): string {
  if (typeof text !== "string" || !NAME.test(text))
    throw new Refusal("invalid_identifier", "name is not [a-z0-9][a-z0-9._-]{0,62}");
  return text;
}

/**
 * Reads an identifier of ours and tells what it names.
 * @throws Refusal `invalid_identifier` for anything that is not an entry, agent, proxy, gateway or server
 */
export function parseName(text: unknown): Name {
  const id = parseWorkloadId(text);
  const td = parseTrustDomain(id.trustDomain);
  const [kind, name, anchorPrefix, ...rest] = id.segments;
  if (kind === "server" && name === undefined) return { kind, id, td };
  if (rest.length === 0 && name !== undefined && NAME.test(name)) {
    if ((kind === "proxy" || kind === "gateway") && anchorPrefix === undefined)
      return { kind, id, td, name };
    if (kind === "agent" && anchorPrefix === undefined) return { kind: "entry", id, td, name };
    if (kind === "agent" && anchorPrefix !== undefined && ANCHOR_PREFIX.test(anchorPrefix))
      return { kind, id, td, name, anchorPrefix, entry: `${id.origin}/agent/${name}` };
  }
  throw new Refusal(
    "invalid_identifier",
    "not the name of an entry, agent, proxy, gateway or server",
  );
}

function originOf(td: string, scheme: Scheme): string {
  return `${scheme}://${parseTrustDomain(td)}`;
}

/** `spiffe://<td>/agent/<name>`. @throws Refusal `invalid_identifier` */
export function entryId(td: string, name: string, scheme: Scheme = "spiffe"): string {
  return `${originOf(td, scheme)}/agent/${parseNameSegment(name)}`;
}

/** `spiffe://<td>/proxy/<name>`. @throws Refusal `invalid_identifier` */
export function proxyId(td: string, name: string, scheme: Scheme = "spiffe"): string {
  return `${originOf(td, scheme)}/proxy/${parseNameSegment(name)}`;
}

/** `spiffe://<td>/gateway/<name>`. @throws Refusal `invalid_identifier` */
export function gatewayId(td: string, name: string, scheme: Scheme = "spiffe"): string {
  return `${originOf(td, scheme)}/gateway/${parseNameSegment(name)}`;
}

/** `spiffe://<td>/server`. @throws Refusal `invalid_identifier` */
export function serverId(td: string, scheme: Scheme = "spiffe"): string {
  return `${originOf(td, scheme)}/server`;
}

/**
 * The agent's id: its entry's id, `/`, and the first 8 octets of the anchor's RFC 7638 thumbprint in hexadecimal
 * (formats 1).
 * @throws Refusal `invalid_identifier`
 */
export function agentId(entry: string, anchorJkt: string): string {
  if (parseName(entry).kind !== "entry") throw new Refusal("invalid_identifier", "not an entry id");
  if (!isHash(anchorJkt)) throw new Refusal("invalid_identifier", "not a thumbprint");
  return `${entry}/${hex(fromBase64url(anchorJkt).subarray(0, 8))}`;
}

/**
 * The id of the entry that an agent id belongs to.
 * @throws Refusal `invalid_identifier` when it is not an agent's id
 */
export function agentEntryOf(agent: string): string {
  const name = parseName(agent);
  if (name.kind !== "agent") throw new Refusal("invalid_identifier", "not an agent id");
  return name.entry;
}
