import type { Digest } from "../../packages/core/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { logRow, newSalt } from "../../packages/server/src/cases/record.ts";
import {
  askRow,
  digestOfWord,
  ENTRY,
  OWNER,
} from "../../packages/server/src/store/fixtures.testing.ts";
import type { AskRow } from "../../packages/server/src/store/rows.ts";
import type { Store } from "../../packages/server/src/store/store.ts";
import { makeRig } from "../../packages/server/src/world.testing.ts";
import type { Rig, RigOptions } from "../../packages/server/src/world.testing.ts";
import { Notices } from "../../packages/server/src/notices/dispatcher.ts";
import type { NoticeOutcome } from "../../packages/server/src/notices/deliveries.ts";
import type { NoticeChannel } from "../../packages/server/src/notices/notice.ts";

/** Lets everything go on that waits for no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A server in memory that tells owners what waits, and what it counted. */
export class NoticeScene {
  readonly rig: Rig;
  readonly timers: ManualTimers = new ManualTimers();
  readonly outcomes: string[] = [];
  withheld = 0;
  #count = 0;
  #running: Notices | undefined;

  constructor(rig: Rig) {
    this.rig = rig;
  }

  get running(): Notices {
    if (this.#running === undefined) throw new Error("it does not run");
    return this.#running;
  }

  /** Begins, or begins again as after a crash. @param store in place of the rig's */
  async start(channels: readonly NoticeChannel[], store?: Store): Promise<void> {
    this.#running?.close();
    const world = store === undefined ? this.rig.world : { ...this.rig.world, store };
    this.#running = new Notices(world, {
      channels,
      timers: this.timers,
      watch: (channel: string, outcome: NoticeOutcome) =>
        this.outcomes.push(`${channel} ${outcome}`),
      watchWithheld: () => {
        this.withheld += 1;
      },
    });
    await settle();
  }

  /** One question more, as the case of asking writes it. */
  async asked(change: Partial<AskRow> = {}): Promise<Digest> {
    this.#count += 1;
    const now = this.rig.now();
    const row = askRow({
      req: digestOfWord(`request ${this.#count}`),
      id: `ask-${this.#count}`,
      entry: `${ENTRY}-${this.#count}`,
      expected: true,
      createdAt: now,
      deadline: now + 3600,
      ...change,
    });
    const { owner, entry, req, expected, parties } = row;
    const record = {
      v: 1,
      owner,
      entry,
      req,
      expected,
      ...(parties === undefined ? {} : { parties }),
    };
    await this.rig.world.store.commit({
      log: logRow(this.rig.world, { type: "approval.asked", t: now, actor: "server", record }),
      changes: [...(await this.#superseded(entry)), { put: "ask", row }],
    });
    return req;
  }

  async #superseded(
    entry: string,
  ): Promise<readonly { set: "ask"; req: Digest; fields: object }[]> {
    const open = await this.rig.world.store.asks({ entry, state: "asked" });
    const decidedAt = this.rig.now();
    return open.map(({ req }) => ({ set: "ask", req, fields: { state: "superseded", decidedAt } }));
  }

  /** What happens to a key of an owner. */
  async key(change = "added", owner: string = OWNER): Promise<void> {
    const type = `key.${change}` as "key.removed"; // the tests name the others
    const record = { v: 1, owner, key: "k" };
    const salt = newSalt(this.rig.world);
    const forms = change === "added" ? [{ name: "key", salt, payload: salt }] : [];
    await this.rig.world.store.commit({
      log: logRow(this.rig.world, { type, t: this.rig.now(), actor: "admin", record, forms }),
      changes: [],
    });
  }

  /** Moves both clocks. */
  async pass(seconds: number): Promise<void> {
    await settle();
    this.rig.advance(seconds);
    this.timers.advance(seconds * 1000);
    await settle();
  }

  async close(): Promise<void> {
    this.#running?.close();
    await this.rig.close();
  }
}

export async function makeNoticeScene(options: RigOptions = {}): Promise<NoticeScene> {
  return new NoticeScene(await makeRig(options));
}
