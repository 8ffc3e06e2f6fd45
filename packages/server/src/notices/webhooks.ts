import { noticeWords, Refusal, utf8 } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import type { GuardedFetch } from "@countersign/node";
import { enableWebhook, noteFailure, noteSuccess, webhookSecrets } from "../cases/webhooks.ts";
import type { WebhookRow } from "../store/notice-store.ts";
import type { World } from "../world.ts";
import type { Notice, NoticeChannel } from "./notice.ts";
import { webhookHeaders } from "./standard-webhooks.ts";

/** Below the time that an attempt may take. */
const TIMEOUT_MS = 10_000;
/** What a receiver says is not read but for its status. */
const MAX_ANSWER_BYTES = 65_536;
const GONE = 410;
/** So that a receiver does not take a test for a notice that it missed. */
const TEST_TYPE = "webhook.test";

const TYPES: Readonly<Record<Notice["kind"], string>> = {
  request: "request.waiting",
  digest: "requests.digest",
  key: "key.changed",
};

/** What one attempt came to: the status, or the code of the refusal. */
export interface Attempt {
  readonly isTaken: boolean;
  readonly said: string;
}

function dataOf(notice: Notice): JsonObject {
  const { kind, request, agent, waiting, change, exp } = notice;
  const text = noticeWords(notice);
  if (kind === "request") return { request: request ?? "", agent: agent ?? "", until: exp, text };
  if (kind === "digest") return { waiting: waiting ?? 0, text };
  return { ...(change === undefined ? {} : { change }), text };
}

/** The body of a message: what kind, when, and nothing of what is asked. */
function bodyOf(type: string, at: number, data: JsonObject): string {
  return JSON.stringify({ type, timestamp: new Date(at * 1000).toISOString(), data });
}

/** Notices to addresses that owners named, signed as Standard Webhooks says: the id stays over all attempts. */
export class Webhooks implements NoticeChannel {
  readonly name = "webhook";
  readonly #world: World;
  readonly #fetch: GuardedFetch;

  /** @param fetch the guarded one: the addresses are somebody else's choice (T45) */
  constructor(world: World, fetch: GuardedFetch) {
    this.#world = world;
    this.#fetch = fetch;
  }

  async targets(owner: string): Promise<readonly string[]> {
    const rows = await this.#world.store.webhooks(owner);
    return rows.filter(({ disabledAt }) => disabledAt === undefined).map(({ id }) => id);
  }

  async deliver(
    notice: Notice,
    target: string,
    signal: AbortSignal,
  ): Promise<"delivered" | "gone" | "later"> {
    const row = await this.#world.store.webhook(target);
    if (row === undefined || row.disabledAt !== undefined || row.owner !== notice.owner)
      return "gone";
    const body = bodyOf(TYPES[notice.kind], notice.at, dataOf(notice));
    const { isTaken, said } = await this.#post(row, notice.id, body, signal);
    if (signal.aborted && !isTaken) return "later"; // no fault of the receiver's, as far as we know
    const now = await this.#world.store.webhook(target); // it may have been removed or rotated meanwhile
    if (now === undefined) return "gone";
    if (isTaken) {
      await noteSuccess(this.#world, now);
      return "delivered";
    }
    return (await noteFailure(this.#world, now, said === String(GONE))) ? "gone" : "later";
  }

  /**
   * Sends a message of its own kind, so that whoever sets a receiver up sees that it works. A webhook that was disabled works
   * again once one was taken.
   */
  async test(row: WebhookRow, by: string, signal: AbortSignal): Promise<Attempt> {
    const now = this.#world.clock();
    const id = `ntc_test_${now}`;
    const data = { text: "A test. Nothing waits for you." };
    const attempt = await this.#post(row, id, bodyOf(TEST_TYPE, now, data), signal);
    if (attempt.isTaken && row.disabledAt === undefined) await noteSuccess(this.#world, row);
    else if (attempt.isTaken) await enableWebhook(this.#world, row, by);
    return attempt;
  }

  async #post(row: WebhookRow, id: string, body: string, signal: AbortSignal): Promise<Attempt> {
    const now = this.#world.clock();
    const headers = webhookHeaders(webhookSecrets(this.#world, row, now), { id, now, body });
    try {
      const { status } = await this.#fetch(row.url, {
        method: "POST",
        headers: { ...headers, "user-agent": "countersign" },
        body: utf8(body),
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_ANSWER_BYTES,
        signal,
      });
      return { isTaken: status >= 200 && status <= 299, said: String(status) };
    } catch (error) {
      if (error instanceof Refusal) return { isTaken: false, said: error.code };
      throw error;
    }
  }
}
