import type { PushMessage } from "@countersign/core";
import { endGonePush } from "../cases/push-subscriptions.ts";
import type { Notice, NoticeChannel } from "../notices/notice.ts";
import type { World } from "../world.ts";
import { sendPush } from "./send.ts";
import type { PushOutcome, PushSender } from "./send.ts";

/** Of a notice what goes to a browser: neither owner nor request. */
function messageOf({ id, kind, agent, waiting, change }: Notice): PushMessage {
  return {
    id,
    kind,
    ...(agent === undefined ? {} : { agent }),
    ...(waiting === undefined ? {} : { waiting }),
    ...(change === undefined ? {} : { change }),
  };
}

/** Notices to the browsers that owners have named, each a target of its own (RFC 8030). */
export class PushChannel implements NoticeChannel {
  readonly name = "push";
  readonly #world: World;
  readonly #sender: PushSender;

  constructor(world: World, sender: PushSender) {
    this.#world = world;
    this.#sender = sender;
  }

  async targets(owner: string): Promise<readonly string[]> {
    return (await this.#world.store.pushSubscriptions(owner)).map(({ id }) => id);
  }

  async deliver(notice: Notice, target: string, signal: AbortSignal): Promise<PushOutcome> {
    // read again: the key may have been removed since the notice was made, and its browsers with it
    const row = await this.#world.store.pushSubscription(target);
    if (row === undefined || row.owner !== notice.owner) return "gone";
    const { exp } = notice;
    const given = { message: messageOf(notice), exp, signal };
    const outcome = await sendPush(this.#world, this.#sender, row, given);
    if (outcome === "gone") await endGonePush(this.#world, row);
    return outcome;
  }
}
