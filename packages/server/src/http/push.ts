import { base64url, Members, Refusal } from "@countersign/core";
import type { JsonObject, Seconds } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import {
  ownSubscription,
  subscribePush,
  testPush,
  unsubscribePush,
} from "../cases/push-subscriptions.ts";
import type { PushSender } from "../push/send.ts";
import { readPushSubscription } from "../push/subscription.ts";
import { applicationServerKey } from "../push/vapid.ts";
import type { PushSubscriptionRow } from "../store/push-store.ts";
import type { World } from "../world.ts";
import type { Signed } from "./own-keys.ts";

const MAX_BODY_BYTES = 4096;
const MAX_NAME_LENGTH = 100;

/** Without the endpoint: who reads a list needs no way to write to what is on it. */
const subscriptionView = (row: PushSubscriptionRow): JsonObject => ({
  id: row.id,
  name: row.name,
  service: new URL(row.endpoint).origin,
  key: row.jkt,
  made_at: row.madeAt,
});

function demandPush({ push }: World): PushSender {
  if (push === undefined)
    throw new Refusal(
      "not_found",
      "no notices are pushed here",
      "Ask your administrator to set push_contact.",
    );
  return push;
}

/** One test an owner and this long: each calls somebody else's server. */
const TEST_EVERY_SECONDS: Seconds = 5;

/** Remembers who tested lately. @throws Refusal `rate_limited` */
function testLimit(): (owner: string, now: Seconds) => void {
  const tested = new Map<string, Seconds>();
  return (owner, now) => {
    for (const [one, at] of tested)
      if (Math.abs(now - at) >= TEST_EVERY_SECONDS) tested.delete(one);
    if (tested.has(owner))
      throw new Refusal("rate_limited", "notices sent as a test", "Wait five seconds.");
    tested.set(owner, now);
  };
}

/** Where an owner's notices are pushed. */
export function pushRoutes(w: World): Readonly<Record<string, Signed>> {
  const mayTest = testLimit();
  return {
    "GET /v1/owner/push-subscriptions": async ({ owner }) => {
      const rows = await w.store.pushSubscriptions(owner);
      const key =
        w.push === undefined
          ? {}
          : { application_server_key: base64url(applicationServerKey(w.push.signer)) };
      return json({ ...key, subscriptions: rows.map(subscriptionView) });
    },
    "POST /v1/owner/push-subscriptions": async (session, request) => {
      demandPush(w);
      const body = await readJsonBody(request, MAX_BODY_BYTES);
      const posted = new Members(body, "malformed_request", "push subscription");
      const subscription = readPushSubscription(w.c, posted.raw("subscription"));
      const name = posted.text("name", { maxLength: MAX_NAME_LENGTH });
      posted.end();
      return json(subscriptionView(await subscribePush(w, session, { subscription, name })));
    },
    "DELETE /v1/owner/push-subscriptions/:id": async (session, _request, { id = "" }) => {
      await unsubscribePush(w, session, id);
      return json({ ended: true });
    },
    "POST /v1/owner/push-subscriptions/:id/test": async (session, request, { id = "" }) => {
      const sender = demandPush(w);
      const body = await readJsonBody(request, MAX_BODY_BYTES);
      new Members(body, "malformed_request", "test").end();
      const row = await ownSubscription(w, session, id);
      mayTest(session.owner, w.clock());
      await testPush(w, sender, row);
      return json({ sent: true });
    },
  };
}
