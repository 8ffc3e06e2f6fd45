import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Refusal } from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import type { GuardedRequest } from "../../packages/node/src/index.ts";
import { createGuardedFetch } from "../../packages/node/src/index.ts";
import { recordOf } from "../../packages/server/src/cases/owner-record.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { makeNoticeScene, settle } from "./notice-scene.ts";
import type { NoticeScene } from "./notice-scene.ts";

const URL = "https://hooks.example.com/secret-path";
const DAY = 86_400;

interface Posted {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

let scene: NoticeScene;
let alice: Owner;
const posted: Posted[] = [];
/** What the receiver answers. */
let status: number | "unreachable" = 200;

async function receive(
  url: string,
  request: GuardedRequest,
): Promise<{ status: number; headers: {}; body: Uint8Array }> {
  const { headers = {}, body = new Uint8Array() } = request;
  posted.push({ url, headers, body: new TextDecoder().decode(body) });
  if (status === "unreachable") throw new Refusal("unreachable");
  return { status, headers: {}, body: new Uint8Array() };
}

beforeEach(async () => {
  posted.length = 0;
  status = 200;
  scene = await makeNoticeScene({ fetch: receive });
  alice = await enrolOwner(scene.rig);
  await scene.start([scene.rig.webhooks]);
});
afterEach(() => scene.close());

const admin = (what: string, json?: JsonObject): Promise<Answered> =>
  scene.rig.call("admin", what, json === undefined ? {} : { json });
const add = (url = URL, owner = "alice"): Promise<Answered> =>
  admin("POST /v1/owner/webhooks", { owner, url });
async function added(): Promise<{ id: string; secret: string }> {
  const { body } = await add();
  return { id: textOf(body["id"]), secret: textOf(body["secret"]) };
}
const asked = (change = {}): Promise<unknown> => scene.asked({ owner: alice.id, ...change });

/** As a receiver would, with nothing of ours. */
function fits({ headers, body }: Posted, secret: string): boolean {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  const wanted = `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
  return (headers["webhook-signature"] ?? "").split(" ").includes(wanted);
}

async function records(type: string): Promise<readonly JsonObject[]> {
  const rows = await scene.rig.world.store.logRowsOf([type], 0, await scene.rig.logSize());
  return rows.map(recordOf);
}

describe("a webhook of an owner", () => {
  it("gets a signed message that says that something waits, and nothing of what", async () => {
    const { secret } = await added();
    await asked();
    await settle();
    const [message] = posted;
    if (message === undefined) return expect.fail("nothing was posted");
    expect(message.url).toBe(URL);
    expect(fits(message, secret)).toBe(true);
    expect(JSON.parse(message.body)).toEqual({
      type: "request.waiting",
      timestamp: new Date(scene.rig.now() * 1000).toISOString(),
      data: {
        request: "ask-1",
        agent: "mailer-1",
        until: scene.rig.now() + 3600,
        text: "mailer-1 asks for you. Open your inbox.",
      },
    });
    expect(message.body).not.toMatch(/https?:|spiffe:|urn:/);
  });

  it("gets digests and changes of keys as messages of their own kinds", async () => {
    await added();
    for (let n = 0; n < 11; n += 1) await asked();
    await scene.key("suspended", alice.id);
    await settle();
    await scene.pass(600);
    const said = posted.map(({ body }) => JSON.parse(body) as { type: string; data: object });
    expect(said.slice(10)).toMatchObject([
      { type: "key.changed", data: { change: "suspended" } },
      { type: "requests.digest", data: { waiting: 11 } },
    ]);
  });

  it("is told of new printed codes, which outlive the session that made them, and not which", async () => {
    await added();
    const made = await admin("POST /v1/owner/stop-codes", { owner: alice.id });
    await settle();
    const [message] = posted;
    expect(JSON.parse(message?.body ?? "{}")).toMatchObject({
      type: "key.changed",
      data: { change: "codes_made" },
    });
    for (const code of made.body["codes"] as readonly string[])
      expect(message?.body).not.toContain(code);
  });

  it("gets nothing of questions that nobody announced (T20), nor of another owner's", async () => {
    await added();
    await asked({ expected: false });
    await scene.asked();
    await settle();
    expect(posted).toEqual([]);
  });

  it("hears of one message under one id, at each try with the time of the try", async () => {
    const { secret } = await added();
    status = 503;
    await asked();
    await settle();
    await scene.pass(60);
    status = 200;
    await scene.pass(60);
    expect(posted.length).toBeGreaterThan(1);
    expect(new Set(posted.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(posted.map(({ headers }) => headers["webhook-timestamp"])).size).toBe(
      posted.length,
    );
    expect(posted.every((message) => fits(message, secret))).toBe(true);
  });

  it.each([
    [200, 1],
    [204, 1],
    [301, 2],
    [400, 2],
    [500, 2],
    ["unreachable", 2],
  ] as const)(
    "a receiver that answers %s is asked %i times in a minute at least",
    async (answer, times) => {
      await added();
      status = answer;
      await asked();
      await settle();
      await scene.pass(60);
      if (times === 1) expect(posted).toHaveLength(1);
      else expect(posted.length).toBeGreaterThanOrEqual(times);
    },
  );
});

describe("its secret", () => {
  it("is shown once, and lies in no table and no log", async () => {
    const { secret } = await added();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const raw = secret.slice("whsec_".length);
    const listed = await admin("GET /v1/owner/webhooks");
    expect(listed.text).not.toContain(raw);
    const rows = await scene.rig.world.store.webhooks();
    expect(JSON.stringify(rows)).not.toContain(raw);
    const log = await scene.rig.world.store.logRows(0, await scene.rig.logSize());
    const said = log.map(({ record = new Uint8Array() }) => new TextDecoder().decode(record));
    expect(said.join("\n")).not.toContain(raw);
    expect(said.join("\n")).not.toContain("secret-path");
  });

  it("is another for each webhook, and for each rotation", async () => {
    const secrets = [textOf((await add(`${URL}/1`)).body["secret"])];
    const second = await add(`${URL}/2`);
    secrets.push(textOf(second.body["secret"]));
    const rotated = await admin(`POST /v1/owner/webhooks/${textOf(second.body["id"])}/rotate`, {});
    secrets.push(textOf(rotated.body["secret"]));
    expect(new Set(secrets).size).toBe(3);
  });

  it.each([
    ["a day less a second after the rotation", DAY - 1, true],
    ["a day after it", DAY, false],
  ])("signs beside the newest one until %s", async (_what, after, isOldGood) => {
    const { id, secret: old } = await added();
    const rotated = await admin(`POST /v1/owner/webhooks/${id}/rotate`, {});
    const secret = textOf(rotated.body["secret"]);
    await scene.pass(after);
    await asked();
    await settle();
    const [message] = posted;
    if (message === undefined) return expect.fail("nothing was posted");
    expect([fits(message, secret), fits(message, old)]).toEqual([true, isOldGood]);
  });
});

describe("a webhook that takes nothing", () => {
  /** A question an hour, each tried for that hour. */
  async function hours(count: number): Promise<void> {
    for (let hour = 0; hour < count; hour += 1) {
      await asked();
      for (let part = 0; part < 4; part += 1) await scene.pass(900);
    }
  }

  it("is disabled after three days of nothing else, and says so in log, status and metrics", async () => {
    const { id } = await added();
    status = 500;
    await hours(71);
    expect((await scene.rig.world.store.webhook(id))?.disabledAt).toBeUndefined();
    await hours(2);
    const row = await scene.rig.world.store.webhook(id);
    expect(row).toMatchObject({ disabledWhy: "failing" });
    expect(await records("notice.webhook_disabled")).toMatchObject([
      { owner: alice.id, webhook: id, host: "hooks.example.com", by: "failing" },
    ]);
    expect((await admin("GET /v1/status")).body["webhooks_disabled"]).toMatchObject([{ id }]);
    expect((await admin("GET /metrics")).text).toContain("countersign_webhooks_disabled 1");
    const before = posted.length;
    await hours(2);
    expect(posted).toHaveLength(before);
    expect(await scene.rig.world.store.notices()).toEqual([]);
  });

  it("is not, where it took one in between", async () => {
    const { id } = await added();
    status = 500;
    await hours(40);
    status = 200;
    await hours(1);
    status = 500;
    await hours(40);
    expect((await scene.rig.world.store.webhook(id))?.disabledAt).toBeUndefined();
  });

  it("is not for two failures that lie three days apart", async () => {
    const { id } = await added();
    status = 500;
    await asked({ deadline: scene.rig.now() + 1 });
    await scene.pass(4 * DAY);
    await asked({ deadline: scene.rig.now() + 1 });
    await scene.pass(10);
    expect((await scene.rig.world.store.webhook(id))?.disabledAt).toBeUndefined();
  });

  it("is disabled at once where it says that it is gone", async () => {
    const { id } = await added();
    status = 410;
    await asked();
    await settle();
    expect(await scene.rig.world.store.webhook(id)).toMatchObject({ disabledWhy: "gone" });
    expect(await scene.rig.world.store.notices()).toEqual([]);
  });

  it("is no target once it is disabled, and gets nothing that lies in the outbox for it still", async () => {
    const { id } = await added();
    const { webhooks, world } = scene.rig;
    expect(await webhooks.targets(alice.id)).toEqual([id]);
    const left = { id: "ntc_left", kind: "key", at: scene.rig.now(), exp: Infinity } as const;
    const bring = (owner: string): Promise<string> =>
      webhooks.deliver({ ...left, owner }, id, new AbortController().signal);
    // nor does whatever is another's
    expect(await bring("urn:agent-owner:example.org:another1")).toBe("gone");
    const fields = { disabledAt: scene.rig.now(), disabledWhy: "gone" } as const;
    await world.store.commit({ changes: [], notices: [{ set: "webhook", id, fields }] });
    expect(await webhooks.targets(alice.id)).toEqual([]);
    expect(await bring(alice.id)).toBe("gone");
    expect(posted).toEqual([]);
  });

  it("works again once a test was taken", async () => {
    const { id } = await added();
    status = 410;
    await asked();
    await settle();
    expect((await admin(`POST /v1/owner/webhooks/${id}/test`, {})).body).toEqual({
      taken: false,
      said: "410",
    });
    status = 200;
    expect((await admin(`POST /v1/owner/webhooks/${id}/test`, {})).body["taken"]).toBe(true);
    expect(await records("admin.webhook_enabled")).toHaveLength(1);
    await asked();
    await settle();
    expect(JSON.parse(posted.at(-1)?.body ?? "{}")).toMatchObject({ type: "request.waiting" });
  });

  it("that was rotated while a message was under way keeps its new secret", async () => {
    const { id } = await added();
    status = 500;
    const rotated = async (): Promise<string> =>
      textOf((await admin(`POST /v1/owner/webhooks/${id}/rotate`, {})).body["secret"]);
    await asked();
    const secret = await rotated();
    await settle();
    status = 200;
    await scene.pass(60);
    const last = posted.at(-1);
    if (last === undefined) return expect.fail("nothing was posted");
    expect(fits(last, secret)).toBe(true);
  });

  it("that was removed gets nothing, and stays away", async () => {
    const { id } = await added();
    status = 500;
    await asked();
    await settle();
    expect((await admin(`DELETE /v1/owner/webhooks/${id}`)).word).toBe("200");
    const before = posted.length;
    await scene.pass(3600);
    expect(posted.length).toBeLessThanOrEqual(before);
    expect(await scene.rig.world.store.webhooks()).toEqual([]);
    expect(await scene.rig.world.store.notices()).toEqual([]);
  });
});

describe("what an administrator may add", () => {
  it.each([
    ["an address of the web", URL, "alice", "200"],
    ["without TLS", "http://hooks.example.com/", "alice", "address_refused"],
    ["with a user", "https://a@hooks.example.com/", "alice", "address_refused"],
    ["a number for a host", "https://2130706433/", "alice", "address_refused"],
    ["no address", "hooks", "alice", "address_refused"],
    ["of nobody", URL, "nobody", "not_found"],
    ["nothing", "", "alice", "malformed_request"],
  ])("%s: %s of %s is %s", async (_what, url, owner, word) => {
    expect((await add(url, owner)).word).toBe(word);
  });

  it("each address once, and four of an owner", async () => {
    expect((await add(`${URL}/1`)).word).toBe("200");
    expect((await add(`${URL}/1`)).word).toBe("name_taken");
    for (const n of [2, 3, 4]) expect((await add(`${URL}/${n}`)).word).toBe("200");
    expect((await add(`${URL}/5`)).word).toBe("rate_limited");
  });

  it.each(["POST /v1/owner/webhooks/wh_none/rotate", "POST /v1/owner/webhooks/wh_none/test"])(
    "nothing of what is not there: %s",
    async (what) => {
      expect((await admin(what, {})).word).toBe("not_found");
    },
  );

  it("is in the log, by its host alone", async () => {
    const { id } = await added();
    await admin(`POST /v1/owner/webhooks/${id}/rotate`, {});
    await admin(`DELETE /v1/owner/webhooks/${id}`);
    for (const type of ["added", "rotated", "removed"])
      expect(await records(`admin.webhook_${type}`)).toEqual([
        { v: 1, owner: alice.id, webhook: id, host: "hooks.example.com", by: "admin socket" },
      ]);
  });
});

describe("an address that names what only this host may call (T45)", () => {
  it.each([
    ["loopback", "127.0.0.1"],
    ["the metadata service", "169.254.169.254"],
    ["a private network", "10.0.0.5"],
    ["loopback, mapped", "::ffff:127.0.0.1"],
  ])("is not called: %s", async (_what, address) => {
    const resolved: string[] = [];
    const fetch = createGuardedFetch({
      resolve: (host) => {
        resolved.push(host);
        return Promise.resolve([address]);
      },
    });
    const guarded = await makeNoticeScene({ fetch });
    await enrolOwner(guarded.rig);
    const json = { owner: "alice", url: URL };
    const { body } = await guarded.rig.call("admin", "POST /v1/owner/webhooks", { json });
    const test = `POST /v1/owner/webhooks/${textOf(body["id"])}/test`;
    expect((await guarded.rig.call("admin", test, { json: {} })).body).toEqual({
      taken: false,
      said: "address_refused",
    });
    expect(resolved).toEqual(["hooks.example.com"]);
    await guarded.close();
  });
});
