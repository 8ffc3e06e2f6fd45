import { Members, Refusal } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Routes } from "@countersign/node";
import { findOwner } from "../cases/owners.ts";
import { makeStopCodes, useStopCode } from "../cases/stop-codes.ts";
import type { StopCodeUse } from "../cases/stop-codes.ts";
import type { World } from "../world.ts";
import { AddressLimit } from "./address-limit.ts";

const MAX_BODY_BYTES = 1024;
const MAX_CODE_LENGTH = 64;

function useOf(posted: Members): StopCodeUse {
  const what = posted.choice("do", ["stop", "remove_key", "cancel_recovery"] as const);
  return what === "remove_key" ? { do: what, jkt: posted.thumbprint("jkt") } : { do: what };
}

/** @param mayTry asked once the body is one: throws where it was tried too often */
async function use(
  w: World,
  request: Request,
  mayTry: () => void = () => undefined,
): Promise<Response> {
  const body = await readJsonBody(request, MAX_BODY_BYTES);
  const posted = new Members(body, "malformed_request", "stop code");
  const code = posted.text("code", { maxLength: MAX_CODE_LENGTH, minLength: 0 });
  const what = useOf(posted);
  posted.end();
  mayTry();
  const { done, at, codesLeft } = await useStopCode(w, code, what);
  return json({ done, at, codes_left: codesLeft });
}

/** Printed codes on the admin socket: made and used. @param by who makes them, as the log names him */
export function stopCodeRoutes(w: World, by: string): Routes<object> {
  return {
    "POST /v1/owner/stop-codes": async (request) => {
      const body = await readJsonBody(request, MAX_BODY_BYTES);
      const posted = new Members(body, "malformed_request", "stop codes");
      const name = posted.text("owner", { maxLength: 512 });
      posted.end();
      const owner = await findOwner(w, name);
      return json({ owner: owner.id, codes: await makeStopCodes(w, owner, by) });
    },
    "POST /v1/owner/stop-codes/use": (request) => use(w, request),
  };
}

/** What is known of a connection on the public listener. */
export interface PublicContext {
  /** The caller's address, or that of an operator's proxy that `forwarded_by` does not name. */
  readonly address?: string;
}

/** Using a code needs no sign-in: so few of them, of one address and of all together. */
export function publicStopCodeRoutes(w: World): Routes<PublicContext> {
  const limit = new AddressLimit();
  return {
    "POST /v1/stop-codes/use": (request, { address }) =>
      use(w, request, () => {
        if (limit.takes(address ?? "", w.clock())) return;
        throw new Refusal("rate_limited", "stop codes", "Wait a minute, then type the code again.");
      }),
  };
}
