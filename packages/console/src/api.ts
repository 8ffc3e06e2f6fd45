import { parseJsonObject } from "@countersign/core";
import type { JsonObject } from "@countersign/core";

/** What the server refused, in its own words (RFC 9457): what happened, and what to do next. */
export class Problem extends Error {
  readonly status: number;
  readonly reason: string;
  readonly next: string;

  constructor(status: number, reason: string, title: string, next: string) {
    super(title);
    this.status = status;
    this.reason = reason;
    this.next = next;
  }
}

/** The server was not reached. */
export class Unreachable extends Error {}

export interface Api {
  /** Seconds since the epoch, by the clock of the server as its last answer told it. */
  now(): number;
  get(path: string): Promise<JsonObject>;
  post(path: string, json: JsonObject): Promise<JsonObject>;
  remove(path: string): Promise<JsonObject>;
  /** The answer as it comes, for events. */
  open(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response>;
}

/** A clock of whole seconds, told late: a smaller difference says nothing. */
const CLOCK_JITTER_MS = 2000;

/** How far this browser's clock is behind the server's, in milliseconds. */
export class ServerClock {
  #aheadMs = 0;

  /** @param date a `Date` header (RFC 9110 6.6.1) */
  hear(date: string | null, nowMs: number): void {
    const aheadMs = Date.parse(date ?? "") - nowMs;
    if (Math.abs(aheadMs - this.#aheadMs) > CLOCK_JITTER_MS) this.#aheadMs = aheadMs;
  }

  now(nowMs: number): number {
    return Math.floor((nowMs + this.#aheadMs) / 1000);
  }
}

const SESSION_HEADER = "countersign-session";
const MAX_ANSWER_BYTES = 4_194_304;
const LIMITS = {
  maxBytes: MAX_ANSWER_BYTES,
  maxDepth: 32,
  nullAllowed: true,
  fractionsAllowed: true,
};

const MAX_PROBLEM_BYTES = 65_536;
const MAX_SENTENCE_CHARACTERS = 600;
/** A call that is not answered in time was not answered. */
const ANSWER_MS = 30_000;

/** The octets of an answer, and no more than so many. @throws RangeError */
export async function readUpTo(response: Response, maxBytes: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done || value === undefined) break;
    length += value.length;
    if (length > maxBytes) {
      await reader?.cancel();
      throw new RangeError("an answer without end");
    }
    pieces.push(value);
  }
  const octets = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    octets.set(piece, at);
    at += piece.length;
  }
  return octets;
}

/** A problem document that cannot be read says nothing: then the status alone is told. */
async function problemOf(response: Response): Promise<Problem> {
  const said = await readUpTo(response, MAX_PROBLEM_BYTES)
    .then((octets) => parseJsonObject(octets, LIMITS))
    .catch((): JsonObject => ({}));
  const of = (name: string): string | undefined => {
    const { [name]: value } = said;
    return typeof value === "string" ? value.slice(0, MAX_SENTENCE_CHARACTERS) : undefined;
  };
  return new Problem(
    response.status,
    of("reason") ?? "unknown",
    of("title") ?? `The server answered ${response.status}`,
    of("next") ?? "Try again; if it stays so, tell your administrator.",
  );
}

/**
 * The calls of one session. The token is a header, never a cookie that another page could ride on, where the server
 * gave one; on https the server keeps the session in a cookie of its own origin.
 * @param tokenOf the session's token, if it has one
 */
export function apiOf(fetched: typeof fetch, tokenOf: () => string | undefined): Api {
  const clock = new ServerClock();
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const token = tokenOf();
    const headers = new Headers(init.headers);
    // a custom header, so that no page of another origin can make this call without being asked first
    headers.set(SESSION_HEADER, token ?? "cookie");
    try {
      const sent = { ...init, headers, cache: "no-store", redirect: "error" } as const;
      const response = await fetched(path, sent);
      clock.hear(response.headers.get("date"), Date.now());
      return response;
    } catch {
      throw new Unreachable("the server was not reached");
    }
  };
  const call = async (path: string, init: RequestInit): Promise<JsonObject> => {
    const response = await send(path, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw await problemOf(response);
    return parseJsonObject(await readUpTo(response, MAX_ANSWER_BYTES), LIMITS);
  };
  const headers = { "content-type": "application/json" };
  return {
    now: () => clock.now(Date.now()),
    get: (path) => call(path, {}),
    post: (path, json) => call(path, { method: "POST", headers, body: JSON.stringify(json) }),
    remove: (path) => call(path, { method: "DELETE" }),
    open: async (path, more, signal) => {
      const response = await send(path, { headers: more, signal });
      if (!response.ok) throw await problemOf(response);
      return response;
    },
  };
}
