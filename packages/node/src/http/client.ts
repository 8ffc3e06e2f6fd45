import { fromUtf8, parseJsonObject, Refusal, REFUSALS } from "@countersign/core";
import type { Bytes, JsonObject, RefusalCode } from "@countersign/core";
import { printable } from "../text.ts";
import type { Incoming, Target } from "./target.ts";

export interface CallOptions {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path and query, from `/` on. */
  readonly path: string;
  /** Sent as `application/json`. Not together with `body`. */
  readonly json?: object;
  /** Sent as it is; name its type in `headers`. */
  readonly body?: Bytes;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole exchange; default 10,000. */
  readonly timeoutMs?: number;
  /** Most octets of the answer's body; default 1,048,576. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Bytes;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty where the answer had no body. */
  readonly value: JsonObject;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 1_048_576;
const MAX_ANSWER_DEPTH = 16;
const MAX_NEXT_CHARACTERS = 400;

async function readAll(incoming: Incoming, maxBytes: number): Promise<Bytes> {
  const chunks: Bytes[] = [];
  let byteCount = 0;
  for await (const chunk of incoming.chunks) {
    byteCount += chunk.length;
    if (byteCount > maxBytes) throw new Refusal("too_large", `answer over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function exchange(
  target: Target,
  options: CallOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const body =
    options.json === undefined
      ? options.body
      : new TextEncoder().encode(JSON.stringify(options.json));
  const incoming = await target.send({
    method: options.method,
    path: options.path,
    headers: {
      ...(options.json === undefined ? {} : { "content-type": "application/json" }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body }),
    signal,
  });
  const read = await readAll(incoming, options.maxBytes ?? DEFAULT_MAX_BYTES);
  return { status: incoming.status, headers: incoming.headers, body: read };
}

/**
 * One exchange, bounded in time and size. Redirects are answers like others; nothing is retried: who calls knows
 * whether a request may be sent twice.
 * @throws Refusal `unreachable`, `untrusted_chain`, `too_large`, or what the target's `checkPeer` threw
 */
export async function call(target: Target, options: CallOptions): Promise<Answer> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  if (options.signal?.aborted === true) throw new Refusal("unreachable", "ended before it began");
  options.signal?.addEventListener("abort", end, { once: true });
  const timer = setTimeout(end, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  try {
    return await exchange(target, options, ended.signal);
  } catch (error) {
    if (ended.signal.aborted) throw new Refusal("unreachable", "no answer in time");
    throw error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", end);
  }
}

function isRefusalCode(reason: unknown): reason is RefusalCode {
  return typeof reason === "string" && Object.hasOwn(REFUSALS, reason);
}

/**
 * What the other side refused, as we would have thrown it: its reason if it is one of the closed set, and its `next`.
 * Anything else that is not a success is `unreachable`: there is nobody there who speaks this interface.
 */
export function refusalOf(answer: Answer): Refusal {
  const other = new Refusal("unreachable", `answered ${answer.status}`);
  if (!(answer.headers["content-type"] ?? "").startsWith("application/problem+json")) return other;
  try {
    const problem = parseJsonObject(answer.body, { maxBytes: 16_384, maxDepth: 8 });
    const { reason, next } = problem;
    if (!isRefusalCode(reason)) return other;
    const words =
      typeof next === "string" && next.length <= MAX_NEXT_CHARACTERS ? printable(next) : undefined;
    return new Refusal(reason, "said by the other side", words);
  } catch {
    return other;
  }
}

/**
 * As `call`, for JSON answers.
 * @throws Refusal the other side's own, `unreachable` for any other answer that is not 2xx, `malformed_json`, and what
 * `call` throws
 */
export async function callJson(target: Target, options: CallOptions): Promise<JsonAnswer> {
  const answer = await call(target, options);
  const { status, headers, body } = answer;
  if (status < 200 || status > 299) throw refusalOf(answer);
  if (body.length === 0) return { status, headers, value: {} };
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  return {
    status,
    headers,
    value: parseJsonObject(body, { maxBytes, maxDepth: MAX_ANSWER_DEPTH }),
  };
}

/** The body of an answer as text. @throws Refusal `malformed_json` when it is not UTF-8 */
export function textOf(answer: Answer): string {
  return fromUtf8(answer.body);
}
