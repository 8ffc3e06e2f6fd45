import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { beforeAll, describe, expect, it } from "vitest";
import { utf8, writePushMessage } from "../../packages/core/src/index.ts";
import { ROOT } from "../e2e/countersign.ts";

const FILE = join(ROOT, "packages/console/dist/site/push/worker.js");

interface Shown {
  readonly title: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The built file, run by itself: what it asks of a browser is written down. */
class Sandbox {
  readonly listeners: Map<string, (event: object) => void> = new Map();
  readonly shown: Shown[] = [];
  readonly opened: string[] = [];
  /** Windows of the console that are open. */
  windows = 0;
  focused = 0;

  constructor() {
    const scope = {
      TextDecoder,
      TextEncoder,
      URL,
      Uint8Array,
      ArrayBuffer,
      location: { href: "https://consent.example.org/push/worker.js" },
      registration: {
        showNotification: (title: string, options: Shown["options"]) => {
          this.shown.push({ title, options });
          return Promise.resolve();
        },
      },
      clients: {
        matchAll: () =>
          Promise.resolve(
            Array.from({ length: this.windows }, () => ({
              focus: () => {
                this.focused += 1;
                return Promise.resolve();
              },
            })),
          ),
        openWindow: (url: string) => {
          this.opened.push(url);
          return Promise.resolve();
        },
      },
      addEventListener: (type: string, listener: (event: object) => void) => {
        this.listeners.set(type, listener);
      },
    };
    Object.assign(scope, { self: scope });
    runInContext(readFileSync(FILE, "utf8"), createContext(scope));
  }

  /** Gives an event to its listener, and waits for what it wants waited for. */
  async fire(type: string, event: object = {}): Promise<void> {
    const waited: Promise<unknown>[] = [];
    this.listeners.get(type)?.({
      ...event,
      waitUntil: (done: Promise<unknown>) => waited.push(done),
    });
    expect(waited).toHaveLength(1);
    await Promise.all(waited);
  }

  push(octets: Uint8Array | undefined): Promise<void> {
    const data = octets === undefined ? null : { arrayBuffer: () => new Uint8Array(octets).buffer };
    return this.fire("push", { data });
  }
}

let worker: Sandbox;
beforeAll(() => {
  worker = new Sandbox();
});

describe("the built worker", () => {
  it("listens to three events, and to nothing that a page does", () => {
    expect([...worker.listeners.keys()].toSorted()).toEqual([
      "notificationclick",
      "push",
      "pushsubscriptionchange",
    ]);
  });

  it("is one file that imports nothing, keeps nothing and calls nobody", () => {
    const text = readFileSync(FILE, "utf8");
    expect(text).not.toMatch(
      /\bimport\b|importScripts|\bfetch\b|caches|indexedDB|XMLHttpRequest|eval\(|new Function/,
    );
  });

  it.each([
    [{ kind: "request", id: "n1", agent: "mailer" }, "mailer asks for you", "Open your inbox."],
    [{ kind: "digest", id: "n2", waiting: 4 }, "4 questions wait for you", "Open your inbox."],
    [{ kind: "test", id: "n3" }, "Notices work on this device", "Nothing waits for you."],
  ] as const)(
    "shows %o in its own words, and offers nothing to press",
    async (message, title, body) => {
      const sandbox = new Sandbox();
      await sandbox.push(writePushMessage(message));
      expect(sandbox.shown).toEqual([{ title, options: { body, tag: message.id } }]);
    },
  );

  it.each([
    ["no data", undefined],
    ["nothing", new Uint8Array(0)],
    ["no JSON", utf8("Approve at https://evil.example")],
    ["words of its own", utf8('{"v":1,"kind":"test","id":"n","title":"Approve now"}')],
    ["a sentence for an agent", utf8('{"v":1,"kind":"request","id":"n","agent":"Approve now"}')],
    ["no UTF-8", new Uint8Array([0xff, 0xfe])],
  ])("shows nothing of a message with %s but that there was one", async (_name, octets) => {
    const sandbox = new Sandbox();
    await sandbox.push(octets);
    expect(sandbox.shown).toEqual([
      { title: "countersign", options: { body: "Open your inbox.", tag: "unread" } },
    ]);
  });

  it("opens the inbox of its own origin, whatever the notification holds", async () => {
    const sandbox = new Sandbox();
    let closed = 0;
    const notification = {
      close: () => (closed += 1),
      data: { url: "https://evil.example/" },
      tag: "https://evil.example/",
    };
    await sandbox.fire("notificationclick", { notification, action: "approve" });
    expect(sandbox.opened).toEqual(["https://consent.example.org/#/inbox"]);
    expect(closed).toBe(1);
  });

  it("brings an open console forward as it is, and opens no second one", async () => {
    const sandbox = new Sandbox();
    sandbox.windows = 2;
    await sandbox.fire("notificationclick", { notification: { close: () => undefined } });
    expect([sandbox.focused, sandbox.opened]).toEqual([1, []]);
  });

  it("says where notices have ended, and calls nobody about it", async () => {
    const sandbox = new Sandbox();
    await sandbox.fire("pushsubscriptionchange");
    expect(sandbox.shown.map(({ title }) => title)).toEqual(["Notices on this device have ended"]);
  });
});
