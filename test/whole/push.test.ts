import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { makeScene } from "../../packages/server/src/cases/scene.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { ATTEMPT_TIMEOUT_MS } from "../../packages/server/src/notices/deliveries.ts";
import { Notices } from "../../packages/server/src/notices/dispatcher.ts";
import { PushChannel } from "../../packages/server/src/push/channel.ts";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import type { Loss } from "../../packages/server/src/store/faulty.testing.ts";
import type { Store } from "../../packages/server/src/store/store.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf } from "./console-page.ts";
import { enrolPasskey } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";
import { pushBrowser } from "./push-browser.ts";
import type { PushBrowser } from "./push-browser.ts";
import { PushService } from "./push-service.ts";

/** A store that loses the end of a subscription as `loseEnd` says, once. */
const losingEnds = (store: Store): Store =>
  new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...given: unknown[]) => {
        const [decision] = given as Parameters<Store["commit"]>; // of `commit`, which is looked at only
        const isEnd = name === "commit" && decision.log?.type === "owner.push_ended";
        const loss = isEnd ? loseEnd : undefined;
        if (isEnd) loseEnd = undefined;
        const from = loss === undefined ? target : faulty(target, "commit", loss);
        return Reflect.apply(Reflect.get(from, name) as () => unknown, target, given);
      };
    },
  });

const PATH = "/v1/owner/push-subscriptions";
const NOTE = "I must send the invoices of ACME tonight.";

let service: PushService;
beforeAll(async () => {
  service = await PushService.open();
});
afterAll(() => service.close());

let scene: Scene;
let passkey: Passkey;
let cookie: string;
let timers: ManualTimers;
let notices: Notices;
/** How the next end of a subscription fails. */
let loseEnd: Loss | undefined;
beforeEach(async () => {
  service.pushed.length = 0;
  service.answers.clear();
  const push = {
    signer: generateSigner(),
    contact: "mailto:ops@example.org",
    fetch: service.fetch,
  };
  loseEnd = undefined;
  scene = await makeScene({ push, wrap: losingEnds });
  passkey = await enrolPasskey(scene.rig, undefined, { name: "bob" });
  await scene.put({ owner: passkey.id });
  cookie = await sessionOf(scene.rig, passkey);
  timers = new ManualTimers();
  const { world } = scene.rig;
  notices = new Notices(world, { channels: [new PushChannel(world, push)], timers });
});
afterEach(async () => {
  notices.close();
  await scene.rig.close();
});

const call = (what: string, json?: object): Promise<Answered> =>
  pageCall(scene.rig, what, { cookie, ...(json === undefined ? {} : { json }) });

/** A browser of the owner's that takes notices. */
async function device(
  name: string,
): Promise<PushBrowser & { readonly id: string; readonly path: string }> {
  const browser = pushBrowser(`${service.origin}/${name}`);
  const { subscription } = browser;
  const { body, word } = await call(`POST ${PATH}`, { subscription, name });
  if (word !== "200") throw new Error(word);
  return { ...browser, id: textOf(body["id"]), path: `/${name}` };
}

let scripts = 20;
async function ask(isAnnounced: boolean): Promise<Answered> {
  if (isAnnounced) await call("POST /v1/owner/expectations", { agent: "mailer" });
  scripts += 1;
  scene.rig.advance(1);
  return scene.host.ask({ script: scripts, request: { note: NOTE } });
}

/** Lets what was begun go on, without a clock. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await isSo()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`it never came: ${what}`);
}
const isIdle = (): boolean => notices.waiting === 0;
/** A wait before the next attempt, not the end of one under way. */
const isWaiting = (): boolean => timers.delaysMs.some((delayMs) => delayMs < ATTEMPT_TIMEOUT_MS);
const devices = async (): Promise<number> =>
  (await scene.rig.world.store.pushSubscriptions(passkey.id)).length;

describe("a question that its owner announced", () => {
  it("comes to his browser as one encrypted message that says who waits, and nothing of what for", async () => {
    const { path, read } = await device("mac");
    const { body } = await ask(true);
    await until("message", () => service.pushed.length > 0);
    const [pushed] = service.at(path);
    expect(read(pushed?.body ?? new Uint8Array())).toEqual({
      kind: "request",
      id: expect.stringMatching(/^ntc_/),
      agent: "mailer",
    });
    expect(pushed?.headers).toMatchObject({
      "content-encoding": "aes128gcm",
      ttl: "3600",
      topic: expect.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
      authorization: expect.stringMatching(/^vapid t=/),
    });
    const all =
      JSON.stringify(pushed?.headers) + Buffer.from(pushed?.body ?? []).toString("latin1");
    for (const word of ["mailer", "ACME", textOf(body["id"]), passkey.id, "countersign"])
      expect(all).not.toContain(word);
    await until("outbox", isIdle);
    expect(service.pushed).toHaveLength(1);
  });

  it("comes to each of his devices", async () => {
    const [mac, phone] = [await device("mac"), await device("phone")];
    await ask(true);
    await until("messages", () => service.pushed.length === 2);
    await until("outbox", isIdle);
    for (const { path, read } of [mac, phone])
      expect(service.at(path).map(({ body }) => read(body).agent)).toEqual(["mailer"]);
  });

  it("comes to no device of another, whatever stands in the outbox", async () => {
    const { id } = await device("mac");
    const push = scene.rig.world.push ?? expect.fail("nothing is pushed");
    const notice = {
      id: "ntc_stray",
      owner: scene.owner.id,
      kind: "key",
      at: scene.rig.now(),
      exp: scene.rig.now() + 60,
    } as const;
    const channel = new PushChannel(scene.rig.world, push);
    expect(await channel.deliver(notice, id, new AbortController().signal)).toBe("gone");
    expect(service.pushed).toEqual([]);
    expect(await devices()).toBe(1);
  });

  it("ends a subscription that its push service knows no more, and brings it nothing again", async () => {
    const [gone, stays] = [await device("gone"), await device("stays")];
    service.answers.set(gone.path, 410);
    await ask(true);
    await until("end", async () => (await devices()) === 1);
    await until("outbox", isIdle);
    await ask(true);
    await until("messages", () => service.at(stays.path).length === 2);
    await until("outbox", isIdle);
    expect(service.at(gone.path)).toHaveLength(1);
    const rows = await scene.rig.world.store.logRowsOf(["owner.push_ended"], 0, 1000);
    expect(rows).toHaveLength(1);
  });

  it("comes to nobody whose key is gone, even where it waited for him already", async () => {
    const { path } = await device("mac");
    service.answers.set(path, 503);
    await ask(true);
    await until("first try", () => service.at(path).length === 1);
    await until("wait", isWaiting);
    await scene.rig.call("admin", `DELETE /v1/owner/keys/${passkey.jkt}`);
    service.answers.clear();
    timers.advance(3_600_000);
    await until("outbox", isIdle);
    expect(service.at(path)).toHaveLength(1);
  });

  it.each([500, 503, 429, 302, 403, 400, -1])(
    "is brought again where the push service answers %i",
    async (status) => {
      const { path, read } = await device("mac");
      service.answers.set(path, status);
      await ask(true);
      await until("first try", () => service.at(path).length === 1);
      await until("wait", isWaiting);
      service.answers.clear();
      timers.advance(4_000);
      await until("outbox", isIdle);
      const [first, second] = service.at(path).map(({ body }) => read(body));
      expect(second).toEqual(first);
      expect(await devices()).toBe(1);
    },
  );

  it("reaches others while one push service never answers", async () => {
    const [slow, quick] = [await device("slow"), await device("quick")];
    service.answers.set(slow.path, 0);
    await ask(true);
    await until("messages", () => service.at(quick.path).length === 1);
    await ask(true);
    await until("messages", () => service.at(quick.path).length === 2);
    await until("outbox", () => notices.waiting === 2);
    expect(service.at(slow.path)).toHaveLength(1);
  });
});

describe.each<Loss>(["lost-before", "lost-after"])("the end of a subscription, %s", (loss) => {
  beforeEach(() => {
    loseEnd = loss;
  });

  it("comes about all the same, and nothing is brought again", async () => {
    const { path } = await device("gone");
    service.answers.set(path, 410);
    await ask(true);
    await until("first try", () => service.at(path).length === 1);
    await until("wait", isWaiting);
    timers.advance(4_000);
    await until("outbox", isIdle);
    expect(await devices()).toBe(0);
    expect(service.at(path)).toHaveLength(loss === "lost-before" ? 2 : 1);
    const rows = await scene.rig.world.store.logRowsOf(["owner.push_ended"], 0, 1000);
    expect(rows).toHaveLength(1);
  });
});

describe("a question that nobody announced", () => {
  it("comes to no browser", async () => {
    const { path } = await device("mac");
    expect((await ask(false)).status).toBe(202);
    expect((await ask(true)).status).toBe(202);
    await until("message", () => service.at(path).length === 1);
    await until("outbox", isIdle);
    expect(service.pushed).toHaveLength(1);
  });
});

describe("a push message", () => {
  it("has one length, whatever it says", async () => {
    const mac = await device("mac");
    await call(`POST ${PATH}/${mac.id}/test`, {});
    await ask(true);
    await enrolPasskey(scene.rig, undefined, { name: "bob" });
    await until("messages", () => service.pushed.length === 3);
    const kinds = service.pushed.map(({ body }) => mac.read(body).kind);
    expect(new Set(kinds)).toEqual(new Set(["test", "request", "key"]));
    expect(new Set(service.pushed.map(({ body }) => body.length)).size).toBe(1);
  });
});

describe("a change of the owner's keys", () => {
  it("comes to the browsers of those that he still has", async () => {
    const { path, read } = await device("mac");
    const second = await enrolPasskey(scene.rig, undefined, { name: "bob" });
    await until("message", () => service.at(path).length === 1);
    expect(read(service.at(path)[0]?.body ?? new Uint8Array())).toMatchObject({
      kind: "key",
      change: "added",
    });
    await scene.rig.call("admin", `DELETE /v1/owner/keys/${second.jkt}`);
    await until("message", () => service.at(path).length === 2);
    expect(read(service.at(path)[1]?.body ?? new Uint8Array())).toMatchObject({
      change: "removed",
    });
  });
});

describe("a notice that its owner sends as a test", () => {
  const test = (id: string): Promise<Answered> => call(`POST ${PATH}/${id}/test`, {});

  it("comes to that device alone, at most once in five seconds", async () => {
    const [mac] = [await device("mac"), await device("phone")];
    expect((await test(mac.id)).body).toEqual({ sent: true });
    expect(service.pushed.map(({ body }) => mac.read(body))).toEqual([
      { kind: "test", id: "test" },
    ]);
    expect((await test(mac.id)).word).toBe("rate_limited");
    scene.rig.advance(5);
    expect((await test(mac.id)).word).toBe("200");
  });

  it.each<readonly [string, number, string, number]>([
    ["the push service takes it", 201, "200", 1],
    ["the push service knows it no more", 410, "not_found", 0],
    ["the push service knows it no more in other words", 404, "not_found", 0],
    ["the push service is busy", 503, "unreachable", 1],
    ["the push service sends us elsewhere", 302, "unreachable", 1],
  ])("where %s", async (_name, status, word, left) => {
    const { id, path } = await device("mac");
    service.answers.set(path, status);
    const answer = await test(id);
    expect(answer.word).toBe(word);
    expect(await devices()).toBe(left);
    expect(service.pushed).toHaveLength(1);
  });

  it("is not sent to another's device, nor to a network that notices may not call", async () => {
    const { id } = await device("mac");
    const ana = await sessionOf(
      scene.rig,
      await enrolPasskey(scene.rig, undefined, { name: "ana" }),
    );
    const other = await pageCall(scene.rig, `POST ${PATH}/${id}/test`, { cookie: ana, json: {} });
    expect(other.word).toBe("not_found");
    const { subscription } = pushBrowser("https://169.254.169.254/latest/meta-data");
    const { body } = await call(`POST ${PATH}`, { subscription, name: "cloud" });
    expect((await test(textOf(body["id"]))).word).toBe("address_refused");
    expect(service.pushed).toEqual([]);
  });
});
