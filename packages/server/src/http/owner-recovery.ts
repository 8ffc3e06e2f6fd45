import { base64url, isObject, Members, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Routes } from "@countersign/node";
import { findOwner } from "../cases/owners.ts";
import { recover } from "../cases/recoveries.ts";
import { cancelBySignature, cancelRecovery, openCancellation } from "../cases/recovery-cancel.ts";
import type { RecoveryRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { enrolledView, readPostedKey } from "./owner.ts";

const MAX_BODY_BYTES = 65_536;

function recoveryView({ id, owner, jkt, state, ...times }: RecoveryRow): JsonObject {
  const { announcedAt, enabledAt, decidedAt } = times;
  return {
    id,
    owner,
    jkt,
    state,
    announced_at: announcedAt,
    enabled_at: enabledAt,
    ...(decidedAt === undefined ? {} : { decided_at: decidedAt }),
  };
}

const query = (request: Request, name: string): string | undefined =>
  new URL(request.url).searchParams.get(name) ?? undefined;

async function list(w: World, request: Request): Promise<Response> {
  const name = query(request, "owner");
  const filter = name === undefined ? {} : { owner: (await findOwner(w, name)).id };
  return json({ recoveries: (await w.store.recoveries(filter)).map(recoveryView) });
}

/** Cancels with the owner's signature, or without any on the word of whoever holds the socket. */
async function cancel(w: World, request: Request, id: string, by: string): Promise<Response> {
  const posted = new Members(
    await readJsonBody(request, MAX_BODY_BYTES),
    "malformed_request",
    "cancellation",
  );
  const statement = posted.optional("statement", (name) =>
    posted.text(name, { maxLength: 12_000 }),
  );
  const sig = posted.raw("sig");
  posted.end();
  if ((statement === undefined) !== (sig === undefined))
    throw new Refusal("malformed_request", "statement and sig go together");
  if (statement === undefined) await cancelRecovery(w, id, by);
  else if (isObject(sig)) await cancelBySignature(w, id, { statement, sig });
  else throw new Refusal("malformed_request", "sig is not an object");
  return json({ cancelled: true });
}

/** The recovery of owners who lost every key (owner.md 1.10). @param by who acts without a signature, as the log names him */
export function recoveryRoutes(w: World, by: string): Routes<object> {
  return {
    "GET /v1/owner/recoveries": (request) => list(w, request),
    "POST /v1/owner/recoveries": async (request) => {
      const answer = await recover(w, await readPostedKey(request), by);
      return answer.state === "recovered"
        ? json({ state: answer.state, key: enrolledView(answer.row) })
        : json({ state: answer.state, recovery: recoveryView(answer.recovery) }, 202);
    },
    "GET /v1/owner/recoveries/:id/cancellation": async (request, _context, { id }) => {
      const denial = await openCancellation(w, id ?? "", query(request, "jkt") ?? "");
      return json({ jcs: base64url(denial.bytes), digest: denial.cs });
    },
    "POST /v1/owner/recoveries/:id/cancel": (request, _context, { id }) =>
      cancel(w, request, id ?? "", by),
  };
}
