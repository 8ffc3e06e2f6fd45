import { base64url, Members, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import { subscribePush, unsubscribePush } from "../cases/push-subscriptions.ts";
import { readPushSubscription } from "../push/subscription.ts";
import { applicationServerKey } from "../push/vapid.ts";
import type { Vapid } from "../push/vapid.ts";
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

function demandPush({ push }: World): Vapid {
  if (push === undefined)
    throw new Refusal(
      "not_found",
      "no notices are pushed here",
      "Ask your administrator to set push_contact.",
    );
  return push;
}

/** Where an owner's notices are pushed. */
export function pushRoutes(w: World): Readonly<Record<string, Signed>> {
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
  };
}
