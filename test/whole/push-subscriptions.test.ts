import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { base64url, fromUtf8 } from "../../packages/core/src/index.ts";
import type { JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { applicationServerKey } from "../../packages/server/src/push/vapid.ts";
import { faulty } from "../../packages/server/src/store/faulty.testing.ts";
import type { Loss } from "../../packages/server/src/store/faulty.testing.ts";
import { makeRig, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { pageCall, sessionOf } from "./console-page.ts";
import { enrolPasskey } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";
import { pushBrowser } from "./push-browser.ts";

const SIGNER = generateSigner();
const PUSH = {
  signer: SIGNER,
  contact: "mailto:ops@example.org",
  fetch: () => Promise.reject(new Error("nobody is called")),
};
const PATH = "/v1/owner/push-subscriptions";

let rig: Rig;
let passkey: Passkey;
let cookie: string;
beforeEach(async () => {
  rig = await makeRig({ push: PUSH });
  passkey = await enrolPasskey(rig);
  cookie = await sessionOf(rig, passkey);
});
afterEach(() => rig.close());

const browser = (n: number | string): ReturnType<typeof pushBrowser> =>
  pushBrowser(`https://push.example.com/send/secret-${n}`);
const call = (what: string, json?: object, as = cookie): Promise<Answered> =>
  pageCall(rig, what, { cookie: as, ...(json === undefined ? {} : { json }) });
const turnOn = (n: number | string, change: object = {}, as = cookie): Promise<Answered> =>
  call(`POST ${PATH}`, { subscription: browser(n).subscription, name: "Mac", ...change }, as);
const listed = async (as = cookie): Promise<readonly JsonObject[]> =>
  (await call(`GET ${PATH}`, undefined, as)).body["subscriptions"] as readonly JsonObject[]; // as the server says it
const other = async (): Promise<string> =>
  sessionOf(rig, await enrolPasskey(rig, undefined, { name: "ana" }));
const records = async (type: string): Promise<readonly string[]> =>
  (await rig.world.store.logRowsOf([type], 0, 1000)).map(({ record = new Uint8Array() }) =>
    fromUtf8(record),
  );

describe("a browser that takes notices", () => {
  it("is one of its owner's, by its name, its service and the key of the session", async () => {
    const { body } = await turnOn(1);
    expect(body).toEqual({
      id: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
      name: "Mac",
      service: "https://push.example.com",
      key: passkey.jkt,
      made_at: rig.now(),
    });
    expect(await listed()).toEqual([body]);
    expect(await listed(await other())).toEqual([]);
  });

  it("is told the key that messages are signed with, and needs a session for it", async () => {
    const { body } = await call(`GET ${PATH}`);
    expect(body["application_server_key"]).toBe(base64url(applicationServerKey(SIGNER)));
    expect((await call(`GET ${PATH}`, undefined, "")).word).toBe("session_needed");
  });

  it("is written into the log without what lets anybody write to it", async () => {
    const id = textOf((await turnOn(1)).body["id"]);
    await call(`DELETE ${PATH}/${id}`);
    const { subscription } = browser(1);
    for (const type of ["owner.push_subscribed", "owner.push_ended"]) {
      const [record = ""] = await records(type);
      expect(JSON.parse(record)).toMatchObject({
        owner: passkey.id,
        subscription: id,
        service: "https://push.example.com",
        key: passkey.jkt,
      });
      for (const secret of ["secret-1", subscription.keys.auth, subscription.keys.p256dh])
        expect(record).not.toContain(secret);
    }
  });

  it("gives way to newer ones: an owner has eight at most, each once", async () => {
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 2]) {
      rig.advance(1);
      expect((await turnOn(n, { name: `d${n}` })).word).toBe("200");
    }
    expect((await listed()).map(({ name }) => name)).toEqual(
      [2, 9, 8, 7, 6, 5, 4, 3].map((n) => `d${n}`),
    );
  });

  it("is whose it was last: another owner at the same browser takes it over, and the log says so to the first", async () => {
    const id = textOf((await turnOn(1)).body["id"]);
    const ana = await other();
    expect((await turnOn(1, {}, ana)).word).toBe("200");
    expect(await listed()).toEqual([]);
    expect(await listed(ana)).toHaveLength(1);
    const { body } = await call("GET /v1/owner/log");
    const [last] = body["entries"] as readonly JsonObject[]; // as the server says it
    expect(last).toMatchObject({ type: "owner.push_ended" });
    expect(JSON.parse(textOf(last?.["record"]))).toEqual({
      v: 1,
      owner: passkey.id,
      subscription: id,
      key: passkey.jkt,
      service: "https://push.example.com",
    });
  });

  it("is not taken over by who knows neither endpoint nor session", async () => {
    const { id } = (await turnOn(1)).body;
    const ana = await other();
    const gone = await call(`DELETE ${PATH}/${textOf(id)}`, undefined, ana);
    const none = await call(`DELETE ${PATH}/AAAAAAAAAAAAAAAAAAAAAA`, undefined, ana);
    expect(gone.word).toBe("not_found");
    expect(gone.text).toBe(none.text);
    expect(await listed()).toHaveLength(1);
  });

  it("ends when its owner says so, once", async () => {
    const id = textOf((await turnOn(1)).body["id"]);
    expect((await call(`DELETE ${PATH}/${id}`)).body).toEqual({ ended: true });
    expect((await call(`DELETE ${PATH}/${id}`)).word).toBe("not_found");
    expect(await listed()).toEqual([]);
  });

  it("ends with its key, by whichever way that goes, and stays while others go", async () => {
    await turnOn(1);
    const { store } = rig.world;
    const ana = await enrolPasskey(rig, undefined, { name: "ana" });
    await rig.call("admin", `DELETE /v1/owner/keys/${ana.jkt}`);
    expect(await store.pushSubscriptions(passkey.id)).toHaveLength(1);
    const { word } = await rig.call("admin", `DELETE /v1/owner/keys/${passkey.jkt}`);
    expect(word).toBe("200");
    expect(await store.pushSubscriptions(passkey.id)).toEqual([]);
    expect((await turnOn(2)).word).toBe("session_needed");
  });

  it("stays where its owner signs out", async () => {
    await turnOn(1);
    await call("POST /v1/owner/sign-out", {});
    expect(await rig.world.store.pushSubscriptions(passkey.id)).toHaveLength(1);
  });

  const point = browser(1).subscription;
  type Row = readonly [string, object, string];
  const ROWS: readonly Row[] = [
    ["as a browser and its page write it", {}, "200"],
    ["without a name", { name: "" }, "malformed_request"],
    ["with a name of 101 characters", { name: "n".repeat(101) }, "malformed_request"],
    ["with a member that nobody knows", { owner: "urn:x" }, "malformed_request"],
    ["of no subscription", { subscription: {} }, "malformed_request"],
    ["over http", { subscription: { ...point, endpoint: "http://p.example/" } }, "address_refused"],
    [
      "with a point off the curve",
      {
        subscription: {
          ...point,
          keys: { ...point.keys, p256dh: base64url(new Uint8Array(65).fill(4)) },
        },
      },
      "invalid_key",
    ],
    [
      "with a long endpoint",
      { subscription: { ...point, endpoint: `https://p.example/${"a".repeat(1024)}` } },
      "malformed_request",
    ],
    ["that is too large", { name: "n".repeat(5000) }, "too_large"],
  ];
  it.each(ROWS)("%s", async (_name, change, wanted) => {
    expect((await turnOn(1, change)).word).toBe(wanted);
    expect(await listed()).toHaveLength(wanted === "200" ? 1 : 0);
  });
});

describe("a server without push_contact", () => {
  it("takes no browser, has no key for one, and says what to do", async () => {
    const without = await makeRig();
    const as = await sessionOf(without, await enrolPasskey(without));
    const { body } = await pageCall(without, `GET ${PATH}`, { cookie: as });
    expect(body).toEqual({ subscriptions: [] });
    const json = { subscription: browser(1).subscription, name: "Mac" };
    const refused = await pageCall(without, `POST ${PATH}`, { cookie: as, json });
    expect(refused.word).toBe("not_found");
    expect(refused.body["next"]).toContain("push_contact");
    await without.close();
  });
});

describe.each<Loss>(["lost-before", "lost-after"])("a commit that is %s", (loss) => {
  let isArmed = false;
  beforeEach(async () => {
    await rig.close();
    const fails = (): boolean => {
      const is = isArmed;
      isArmed = false;
      return is;
    };
    rig = await makeRig({ push: PUSH, wrap: (store) => faulty(store, "commit", loss, fails) });
    passkey = await enrolPasskey(rig);
    cookie = await sessionOf(rig, passkey);
  });

  it("says so, and once more makes one browser", async () => {
    isArmed = true;
    expect((await turnOn(1)).word).toBe("indeterminate");
    expect((await turnOn(1)).word).toBe("200");
    expect(await listed()).toHaveLength(1);
  });

  it("says so, and once more ends it", async () => {
    const id = textOf((await turnOn(1)).body["id"]);
    isArmed = true;
    expect((await call(`DELETE ${PATH}/${id}`)).word).toBe("indeterminate");
    const again = await call(`DELETE ${PATH}/${id}`);
    expect(again.word).toBe(loss === "lost-before" ? "200" : "not_found");
    expect(await listed()).toEqual([]);
  });
});
