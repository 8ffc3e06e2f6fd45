import { setTimeout as pause } from "node:timers/promises";
import { audienceOf, Refusal } from "@countersign/core";
import type { Seconds } from "@countersign/core";
import { readCredential, readProof, readWaiting } from "./answers.ts";
import type { Credential, Proof, Waiting } from "./answers.ts";
import type { Door } from "./door.ts";

/** What a proof is wanted for. */
export interface ProofRequest {
  /** Address that is called; the proof covers it without query and fragment. */
  readonly url: string;
  /** `Txn-Token` that is sent along. */
  readonly txn?: string;
  /** Token headers that are sent along and that the proof shall cover. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Also the owner's approval, as the value of `Agent-Owner-Evidence`. Only for who asked for it. */
  readonly evidence?: boolean;
}

export interface SessionOptions {
  readonly clock: () => Seconds;
  readonly note?: string;
  readonly waitSeconds: Seconds;
  readonly onWaiting?: (waiting: Waiting) => void;
}

/** The agent's side of its door: one credential, asked for anew before it ends. */
export interface Session {
  /** @throws Refusal the proxy's own, `waiting_for_owner`, `unreachable` */
  readonly credential: (signal?: AbortSignal) => Promise<Credential>;
  /** @throws Refusal as `credential`, and `outside_ceiling`, `outside_audiences`, `rate_limited` */
  readonly prove: (request: ProofRequest) => Promise<Proof>;
  /** Asks the proxy whatever is held. @throws Refusal as `credential` */
  readonly renew: () => Promise<Credential>;
  /** The proxy has another credential. */
  readonly superseded: () => void;
  /** Somebody stopped the agent: nothing held may be used. */
  readonly halted: () => void;
}

/** A credential this near to its end is asked for anew: it must live through the request it is sent with. */
export const MARGIN_SECONDS = 10;
const MAX_WAIT_SECONDS = 300;
export const CALL_TIMEOUT_MS = 30_000;
const BETWEEN_CALLS_MS = 1000;

/** What one call of the proxy gave: what was asked for, or that the owner is asked. */
export type Gained<T> = { readonly got: T } | { readonly waiting: Waiting };

async function askOnce(
  door: Door,
  note: string | undefined,
  wait: Seconds,
  signal: AbortSignal | undefined,
): Promise<Gained<Credential>> {
  const { status, value } = await door.call({
    method: "POST",
    path: `/v1/credential?wait=${wait}`,
    json: note === undefined ? {} : { note },
    timeoutMs: wait * 1000 + CALL_TIMEOUT_MS,
    signal,
  });
  return status === 202 ? { waiting: readWaiting(value) } : { got: readCredential(value) };
}

/** A proxy that said before that the owner is asked is being started anew: its question is still open. */
function isAway(error: unknown): boolean {
  return error instanceof Refusal && ["unreachable", "indeterminate"].includes(error.code);
}

/**
 * Asks until there is what is asked for, and says once for each code that the owner is asked.
 * @param once one call, which holds on for so many seconds while the owner is asked
 */
export async function askUntil<T>(
  { clock, waitSeconds, onWaiting }: SessionOptions,
  once: (wait: Seconds) => Promise<Gained<T>>,
  signal?: AbortSignal,
): Promise<T> {
  const until = clock() + waitSeconds;
  let wait = 0;
  let said: string | undefined;
  for (;;) {
    const askedAt = clock();
    let answer: Gained<T>;
    try {
      answer = await once(wait);
    } catch (error) {
      if (said === undefined || clock() >= until || !isAway(error)) throw error;
      await pause(BETWEEN_CALLS_MS, undefined, { signal });
      continue;
    }
    if ("got" in answer) return answer.got;
    const { code, next } = answer.waiting;
    if (code !== said) onWaiting?.(answer.waiting);
    said = code;
    const left = until - clock();
    if (left <= 0) throw new Refusal("waiting_for_owner", `code ${code}`, next);
    // a proxy that does not hold the call must not be called in a circle
    if (wait > 0 && clock() <= askedAt) await pause(BETWEEN_CALLS_MS, undefined, { signal });
    wait = Math.min(MAX_WAIT_SECONDS, left);
  }
}

/** Names in lower case, values without outer white space: what a proof covers. */
export function lowered(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]),
  );
}

async function proveOnce(
  door: Door,
  { url, txn, headers = {}, evidence }: ProofRequest,
): Promise<Proof> {
  const json = {
    aud: audienceOf(url),
    ...(txn === undefined ? {} : { txn }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: lowered(headers) }),
    ...(evidence === true ? { evidence } : {}),
  };
  const call = { method: "POST", path: "/v1/proof", json, timeoutMs: CALL_TIMEOUT_MS } as const;
  return readProof((await door.call(call)).value);
}

export function openSession(door: Door, options: SessionOptions): Session {
  const { clock } = options;
  let held: Credential | undefined;
  let asking: Promise<Credential> | undefined;

  /** All who ask at once wait for one answer. */
  async function askTogether(signal: AbortSignal | undefined): Promise<Credential> {
    try {
      asking ??= askUntil(options, (wait) => askOnce(door, options.note, wait, signal), signal);
      return (held = await asking);
    } finally {
      asking = undefined;
    }
  }

  function current(signal?: AbortSignal): Promise<Credential> {
    if (held !== undefined && clock() < held.expiresAt - MARGIN_SECONDS)
      return Promise.resolve(held);
    held = undefined;
    return askTogether(signal);
  }

  function forget(): void {
    held = undefined;
  }

  return {
    credential: current,
    renew: () => {
      held = undefined;
      return current();
    },
    superseded: forget,
    halted: forget,
    prove: async (request) => {
      try {
        return await proveOnce(door, request);
      } catch (error) {
        if (!(error instanceof Refusal && error.code === "no_credential")) throw error;
        held = undefined;
        await current();
        return proveOnce(door, request);
      }
    },
  };
}
