import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import type { Loss } from "../../packages/server/src/store/faulty.testing.ts";
import { ENTRY, OWNER } from "../../packages/server/src/store/fixtures.testing.ts";
import { StandInChannel } from "./notice-channel.ts";
import { makeNoticeScene, settle } from "./notice-scene.ts";
import type { NoticeScene } from "./notice-scene.ts";

const SECOND = "urn:agent-owner:example.org:owner-two";

let scene: NoticeScene;
let channel: StandInChannel;
beforeEach(async () => {
  scene = await makeNoticeScene();
  channel = new StandInChannel();
});
afterEach(() => scene.close());

const told = (): readonly string[] =>
  channel.taken.map(({ kind, request, change, waiting }) =>
    [kind, request ?? change ?? waiting].join(" "),
  );

describe("what owners are told (owner.md 1.7)", () => {
  it("is that something waits, and nothing of what", async () => {
    await scene.start([channel]);
    await scene.asked({
      reasons: [{ code: "first_approval", text: "SECRET" }],
      note: "SECRET",
    } as object);
    await settle();
    const [notice] = channel.taken;
    expect(notice).toEqual({
      id: expect.stringMatching(/^ntc_[A-Za-z0-9_-]{22}$/) as string,
      owner: OWNER,
      kind: "request",
      request: "ask-1",
      agent: "mailer-1",
      at: scene.rig.now(),
      exp: scene.rig.now() + 3600,
    });
    expect(JSON.stringify(notice)).not.toContain("SECRET");
  });

  it.each([
    ["one that nobody announced (T20)", { expected: false }],
    ["one that was decided before it came to that", { state: "denied" }],
    ["one whose time was over before it came to that", { deadline: 1_800_000_000 }],
  ] as const)("no question makes a notice that calls for nobody: %s", async (_what, change) => {
    await scene.start([channel]);
    await scene.asked(change);
    await settle();
    expect(channel.tried).toEqual([]);
    expect(await scene.rig.world.store.notices()).toEqual([]);
  });

  it("a question that turned out unexpected before it was told is not told", async () => {
    const req = await scene.asked({ entry: ENTRY });
    await scene.rig.world.store.commit({
      changes: [{ set: "ask", req, fields: { expected: false } }],
    });
    await scene.start([channel]);
    expect(told()).toEqual([]);
  });

  it("each of several owners is told, by a notice of his own", async () => {
    await scene.start([channel]);
    await scene.asked({ parties: { m: 2, owners: [OWNER, SECOND] } });
    await settle();
    expect(channel.taken.map(({ owner }) => owner)).toEqual([OWNER, SECOND]);
    expect(new Set(channel.taken.map(({ id }) => id)).size).toBe(2);
  });

  it("an owner hears what happens to his keys, also when his budget is used up", async () => {
    await scene.start([channel]);
    for (let n = 0; n < 12; n += 1) await scene.asked();
    for (const change of ["added", "removed", "suspended", "recovery_announced"])
      await scene.key(change);
    await settle();
    expect(told().slice(10)).toEqual([
      "key added",
      "key removed",
      "key suspended",
      "key recovery_announced",
    ]);
  });

  it("nothing is kept for who has no target", async () => {
    channel.at = [];
    await scene.start([channel]);
    await scene.asked();
    await settle();
    expect(await scene.rig.world.store.notices()).toEqual([]);
    channel.at = ["1"];
    await scene.start([channel]);
    expect(told()).toEqual([]);
  });

  it("each target of each channel gets it once", async () => {
    const other = new StandInChannel("other");
    channel.at = ["1", "2"];
    await scene.start([channel, other]);
    await scene.asked();
    await settle();
    expect(channel.tried.map(({ target }) => target)).toEqual(["1", "2"]);
    expect(other.taken).toHaveLength(1);
    expect(await scene.rig.world.store.notices()).toEqual([]);
  });
});

describe("the budget and its digest", () => {
  it.each([
    ["of one agent", { entry: ENTRY }, 3, 1],
    ["of many agents", {}, 10, 20],
  ])(
    "twenty questions %s: few notices, and then a digest",
    async (_what, change, sent, waiting) => {
      await scene.start([channel]);
      for (let n = 0; n < 20; n += 1) await scene.asked(change);
      await settle();
      expect(told()).toHaveLength(sent);
      expect(scene.withheld).toBe(20 - sent);
      await scene.pass(599);
      expect(told()).toHaveLength(sent);
      await scene.pass(1);
      expect(told().slice(sent)).toEqual([`digest ${waiting}`]);
    },
  );

  it("a digest comes once an hour, and only while something waits", async () => {
    await scene.start([channel]);
    for (let n = 0; n < 11; n += 1) await scene.asked();
    await scene.pass(600);
    await scene.asked({ deadline: scene.rig.now() + 86_400 });
    await scene.pass(600);
    expect(told().filter((one) => one.startsWith("digest"))).toEqual(["digest 11"]);
    await scene.pass(3000);
    // the others' time is over: one waits
    expect(told().filter((one) => one.startsWith("digest"))).toEqual(["digest 11", "digest 1"]);
    await scene.pass(86_400);
    expect(told().filter((one) => one.startsWith("digest"))).toHaveLength(2);
  });

  it("what was withheld is not forgotten when the server starts anew", async () => {
    await scene.start([channel]);
    for (let n = 0; n < 11; n += 1) await scene.asked();
    await settle();
    await scene.start([channel]);
    await scene.asked();
    await settle();
    expect(told()).toHaveLength(10);
    await scene.pass(600);
    expect(told().slice(10)).toEqual(["digest 12"]);
  });

  it("one owner's flood uses up nobody else's budget", async () => {
    await scene.start([channel]);
    for (let n = 0; n < 20; n += 1) await scene.asked();
    await scene.asked({ owner: SECOND });
    await settle();
    expect(channel.taken.filter(({ owner }) => owner === SECOND)).toHaveLength(1);
  });
});

describe("a cursor on the log", () => {
  it("what was asked while nobody told it is told at the next start, once", async () => {
    await scene.asked();
    await scene.start([channel]);
    await scene.start([channel]);
    expect(told()).toEqual(["request ask-1"]);
  });

  it("a log that a recovery has started is told from its beginning", async () => {
    const cursor = { log: 7, seq: 5000 };
    const { store } = scene.rig.world;
    await store.commit({ changes: [], notices: [{ put: "noticeCursor", cursor }] });
    await scene.asked();
    await scene.start([channel]);
    expect(told()).toEqual(["request ask-1"]);
  });

  it("a crash repeats what was in flight, with the same id, and loses none", async () => {
    channel.answer = () => new Promise(() => undefined);
    await scene.start([channel]);
    await scene.asked();
    await scene.asked();
    await settle();
    expect(channel.tried).toHaveLength(1);
    channel.answer = () => "delivered";
    await scene.start([channel]);
    expect(told()).toEqual(["request ask-1", "request ask-2"]);
    expect(new Set(channel.tried.map(({ notice }) => notice.id)).size).toBe(2);
  });

  it.each(["lost-before", "lost-after"] as Loss[])(
    "a commit that is %s neither loses a notice nor tells it twice",
    async (loss) => {
      await scene.start([channel], faulty(scene.rig.world.store, "commit", loss));
      await scene.asked();
      await settle();
      await scene.pass(2);
      expect(told()).toEqual(["request ask-1"]);
      await scene.asked();
      await settle();
      expect(told()).toEqual(["request ask-1", "request ask-2"]);
    },
  );

  it.each(["logRowsOf", "noticeCursor", "notices", "noticeBudget", "ask"] as const)(
    "a read of %s that fails is done again",
    async (method) => {
      await scene.start([channel], faulty(scene.rig.world.store, method, "lost-before"));
      await scene.asked();
      await settle();
      await scene.pass(2);
      expect(told()).toEqual(["request ask-1"]);
    },
  );

  it("rows that tell nobody anything move it on, so that a restart does not look through them", async () => {
    await scene.start([channel]);
    const { store } = scene.rig.world;
    const before = await store.noticeCursor();
    for (let n = 0; n < 1001; n += 1) await scene.key("enrolled");
    await settle();
    expect((await store.noticeCursor()).seq).toBeGreaterThanOrEqual(before.seq + 1000);
  });

  it("a fault of ours in one row holds up none of the others", async () => {
    const broken = new StandInChannel("broken");
    broken.targets = (owner) =>
      owner === SECOND ? Promise.reject(new TypeError("a fault")) : Promise.resolve(["1"]);
    await scene.start([channel, broken]);
    await scene.asked({ owner: SECOND });
    await scene.asked();
    await settle();
    expect(broken.taken.map(({ request }) => request)).toEqual(["ask-2"]);
  });

  it("what the closed server was asked to tell stays for the next one", async () => {
    await scene.start([channel]);
    scene.running.close();
    await scene.asked();
    await settle();
    expect(told()).toEqual([]);
    await scene.start([channel]);
    expect(told()).toEqual(["request ask-1"]);
  });
});
