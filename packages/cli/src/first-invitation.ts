import type { JsonObject } from "@countersign/core";
import { Refusal } from "@countersign/core";
import type { Target } from "@countersign/node";
import { ENDED, madeLines } from "./commands/owner-invite.ts";
import type { RunningServer } from "./daemons.ts";
import { typed } from "./dev-banner.ts";
import { apiOf, list, number, text } from "./sockets.ts";
import type { LocalApi } from "./sockets.ts";
import { say } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

/** The owner that a first start is for; the commands that are shown name him. */
const OWNER = "me";

const hasKey = (owner: JsonObject): boolean =>
  list(owner, "keys").some((key) => key["removed_at"] === undefined);

const hasOwner = async (api: LocalApi): Promise<boolean> =>
  list(await api.get("/v1/owners"), "owners").some((owner) => hasKey(owner));

/** A code for the first passkey, where no owner has a key; undefined where one has, or where there is no console. */
export async function firstInvitation(admin: Target): Promise<JsonObject | undefined> {
  const api = apiOf(admin);
  if (await hasOwner(api)) return undefined;
  try {
    return await api.post("/v1/owner/invitations", { name: OWNER });
  } catch (error) {
    if (error instanceof Refusal && error.code === "configuration_invalid") return undefined;
    throw error;
  }
}

/** What has become of it; undefined where another one has taken its place. */
async function stateNow(api: LocalApi, made: JsonObject): Promise<JsonObject | undefined> {
  try {
    return await api.get(`/v1/owner/invitations/${encodeURIComponent(text(made, "id"))}`);
  } catch (error) {
    if (error instanceof Refusal && error.code === "not_found") return undefined;
    throw error;
  }
}

/**
 * Says once what became of the code: the characters to compare, or how to get another one. Nothing where an owner has
 * enrolled a key in the terminal meanwhile.
 * @returns what stops it
 */
export function followInvitation(
  cli: Cli,
  server: Pick<RunningServer, "onRelease">,
  admin: Target,
  made: JsonObject,
): () => void {
  const api = apiOf(admin);
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    clearTimeout(late);
    unwatch();
  };
  const look = async (): Promise<void> => {
    const now = await stateNow(api, made);
    if (isOver || (now !== undefined && text(now, "state") === "open")) return;
    stop();
    if (now === undefined) return;
    const state = text(now, "state");
    if (state === "over" && (await hasOwner(api))) return;
    const lines =
      state === "used"
        ? madeLines(cli, OWNER, text(now, "jkt"))
        : [
            `No passkey was made: ${ENDED[state] ?? state}. Another code: ${typed(cli, "owner", "invite", OWNER)}`,
          ];
    for (const line of lines) say(cli, line);
  };
  // what cannot be asked now is asked at the next decision, or at the end of the code
  const ask = (): void => void look().catch(() => undefined);
  const leftMs = (number(made, "expires_at") - number(made, "made_at") + 1) * 1000;
  const late = setTimeout(ask, leftMs);
  late.unref();
  const unwatch = server.onRelease(ask);
  return stop;
}
