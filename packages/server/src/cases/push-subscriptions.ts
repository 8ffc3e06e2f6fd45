import { pushSubscriptionId, Refusal } from "@countersign/core";
import type { JsonObject, LeafType } from "@countersign/core";
import { sendPush } from "../push/send.ts";
import type { PushSender } from "../push/send.ts";
import type { PushSubscription } from "../push/subscription.ts";
import type { PushSubscriptionRow } from "../store/push-store.ts";
import type { Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import type { OwnerSession } from "./owner-sessions.ts";
import { logRow } from "./record.ts";

/** Browsers of one owner that take notices; of more, the oldest gives way. */
export const MAX_PUSH_SUBSCRIPTIONS = 8;

type Pushed = Pick<PushSubscriptionRow, "id" | "owner" | "jkt" | "endpoint">;

/** The log says at which service, never where there: who knows an endpoint can write to it. */
function log(
  w: World,
  type: Extract<LeafType, `owner.push_${string}`>,
  { id, owner, jkt, endpoint }: Pushed,
  by: { readonly actor: "owner" | "server"; readonly reason?: string; readonly record: JsonObject },
): NonNullable<Decision["log"]> {
  const { actor, reason } = by;
  const service = new URL(endpoint).origin;
  const record = { v: 1, owner, subscription: id, key: jkt, service, ...by.record };
  const why = reason === undefined ? {} : { reason };
  return logRow(w, { type, t: w.clock(), actor, ...why, record });
}

const MAX_TRIES = 3;

/**
 * A browser of the owner takes notices from now on: as long as the key of this session is his, and until he or the browser
 * ends it. It gives the browser nothing but that. Where another owner has its endpoint, his ends first, under a log row of
 * its own: nobody's notices go silently.
 * @throws Refusal `session_needed`: the key is gone meanwhile
 */
export async function subscribePush(
  w: World,
  { owner, jkt }: OwnerSession,
  given: { readonly subscription: PushSubscription; readonly name: string },
): Promise<PushSubscriptionRow> {
  const { subscription, name } = given;
  const { endpoint, p256dh, auth } = subscription;
  const id = pushSubscriptionId(w.c, owner, endpoint);
  const row = { id, owner, jkt, endpoint, p256dh, auth, name, madeAt: w.clock() };
  const by = { actor: "owner", record: { by: `session of ${owner}` } } as const;
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const committed = await w.store.commit({
      log: log(w, "owner.push_subscribed", row, by),
      changes: [],
      push: [{ put: "pushSubscription", row, keep: MAX_PUSH_SUBSCRIPTIONS }],
    });
    if (committed !== "used" && committed !== "conflict") return row;
    const held = await w.store.pushSubscriptionAt(endpoint);
    if (held === undefined || held.owner === owner) break;
    await end(w, held, { actor: "server", reason: "taken", record: {} });
  }
  throw new Refusal("session_needed", "the key that signed in was removed or suspended");
}

/** One of this owner's; what is another's does not exist. @throws Refusal `not_found` */
export async function ownSubscription(
  w: World,
  { owner }: OwnerSession,
  id: string,
): Promise<PushSubscriptionRow> {
  const row = await w.store.pushSubscription(id);
  if (row === undefined || row.owner !== owner)
    throw new Refusal(
      "not_found",
      "no such device",
      "Look at the list of devices that take notices.",
    );
  return row;
}

/** The owner takes a browser of his from the list. @throws Refusal `not_found` */
export async function unsubscribePush(w: World, session: OwnerSession, id: string): Promise<void> {
  const row = await ownSubscription(w, session, id);
  await end(w, row, { actor: "owner", record: { by: `session of ${session.owner}` } });
}

/** A push service says that it knows an endpoint no more (RFC 8030 7.3): the browser ended it. */
export function endGonePush(w: World, row: PushSubscriptionRow): Promise<void> {
  return end(w, row, { actor: "server", reason: "gone", record: {} });
}

const TEST_LIFE_SECONDS = 60;

/**
 * Sends one notice to one browser of an owner, at his own wish.
 * @throws Refusal `not_found`: the browser has ended it; `unreachable`, `address_refused`, `untrusted_chain`
 */
export async function testPush(
  w: World,
  sender: PushSender,
  row: PushSubscriptionRow,
): Promise<void> {
  const message = { kind: "test", id: "test" } as const;
  const exp = w.clock() + TEST_LIFE_SECONDS;
  const outcome = await sendPush(w, sender, row, { message, exp });
  if (outcome === "delivered") return;
  if (outcome === "later")
    throw new Refusal(
      "unreachable",
      "the push service did not take it",
      "The push service of that browser does not take it now. Try again in a minute.",
    );
  await endGonePush(w, row);
  throw new Refusal(
    "not_found",
    "the browser has ended this subscription",
    "Turn notices on again on that device.",
  );
}

async function end(w: World, row: Pushed, by: Parameters<typeof log>[3]): Promise<void> {
  const committed = await w.store.commit({
    log: log(w, "owner.push_ended", row, by),
    changes: [],
    push: [{ drop: "pushSubscription", id: row.id }],
  });
  if (committed === "used" || committed === "conflict") throw new Refusal("stale");
}
