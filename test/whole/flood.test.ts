// T26, T27: whoever holds a proxy and a user whose runs its owner counts as announced asks ten thousand times in an hour.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { entryId } from "../../packages/core/src/index.ts";
import type { JsonObject, Signer } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { enrolHost, enrolOwner, Host } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { DOMAIN, entryOf, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { StandInChannel } from "./notice-channel.ts";
import { makeNoticeScene, settle } from "./notice-scene.ts";
import type { NoticeScene } from "./notice-scene.ts";

const REQUESTS = 10_000;
const WAVES = 6;
const WAVE_SECONDS = 600; // an announcement, of a run too, counts once in ten minutes
const ENTRIES = 40;
/** Open questions of one owner through one proxy (DESIGN.md 14). */
const PLACES = 5;
const UNDER_WAY = 32;
const UID = 1001;
/** A bound against hanging: half a minute where nothing else runs. */
const LONGEST_MS = 300_000;

let scene: NoticeScene;
let alice: Owner;
let bob: Owner;
/** One for each of the proxy's entries: an anchor of its own, and one certificate. */
const flooding: Host[] = [];
let quiet: Host;
/** Takes nothing from the flooded owner. */
const stuck = new StandInChannel("stuck");
const receiver = new StandInChannel("receiver");
/** One for each, so that it is the signatures of the three objects that cost, as with a hostile client. */
const keys: Signer[] = [];
const answers = new Map<string, number>();
let mostOpen = 0;

async function register(name: string, owner: Owner, proxy: string): Promise<string> {
  const json = entryOf({ name, owner: owner.id, proxy });
  const { word } = await scene.rig.call("admin", "POST /v1/entries", { json });
  expect(word).toBe("200");
  return entryId(DOMAIN, name);
}

const admin = (what: string, json: JsonObject): Promise<Answered> =>
  scene.rig.call("admin", what, { json });

/** A run of the listed user: by the proxy's word, and it is the proxy's. */
function ask(host: Host, sub: string, key: Signer): Promise<Answered> {
  const run = { uid: UID, since: scene.rig.now() };
  return host.ask({ request: { sub }, evidence: { run }, key });
}

async function askAndCount(n: number, entries: readonly string[]): Promise<void> {
  const at = n % entries.length;
  const [host, entry, key] = [flooding[at], entries[at], keys[at]];
  if (host === undefined || entry === undefined || key === undefined) throw new Error("no entry");
  const { word } = await ask(host, entry, key);
  answers.set(word, (answers.get(word) ?? 0) + 1);
}

/** What one question of the other owner took, beside the flood. */
interface Served {
  readonly word: string;
  /** Groups of decisions that were released until it was answered. */
  readonly releases: number;
  /** Turns of the loop until his notice was delivered, after it was answered. */
  readonly turnsToNotice: number;
}

const noticesOf = (owner: Owner): number =>
  receiver.taken.filter((notice) => notice.owner === owner.id && notice.kind !== "key").length;

/** The other owner announces, his agent asks, and he is told. */
async function serve(entry: string): Promise<Served> {
  let releases = 0;
  const before = noticesOf(bob);
  await admin("POST /v1/owner/expectations", { agent: entry });
  const { rig, id, signer, certificate } = quiet;
  const host = new Host(rig, id, signer, certificate); // each entry has an anchor of its own
  const posted = await host.make({ request: { sub: entry } });
  const stop = scene.rig.world.store.subscribe(() => (releases += 1));
  const { word, body } = await host.post(posted);
  stop();
  let turns = 0;
  while (noticesOf(bob) === before && turns < 10_000) {
    turns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // his own places are as few as hers: each question is over before the next
  await bob.deny(textOf(body["id"]));
  return { word, releases, turnsToNotice: turns };
}

const entries: string[] = [];
const served: Served[] = [];
let alone: Served;
let rowsBefore = 0;

beforeAll(async () => {
  scene = await makeNoticeScene();
  const { rig } = scene;
  const proxy = await enrolHost(rig, "host-1");
  quiet = await enrolHost(rig, "host-2");
  [alice, bob] = [await enrolOwner(rig, "alice"), await enrolOwner(rig, "bob")];
  for (let n = 0; n < ENTRIES; n += 1) {
    entries.push(await register(`flood-${n}`, alice, proxy.id));
    flooding.push(new Host(rig, proxy.id, proxy.signer, proxy.certificate));
    keys.push(generateSigner());
  }
  for (let n = 0; n <= WAVES; n += 1) await register(`quiet-${n}`, bob, quiet.id);
  await admin("POST /v1/owner/starters?owner=alice", { host: "host-1", uid: UID, listed: true });
  // the flooded owner's own receiver takes nothing: that is hers alone
  stuck.answer = ({ owner }) => (owner === alice.id ? new Promise(() => undefined) : "delivered");
  for (const one of [stuck, receiver]) one.targets = (owner) => Promise.resolve([owner]);
  await scene.start([stuck, receiver]);
  alone = await serve(entryId(DOMAIN, "quiet-0"));
  rowsBefore = await rig.world.store.logSize();
  await flood();
}, LONGEST_MS);
afterAll(() => scene.close());

async function flood(): Promise<void> {
  let left = REQUESTS;
  for (let wave = 0; wave < WAVES; wave += 1) {
    // what calls for attention first: one question for each place, each expected; then all the others
    for (let n = 0; n < PLACES; n += 1) await askAndCount(n, entries);
    await settle();
    left -= PLACES;
    let inWave = wave === WAVES - 1 ? left : Math.floor(REQUESTS / WAVES) - PLACES;
    left -= inWave;
    const lane = async (): Promise<void> => {
      while (inWave > 0) {
        inWave -= 1;
        await askAndCount(inWave, entries);
      }
    };
    const lanes = Array.from({ length: UNDER_WAY }, lane);
    served.push(await serve(entryId(DOMAIN, `quiet-${wave + 1}`)));
    await Promise.all(lanes);
    const open = await scene.rig.world.store.asks({ owner: alice.id, state: "asked" });
    mostOpen = Math.max(mostOpen, open.length);
    await scene.pass(WAVE_SECONDS);
  }
}

describe("ten thousand questions of one proxy within an hour", () => {
  it("were asked", () => {
    expect([...answers.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
    // those of one moment may find that another was first, as often as it is tried
    const words = [...answers.keys()].filter((word) => word !== "indeterminate");
    expect(words.toSorted()).toEqual(["202", "approval_queue_full"]);
  });

  it("make ten notices at most for their owner, and one digest", () => {
    const kinds = receiver.taken
      .filter((notice) => notice.owner === alice.id)
      .map(({ kind }) => kind);
    const questions = kinds.filter((kind) => kind === "request").length;
    expect(questions).toBeGreaterThan(0);
    expect(questions).toBeLessThanOrEqual(10);
    expect(kinds.filter((kind) => kind === "digest").length).toBeLessThanOrEqual(1);
    expect(scene.withheld).toBeGreaterThan(0);
  });

  it("hold no more places, rows and memory than the limits say", async () => {
    const { store } = scene.rig.world;
    expect(mostOpen).toBeLessThanOrEqual(PLACES);
    // ten questions, a digest, and that her first key was added
    expect(scene.running.waiting).toBeLessThanOrEqual(12);
    expect((await store.notices()).length).toBeLessThanOrEqual(12);
    // each question that was put is a row; refusals are one a minute, of one caller
    const put = answers.get("202") ?? 0;
    const rows = (await store.logSize()) - rowsBefore;
    expect(rows).toBeLessThanOrEqual(put + WAVES * 4);
  });

  it("leave another owner's work as it was: as many commits, and his notice at once", () => {
    expect(alone).toMatchObject({ word: "202", releases: 1 });
    for (const one of served) {
      expect(one.word).toBe("202");
      // its own group, and one that was being written when it came
      expect(one.releases).toBeLessThanOrEqual(alone.releases + 1);
      expect(one.turnsToNotice).toBeLessThan(200);
    }
    expect(noticesOf(bob)).toBe(1 + WAVES);
  });
});
