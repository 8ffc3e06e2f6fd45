import { Refusal } from "@countersign/core";
import type { PostedRequest } from "@countersign/core";
import { jitteredDelayMs, pause } from "@countersign/node";
import type { Uplink } from "../uplink/server.ts";
import type { ProxyWorld } from "../world.ts";

const MAX_TRIES = 3;
const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 5000;

/** Whether nobody knows what became of the request. */
function isLost(error: unknown): boolean {
  return error instanceof Refusal && ["unreachable", "indeterminate"].includes(error.code);
}

/**
 * Posts a request, and the same octets again when the answer is lost: the server answers them with what it has decided
 * (DESIGN 4), so that no credential is issued for nobody and no approval for one is spent on nothing.
 * @throws Refusal as the server says, `unreachable`
 */
export async function postRequest(
  w: ProxyWorld,
  uplink: Uplink,
  posted: PostedRequest,
): ReturnType<Uplink["request"]> {
  for (let attempt = 0; ; attempt += 1)
    try {
      return await uplink.request(posted);
    } catch (error) {
      if (attempt + 1 === MAX_TRIES || !isLost(error)) throw error;
      const delayMs = jitteredDelayMs(w.random, attempt, FIRST_DELAY_MS, LONGEST_DELAY_MS);
      if (attempt > 0) await pause(w.timers, delayMs);
    }
}
