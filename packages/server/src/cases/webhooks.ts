import { base64url, concat, Refusal, utf8 } from "@countersign/core";
import type { Bytes, LeafType, Seconds } from "@countersign/core";
import { readForeignUrl } from "@countersign/node";
import { webhookSecretText } from "../notices/standard-webhooks.ts";
import type { WebhookRow } from "../store/notice-store.ts";
import type { OwnerRow } from "../store/rows.ts";
import type { NoticeChange } from "../store/notice-store.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

const MAX_WEBHOOKS_PER_OWNER = 4;
const ID_BYTES = 9;
/** How long the secret before the newest one signs too. */
export const OLD_SECRET_SECONDS: Seconds = 86_400;
/** A webhook that took nothing for so long, and so often, is disabled. */
const GIVEN_UP_SECONDS: Seconds = 3 * 86_400;
const GIVEN_UP_FAILURES = 20;
const TAG = "countersign-webhook/1";

/** A webhook with its secret, which is shown this once. */
export interface NewWebhook {
  readonly row: WebhookRow;
  readonly secret: string;
}

/**
 * The secret of a webhook is never stored: it is what the server's MAC key makes of its id and generation. No other use of
 * that key has this form.
 */
function secretOf(w: Pick<World, "keys">, id: string, generation: number): Bytes {
  return w.keys.mac(concat(utf8(TAG), new Uint8Array([0]), utf8(`${id} ${generation}`)));
}

/** Secrets that sign now: the newest, and for a day the one before it. */
export function webhookSecrets(
  w: Pick<World, "keys">,
  { id, generation, oldUntil }: WebhookRow,
  now: Seconds,
): readonly Bytes[] {
  const newest = secretOf(w, id, generation);
  return oldUntil !== undefined && now < oldUntil
    ? [newest, secretOf(w, id, generation - 1)]
    : [newest];
}

/** The host alone: a path may hold what only the receiver and we know. */
const hostOf = ({ url }: WebhookRow): string => new URL(url).host;

async function commit(
  w: World,
  row: WebhookRow,
  how: {
    readonly type: LeafType;
    readonly actor: "admin" | "server";
    readonly by: string;
    readonly notices: readonly NoticeChange[];
  },
): Promise<void> {
  const { type, actor, by, notices } = how;
  const record = { v: 1, owner: row.owner, webhook: row.id, host: hostOf(row), by };
  const committed = await w.store.commit({
    log: logRow(w, { type, t: w.clock(), actor, record }),
    changes: [],
    notices,
  });
  if (committed === "conflict" || committed === "used") throw new Refusal("stale");
}

/** @throws Refusal `not_found` */
export async function findWebhook(w: World, id: string): Promise<WebhookRow> {
  const row = await w.store.webhook(id);
  if (row === undefined)
    throw new Refusal("not_found", "no such webhook", "See them: countersign owner webhook list.");
  return row;
}

/**
 * Adds an address that an owner's notices are posted to.
 * @throws Refusal `address_refused`; `rate_limited` above four of one owner; `name_taken` where he has it already
 */
export async function addWebhook(
  w: World,
  owner: OwnerRow,
  url: string,
  by: string,
): Promise<NewWebhook> {
  const { href } = readForeignUrl(url, w.config.insecureNoticeOrigins);
  const own = await w.store.webhooks(owner.id);
  if (own.some((one) => one.url === href))
    throw new Refusal("name_taken", "this owner has that address already", "Remove it first.");
  if (own.length >= MAX_WEBHOOKS_PER_OWNER)
    throw new Refusal("rate_limited", "too many webhooks of one owner", "Remove one first.");
  const row: WebhookRow = {
    id: `wh_${base64url(w.random(ID_BYTES))}`,
    owner: owner.id,
    url: href,
    generation: 1,
    madeAt: w.clock(),
    failures: 0,
  };
  await commit(w, row, {
    type: "admin.webhook_added",
    actor: "admin",
    by,
    notices: [{ put: "webhook", row }],
  });
  return { row, secret: webhookSecretText(secretOf(w, row.id, 1)) };
}

/** A new secret; the one before it signs too for a day, so that the receiver can change without a loss. @throws Refusal `not_found` */
export async function rotateWebhook(w: World, id: string, by: string): Promise<NewWebhook> {
  const before = await findWebhook(w, id);
  const generation = before.generation + 1;
  const oldUntil = w.clock() + OLD_SECRET_SECONDS;
  await commit(w, before, {
    type: "admin.webhook_rotated",
    actor: "admin",
    by,
    notices: [{ set: "webhook", id, fields: { generation, oldUntil } }],
  });
  return {
    row: { ...before, generation, oldUntil },
    secret: webhookSecretText(secretOf(w, id, generation)),
  };
}

/** Removes it, with all that waits for it. @throws Refusal `not_found` */
export async function removeWebhook(w: World, id: string, by: string): Promise<void> {
  const row = await findWebhook(w, id);
  await commit(w, row, {
    type: "admin.webhook_removed",
    actor: "admin",
    by,
    notices: [
      { drop: "webhook", id },
      { drop: "notices", channel: "webhook", target: id },
    ],
  });
}

/** Why a webhook gets nothing any more. */
export type WebhookEnd = "gone" | "failing";

/**
 * Notes an attempt that failed.
 * @param isGone the receiver said that it is no more
 * @returns whether the webhook is disabled now: an administrator removes it, or tries it with success
 */
export async function noteFailure(w: World, row: WebhookRow, isGone: boolean): Promise<boolean> {
  const now = w.clock();
  const failures = row.failures + 1;
  const failingSince = Math.min(row.failingSince ?? now, now);
  const { id } = row;
  const isGivenUp = failures >= GIVEN_UP_FAILURES && now - failingSince >= GIVEN_UP_SECONDS;
  if (!isGone && !isGivenUp) {
    const fields = { failures, failingSince };
    await w.store.commit({ changes: [], notices: [{ set: "webhook", id, fields }] });
    return false;
  }
  const disabledWhy: WebhookEnd = isGone ? "gone" : "failing";
  const fields = { failures, failingSince, disabledAt: now, disabledWhy };
  await commit(w, row, {
    type: "notice.webhook_disabled",
    actor: "server",
    by: disabledWhy,
    notices: [{ set: "webhook", id, fields }],
  });
  w.log.warn("notices.webhook_disabled", { webhook: id, why: disabledWhy });
  return true;
}

const WELL = {
  failures: 0,
  failingSince: undefined,
  disabledAt: undefined,
  disabledWhy: undefined,
} as const;

/** Notes that a message was taken. */
export async function noteSuccess(w: World, { id, failures }: WebhookRow): Promise<void> {
  if (failures === 0) return;
  await w.store.commit({ changes: [], notices: [{ set: "webhook", id, fields: WELL }] });
}

/** A webhook that was disabled works again, once a test was taken. @param by who tried it */
export async function enableWebhook(w: World, row: WebhookRow, by: string): Promise<void> {
  await commit(w, row, {
    type: "admin.webhook_enabled",
    actor: "admin",
    by,
    notices: [{ set: "webhook", id: row.id, fields: WELL }],
  });
}
