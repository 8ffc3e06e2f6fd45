import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drawFrom, killAfter, makeCast, Remote } from "./crash-client.ts";
import type { Cast } from "./crash-client.ts";
import { checkAll, settle } from "./crash-checks.ts";
import { emptyLedger, Load } from "./crash-load.ts";

/** CRASH_RUNS and CRASH_SEED look further than CI does: scripts/crash.mjs. */
const RUNS = Number(process.env["CRASH_RUNS"] ?? 10);
const SEED = Number(process.env["CRASH_SEED"] ?? 1);
const WORKERS = 4;
const LONGEST_LIFE_MS = 500;
const LONGEST_START_MS = 700;

describe(`T48: SIGKILL at random instants, seed ${SEED}`, () => {
  let remote: Remote;
  let cast: Cast;
  let vkey = "";
  const ledger = emptyLedger();
  const draw = drawFrom(SEED);
  beforeAll(async () => {
    remote = await Remote.create();
    cast = await makeCast(remote);
    const { body } = await remote.call("admin", "GET /v1/status");
    vkey = (body["keys"] as { log: string }).log;
  });
  afterAll(() => remote.close());

  const load = (): Load => new Load(cast, ledger, draw);

  /** One life, ended in the middle. */
  async function live(): Promise<void> {
    const lives = Array.from({ length: WORKERS }, () => load().run());
    await Promise.all([...lives, killAfter(remote, 20 + draw() * LONGEST_LIFE_MS)]);
    if (draw() < 0.25) {
      remote.begin();
      await killAfter(remote, draw() * LONGEST_START_MS); // while it starts, too
    }
    await remote.start();
  }

  it(
    `${RUNS} times: nothing acknowledged is lost, nothing single-use works twice, the log only grows`,
    async () => {
      let rows = 0;
      for (let run = 1; run <= RUNS; run += 1) {
        try {
          await live();
          await checkAll(cast, ledger, vkey);
          await settle(cast, ledger, load(), draw);
          rows = await checkAll(cast, ledger, vkey);
        } catch (error) {
          throw new Error(`run ${run}, seed ${SEED}`, { cause: error });
        }
      }
      const issued = ledger.sent.filter(({ answer }) => answer?.word === "200").length;
      process.stdout.write(
        `crash: ${RUNS} runs, seed ${SEED}: ${rows} decisions, ${issued} credentials, ${ledger.approvals.length} approvals, ${ledger.halts.length} stops, ${ledger.enrolments.length} enrolments, ${ledger.repeats} repeats\n`,
      );
      expect(issued).toBeGreaterThan(0);
      await remote.running.stop();
      await remote.start();
      expect(await checkAll(cast, ledger, vkey)).toBe(rows);
    },
    60_000 + RUNS * 20_000,
  );
});
