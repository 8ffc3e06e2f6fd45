import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fakeCli } from "../../packages/cli/src/cli.testing.ts";
import { watchNotices } from "../../packages/cli/src/commands/owner-watch.ts";
import { handlerTarget } from "../../packages/node/src/index.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { makeNoticeScene, settle } from "./notice-scene.ts";
import type { NoticeScene } from "./notice-scene.ts";

const BELL = "\u0007";

let scene: NoticeScene;
let alice: Owner;
let ended: AbortController;
const following: Promise<void>[] = [];
beforeEach(async () => {
  ended = new AbortController();
  scene = await makeNoticeScene();
  alice = await enrolOwner(scene.rig);
  await enrolOwner(scene.rig, "bob");
  await scene.start([scene.rig.owners]);
});
afterEach(async () => {
  ended.abort();
  await scene.close();
  await Promise.all(following.splice(0));
});

interface Seen {
  readonly out: () => readonly string[];
  readonly err: () => string;
}

/** `countersign owner watch`, over the admin socket's application. */
async function watching(
  owner = "alice",
  how: { isJson?: boolean; isTerminal?: boolean } = {},
): Promise<Seen> {
  const stderr = new PassThrough();
  let err = "";
  stderr.on("data", (piece: Buffer) => (err += piece.toString()));
  const cli = { ...fakeCli(), ...how, stderr };
  const target = handlerTarget((request) => scene.rig.admin(request, {}));
  const random = (byteCount: number): Uint8Array => new Uint8Array(byteCount);
  const watched = { owner, signal: ended.signal, random }; // comes back at once
  following.push(watchNotices(cli, target, watched));
  await settle();
  return { out: () => cli.output().split("\n").filter(Boolean), err: () => err };
}

const asked = (change = {}): Promise<unknown> => scene.asked({ owner: alice.id, ...change });

describe("an owner who watches", () => {
  it("sees a line for each notice, and how to read it", async () => {
    const { out, err } = await watching();
    expect(err()).toContain("Nobody waits for you.");
    await asked();
    await scene.key("suspended", alice.id);
    await settle();
    expect(out()).toEqual([
      "[/_] mailer-1 asks for you. Open your inbox. ask-1: countersign owner approve ask-1 --key FILE",
      "[/_] One of your keys was suspended. Look at your keys.",
    ]);
  });

  it("sees nothing of what nobody announced, and nothing of another owner's (T20)", async () => {
    const { out } = await watching();
    const bob = await watching("bob");
    await asked({ expected: false });
    await asked();
    await settle();
    expect([out().length, bob.out().length]).toEqual([1, 0]);
  });

  it("sees no more than his budget, and then a digest", async () => {
    const { out } = await watching();
    for (let n = 0; n < 15; n += 1) await asked();
    await scene.pass(600);
    expect(out()).toHaveLength(11);
    expect(out().at(-1)).toBe("[/_] 15 questions wait for you. Open your inbox.");
  });

  it("gets JSON lines without colours or bells", async () => {
    const { out } = await watching("alice", { isJson: true, isTerminal: true });
    await asked();
    await settle();
    expect(out().map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { kind: "request", request: "ask-1", agent: "mailer-1" },
    ]);
    expect(out().join("")).not.toContain(BELL);
  });

  it.each([
    ["rings at a terminal", true],
    ["is silent elsewhere", false],
  ])("%s", async (_what, isTerminal) => {
    const { out } = await watching("alice", { isTerminal });
    await asked();
    await settle();
    expect(out().join("").includes(BELL)).toBe(isTerminal);
  });

  it("begins with what waits, what he did not announce apart", async () => {
    await asked();
    await asked({ expected: false });
    const { err } = await watching();
    expect(err()).toContain("1 question waits for you; 1 that you did not announce.");
  });

  it("comes back after a break by itself, and begins with what waits", async () => {
    const { out, err } = await watching();
    scene.rig.owners.close();
    await asked();
    await expect.poll(err).toContain("1 question waits for you.");
    expect(err()).toContain("it is tried again");
    expect(out()).toEqual([]); // nobody read the stream: a notice is not kept for that
  });
});
