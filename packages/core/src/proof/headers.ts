import { Refusal } from "../refusal.ts";
import { ProofRefusal } from "./refusal.ts";

/** Header field lines as received, one item a line, repeats included. Never a joined map: Node's drops lines. */
export type HeaderLines = readonly (readonly [name: string, value: string])[];

/** What a request presents for its caller. Nothing is verified yet. */
export interface Credentials {
  /** Compact JWS of `Workload-Identity-Token`. */
  readonly wit: string;
  /** Compact JWS of `Authorization: WPT`. */
  readonly proof: string;
}

const WIT_VALUE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const WPT_VALUE = /^wpt +([A-Za-z0-9._~+/-]+=*)$/i;

/** Without outer spaces and tabs (RFC 9110 5.5), in linear time: a pattern ending in `+$` is quadratic. */
function trimmed(value: string): string {
  const isSpace = (at: number): boolean => value[at] === " " || value[at] === "\t";
  let start = 0;
  let end = value.length;
  while (start < end && isSpace(start)) start += 1;
  while (end > start && isSpace(end - 1)) end -= 1;
  return value.slice(start, end);
}

/** Values of every line of one field, without outer white space. */
export function fieldLines(headers: HeaderLines, name: string): readonly string[] {
  return headers
    .filter(([field]) => field.toLowerCase() === name)
    .map(([, value]) => trimmed(value));
}

/**
 * Takes the WIT from the raw header lines (draft-ietf-wimse-workload-creds-02 5.1.1): exactly one line.
 * @throws Refusal `wit_missing`, `wit_repeated`, `malformed_token` (400)
 */
export function witOf(headers: HeaderLines): string {
  const [wit, ...more] = fieldLines(headers, "workload-identity-token");
  if (wit === undefined || wit === "") throw new Refusal("wit_missing");
  if (more.length > 0 || wit.includes(",")) throw new Refusal("wit_repeated");
  if (!WIT_VALUE.test(wit)) throw new Refusal("malformed_token", "not one compact JWS");
  return wit;
}

/**
 * Takes WIT and proof from the raw header lines (draft-ietf-wimse-workload-creds-02 5.1.1, wpt-02 2.2): exactly one
 * line of each, the authorization scheme in any case. Without any `Authorization` the challenge comes first.
 * @throws Refusal `wpt_missing` (401), `wit_missing`, `wit_repeated`, `malformed_token` (400)
 */
export function credentialsOf(headers: HeaderLines): Credentials {
  const authorization = fieldLines(headers, "authorization");
  if (authorization.length === 0) throw new ProofRefusal("wpt_missing", "no Authorization");
  const wit = witOf(headers);
  const [only, ...others] = authorization;
  const proof = others.length === 0 ? WPT_VALUE.exec(only ?? "")?.[1] : undefined;
  if (proof === undefined)
    throw new ProofRefusal("wpt_missing", "Authorization is not one WPT credential");
  return { wit, proof };
}
