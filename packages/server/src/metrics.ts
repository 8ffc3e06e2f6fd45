import { isObject, parseJson, parseNote, readTreeHead } from "@countersign/core";
import type { Gauge, Handler, Metrics } from "@countersign/node";
import { habitsOfOwner } from "./cases/habits.ts";
import type { StateFeed } from "./feed/state-feed.ts";
import type { CommitOutcome, Decision } from "./store/store.ts";
import type { World } from "./world.ts";

/** Upper bounds in seconds: a commit is a sync of the disk and a signature. */
const COMMIT_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
];
/** Upper bounds in seconds: from nobody reads in less to the longest that a question waits by default. */
const SIGN_BUCKETS: readonly number[] = [1, 2, 5, 10, 30, 60, 300, 900, 3600];
/** Owners' habits are read for all of them, so not at every look. */
const HABITS_EVERY_SECONDS = 300;
const HABIT_SIGNS = ["signed_at_once", "always_approved"] as const;
const MAX_PROBLEM_BYTES = 65_536;

/** Counts and times every decision from the call to its answer: durable, and under a checkpoint. */
export function watchCommits(
  metrics: Metrics,
): (decision: Decision) => (outcome: CommitOutcome) => void {
  const decisions = metrics.counter(
    "countersign_decisions_total",
    "Decisions by type of their log row and by what became of them.",
  );
  const seconds = metrics.histogram(
    "countersign_commit_seconds",
    "Time until a decision was durable and under a checkpoint.",
    COMMIT_BUCKETS,
  );
  return ({ log }) => {
    const begun = performance.now();
    return (outcome) => {
      decisions.add({ type: log?.type ?? "unlogged", outcome });
      seconds.observe((performance.now() - begun) / 1000);
    };
  };
}

/** Times each signature from the first opening of its text, whole seconds; of nobody by name. */
export function timeSignatures(metrics: Metrics): NonNullable<World["onSigned"]> {
  const seconds = metrics.histogram(
    "countersign_time_to_sign_seconds",
    "From the first opening of a text to its signature, by persons and by machines.",
    SIGN_BUCKETS,
  );
  return ({ by, seconds: after }) => seconds.observe(after, { by });
}

/** Counts the owners whose habits are a sign that they sign unread; says no names. */
function readHabits(metrics: Metrics, w: World): Reading {
  const owners = metrics.gauge(
    "countersign_owners_with_sign",
    "Owners whose last decisions are a sign that texts are signed unread.",
  );
  let next = 0;
  return async () => {
    const now = w.clock();
    if (now < next && now > next - 2 * HABITS_EVERY_SECONDS) return;
    const counts = { signed_at_once: 0, always_approved: 0 };
    for (const owner of await w.store.owners())
      for (const sign of (await habitsOfOwner(w, owner)).signs) counts[sign] += 1;
    for (const sign of HABIT_SIGNS) owners.set(counts[sign], { sign });
    next = now + HABITS_EVERY_SECONDS;
  };
}

/** The reason in a problem document of ours: a code of the closed table. */
async function reasonOf(response: Response): Promise<string> {
  if (response.headers.get("content-type") !== "application/problem+json") return "";
  const text = await response.clone().text();
  const problem = parseJson(text, { maxBytes: MAX_PROBLEM_BYTES, maxDepth: 2 });
  const reason = isObject(problem) ? problem["reason"] : undefined;
  return typeof reason === "string" ? reason : "";
}

/** Counts the answers of listeners by status and, where they refuse, by reason. */
export function countAnswers(
  metrics: Metrics,
): <C extends object>(listener: string, app: Handler<C>) => Handler<C> {
  const answers = metrics.counter(
    "countersign_answers_total",
    "Answers by listener and status, refusals by their reason too.",
  );
  return (listener, app) => async (request, context) => {
    const response = await app(request, context);
    const reason = await reasonOf(response);
    answers.add({
      listener,
      status: String(response.status),
      ...(reason === "" ? {} : { reason }),
    });
    return response;
  };
}

/** What `GET /metrics` asks for: the text, after what changes without a decision was looked at. */
export interface Readings {
  render(): string | Promise<string>;
}

type Reading = () => Promise<void>;

function readStore(metrics: Metrics, { store, clock }: World): Reading {
  const gauge = (name: string, help: string): Gauge => metrics.gauge(`countersign_${name}`, help);
  const leaves = gauge("log_leaves", "Leaves in the log, under a checkpoint.");
  const asks = gauge("asks_open", "Questions that wait for an owner.");
  const grants = gauge("grants_live", "Approvals that have neither ended nor expired.");
  const stops = gauge("stops_in_force", "Stops that were not lifted.");
  const webhooks = gauge("webhooks_disabled", "Addresses of owners that took no notices for days.");
  return async () => {
    leaves.set(readTreeHead(parseNote(await store.checkpoint()).text).size);
    asks.set((await store.asks({ state: "asked" })).length);
    grants.set((await store.grants({ liveAt: clock() })).length);
    stops.set((await store.stops({ inForce: true })).length);
    webhooks.set((await store.webhooks()).filter((one) => one.disabledAt !== undefined).length);
  };
}

function readKeys(metrics: Metrics, { keys }: World): () => void {
  const end = metrics.gauge(
    "countersign_key_end_timestamp_seconds",
    "When the newest key or certificate of a use ends; nothing is issued after it.",
  );
  return () => {
    end.set(keys.agents.certificate.notAfter, { use: "agents_ca" });
    end.set(keys.infrastructure.certificate.notAfter, { use: "infrastructure_ca" });
    end.set(Math.max(0, ...keys.wit.map(({ exp }) => exp)), { use: "wit" });
  };
}

function countReleases(metrics: Metrics, { store }: World): () => void {
  const released = metrics.counter(
    "countersign_released_groups_total",
    "Groups of decisions released under a checkpoint.",
  );
  return store.subscribe(() => released.add());
}

/** Gauges of a running server. @returns what renders everything, and how to stop watching */
export function watchServer(
  metrics: Metrics,
  world: World,
  feed: StateFeed,
): Readings & { stop(): void } {
  const hold = metrics.gauge("countersign_hold", "1 while the server holds: nothing is issued.");
  const streams = metrics.gauge("countersign_state_streams", "Open state streams of proxies.");
  const readable = metrics.gauge(
    "countersign_store_readable",
    "0 when the store could not be read: gauges read from it are then those of the last time.",
  );
  metrics.gauge("countersign_start_time_seconds", "When this process started.").set(world.clock());
  const [store, keys] = [readStore(metrics, world), readKeys(metrics, world)];
  const habits = readHabits(metrics, world);
  const stop = countReleases(metrics, world);
  return {
    stop,
    render: async () => {
      hold.set(world.store.hold() === undefined ? 0 : 1);
      streams.set(feed.openStreams);
      keys();
      // a disk that is full is no reason to say nothing
      readable.set(
        await store()
          .then(habits)
          .then(
            () => 1,
            () => 0,
          ),
      );
      return metrics.render();
    },
  };
}
