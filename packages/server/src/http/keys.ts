import { Members, Refusal } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Endpoint } from "@countersign/node";
import { OVERLAP_SECONDS, rotateKeys } from "../cases/rotate.ts";
import type { KeyRing } from "../signer/key-ring.ts";
import type { World } from "../world.ts";

const MAX_BODY_BYTES = 4096;
const MAX_ACTIVATE_IN_SECONDS = 86_400;

/** `POST /v1/keys/rotate { wit?, ca?, activate_in? }` → the keys that were prepared. */
export const rotation =
  (w: World, ring: KeyRing): Endpoint<object> =>
  async (request) => {
    const posted = new Members(
      await readJsonBody(request, MAX_BODY_BYTES),
      "malformed_request",
      "rotation",
    );
    const flag = (name: string): boolean =>
      posted.optional(name, (given) => posted.flag(given)) ?? false;
    const order = {
      wit: flag("wit"),
      ca: flag("ca"),
      activateInSeconds:
        posted.optional("activate_in", (name) =>
          posted.integer(name, 0, MAX_ACTIVATE_IN_SECONDS),
        ) ?? OVERLAP_SECONDS,
    };
    posted.end();
    if (!order.wit && !order.ca) throw new Refusal("malformed_request", "wit or ca must be true");
    const prepared = await rotateKeys(w, ring, order);
    return json({ keys: prepared.map((key) => ({ ...key })) });
  };
