import { Members } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Routes } from "@countersign/node";
import { findOwner } from "../cases/owners.ts";
import { addWebhook, findWebhook, removeWebhook, rotateWebhook } from "../cases/webhooks.ts";
import type { NewWebhook } from "../cases/webhooks.ts";
import type { Webhooks } from "../notices/webhooks.ts";
import type { WebhookRow } from "../store/notice-store.ts";
import type { World } from "../world.ts";

const MAX_BODY_BYTES = 8192;
const MAX_URL_LENGTH = 2048;

function webhookView(row: WebhookRow): JsonObject {
  const { id, owner, url, madeAt, oldUntil, failures, failingSince, disabledAt, disabledWhy } = row;
  return {
    id,
    owner,
    url,
    made_at: madeAt,
    failures,
    ...(oldUntil === undefined ? {} : { old_secret_until: oldUntil }),
    ...(failingSince === undefined ? {} : { failing_since: failingSince }),
    ...(disabledAt === undefined ? {} : { disabled_at: disabledAt }),
    ...(disabledWhy === undefined ? {} : { disabled_why: disabledWhy }),
  };
}

const newView = ({ row, secret }: NewWebhook): JsonObject => ({ ...webhookView(row), secret });

async function nothingPosted(request: Request): Promise<void> {
  new Members(await readJsonBody(request, MAX_BODY_BYTES), "malformed_request", "webhook").end();
}

async function list(w: World, request: Request): Promise<Response> {
  const name = new URL(request.url).searchParams.get("owner");
  const owner = name === null ? undefined : (await findOwner(w, name)).id;
  return json({ webhooks: (await w.store.webhooks(owner)).map(webhookView) });
}

/** Where owners' notices are posted to, on the admin socket. @param by who acts, as the log names him */
export function webhookRoutes(w: World, webhooks: Webhooks, by: string): Routes<object> {
  return {
    "GET /v1/owner/webhooks": (request) => list(w, request),
    "POST /v1/owner/webhooks": async (request) => {
      const body = await readJsonBody(request, MAX_BODY_BYTES);
      const posted = new Members(body, "malformed_request", "webhook");
      const name = posted.text("owner", { maxLength: 512 });
      const url = posted.text("url", { maxLength: MAX_URL_LENGTH });
      posted.end();
      return json(newView(await addWebhook(w, await findOwner(w, name), url, by)));
    },
    "POST /v1/owner/webhooks/:id/rotate": async (request, _context, { id = "" }) => {
      await nothingPosted(request);
      return json(newView(await rotateWebhook(w, id, by)));
    },
    "POST /v1/owner/webhooks/:id/test": async (request, _context, { id = "" }) => {
      await nothingPosted(request);
      const row = await findWebhook(w, id);
      const { isTaken, said } = await webhooks.test(row, by, request.signal);
      return json({ taken: isTaken, said });
    },
    "DELETE /v1/owner/webhooks/:id": async (_request, _context, { id = "" }) => {
      await removeWebhook(w, id, by);
      return json({ removed: true });
    },
  };
}
