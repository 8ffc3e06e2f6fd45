import { isObject, parseJson } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import type { Timers } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { askedOfSeveral } from "../cases/quorum.testing.ts";
import { OwnerSessions, SESSION_SECONDS } from "../cases/owner-sessions.ts";
import { logRow } from "../cases/record.ts";
import { approvedScene, askedScene } from "../cases/scene.testing.ts";
import { ENTRY_ID, enrolOwner } from "../people.testing.ts";
import { entryOf, readAnswer, textOf } from "../world.testing.ts";
import type { Rig } from "../world.testing.ts";

interface Said {
  readonly event: string;
  readonly id: string;
  readonly data: JsonObject;
}

/** Reads the events of a stream as they come. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";
  heartbeats = 0;

  constructor(response: Response) {
    if (response.body === null) throw new Error("no stream");
    this.#reader = response.body.getReader();
  }

  /** The next event, or `closed`. */
  async next(): Promise<Said | "closed"> {
    for (;;) {
      const said = this.#said();
      if (said !== undefined) return said;
      if (!(await this.#more())) return "closed";
    }
  }

  async heartbeat(): Promise<void> {
    const before = this.heartbeats;
    while (this.heartbeats === before) {
      this.#said();
      if (this.heartbeats === before) await this.#more();
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (!done) this.#text += new TextDecoder().decode(value);
    return !done;
  }

  #said(): Said | undefined {
    for (let end = this.#text.indexOf("\n\n"); end >= 0; end = this.#text.indexOf("\n\n")) {
      const lines = this.#text.slice(0, end).split("\n");
      this.#text = this.#text.slice(end + 2);
      const field = (name: string): string =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
      if (field("event") === "") {
        this.heartbeats += 1;
        continue;
      }
      const data = parseJson(field("data"), { maxBytes: 1e6, maxDepth: 12 });
      return { event: field("event"), id: field("id"), data: isObject(data) ? data : {} };
    }
    return undefined;
  }
}

async function streamOf(
  rig: Rig,
  owner: string,
  lastEventId?: string,
  signal = new AbortController().signal,
): Promise<Reader> {
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  const url = `https://server.test/v1/owner/events?owner=${owner}`;
  return new Reader(await rig.admin(new Request(url, { headers, signal }), {}));
}

const idOf = (said: Said | "closed"): string => (said === "closed" ? "closed" : said.id);
const wordOf = (said: Said | "closed"): string => (said === "closed" ? "closed" : said.event);

describe("the stream of an owner", () => {
  it("begins with what is open, and says each change", async () => {
    const { rig, id, owner } = await askedScene();
    const reader = await streamOf(rig, "alice");
    expect(await reader.next()).toMatchObject({
      event: "inbox",
      data: { now: rig.now(), requests: [{ id, state: "asked", owner: owner.id }] },
    });
    await owner.deny(id);
    expect(await reader.next()).toMatchObject({
      event: "approval.denied",
      data: { t: rig.now(), request: { id, state: "denied" } },
    });
    await rig.call("admin", "POST /v1/halts", {
      json: { scope: "owner", target: owner.id, reason: "" },
    });
    expect(await reader.next()).toMatchObject({
      event: "halt.set",
      data: { scope: "owner", target: owner.id },
    });
    await rig.close();
    expect(await reader.next()).toBe("closed");
  });

  it("says that one agent or approval of his was stopped, and that it may go on, and not to another", async () => {
    const { rig, host, cs, owner } = await approvedScene();
    await enrolOwner(rig, "bob");
    const [reader, other] = [await streamOf(rig, "alice"), await streamOf(rig, "bob")];
    await reader.next();
    await other.next();
    const targets = { grant: cs, agent: host.agent, entry: ENTRY_ID };
    for (const [scope, target] of Object.entries(targets)) {
      const { body } = await rig.call("admin", "POST /v1/halts", {
        json: { scope, target, reason: "" },
      });
      const data = { scope, target, owner: owner.id, entry: ENTRY_ID };
      expect(await reader.next()).toMatchObject({ event: "halt.set", data });
      await rig.call("admin", `DELETE /v1/halts/${textOf(body["id"])}`);
      expect(await reader.next()).toMatchObject({ event: "halt.lifted", data });
    }
    await rig.close();
    expect(await other.next()).toBe("closed");
  });

  it("says that an agent is registered for him, anew, for another, and no more", async () => {
    const { rig, owner } = await askedScene();
    const bob = await enrolOwner(rig, "bob");
    const [reader, other] = [await streamOf(rig, "alice"), await streamOf(rig, "bob")];
    await reader.next();
    await other.next();
    const put = (of: string) =>
      rig.call("admin", "POST /v1/entries", { json: entryOf({ name: "sorter", owner: of }) });
    const entry = `${ENTRY_ID.slice(0, -"mailer".length)}sorter`;
    await put(owner.id);
    const added = { event: "entry.added", data: { entry: { id: entry }, version: 1 } };
    expect(await reader.next()).toMatchObject(added);
    await put(owner.id);
    expect(await reader.next()).toMatchObject({ event: "entry.changed", data: { version: 2 } });
    await put(bob.id);
    const taken = { event: "entry.changed", data: { version: 3, was: { owner: owner.id } } };
    expect(await reader.next()).toMatchObject(taken);
    expect(await other.next()).toMatchObject(taken);
    await rig.call("admin", "DELETE /v1/entries/sorter");
    const removed = { event: "entry.removed", data: { entry, was: { owner: bob.id } } };
    expect(await other.next()).toMatchObject(removed);
    await put(bob.id);
    expect(await other.next()).toMatchObject({ event: "entry.added", data: { version: 5 } });
    await rig.close();
    expect(await reader.next()).toBe("closed");
  });

  it("says nothing of another owner's", async () => {
    const { rig, id, owner } = await askedScene();
    const bob = await enrolOwner(rig, "bob");
    const reader = await streamOf(rig, "bob");
    expect(await reader.next()).toMatchObject({ event: "inbox", data: { requests: [] } });
    await owner.deny(id);
    await rig.call("admin", `DELETE /v1/owner/keys/${bob.jkt}`);
    expect(await reader.next()).toMatchObject({ event: "key.removed", data: { key: bob.jkt } });
    await rig.close();
  });

  it("says to each of several owners what another of them did", async () => {
    const { rig, alice, bob, id } = await askedOfSeveral();
    const reader = await streamOf(rig, "carol");
    const begun = await reader.next();
    expect(begun).toMatchObject({
      event: "inbox",
      data: { requests: [{ id, parties: { m: 2 } }] },
    });
    await alice.decide(id, await alice.open(id));
    const signed = await reader.next();
    expect(signed).toMatchObject({ event: "approval.signed", data: { request: { id } } });
    await bob.decide(id, await bob.open(id));
    expect(wordOf(await reader.next())).toBe("approval.approved");
    await rig.close();
  });

  it("goes on after the event that the reader has seen last", async () => {
    const { rig, id, owner, host } = await askedScene();
    const gone = new AbortController();
    const first = await streamOf(rig, "alice", undefined, gone.signal);
    const seen = idOf(await first.next());
    gone.abort();
    await owner.deny(id);
    rig.advance(3600);
    await host.ask({ script: 3 });
    const again = await streamOf(rig, "alice", seen);
    expect(wordOf(await again.next())).toBe("approval.denied");
    const last = await again.next();
    expect(wordOf(last)).toBe("approval.asked");
    const third = await streamOf(rig, "alice", idOf(last));
    await rig.close();
    expect(await third.next()).toBe("closed");
  });

  it.each(["2-0", "1-999999", "1--1", "latest", "1-01", "0-1"])(
    "begins with everything where %s is no event that is known",
    async (lastEventId) => {
      const { rig } = await askedScene();
      const reader = await streamOf(rig, "alice", lastEventId);
      expect(wordOf(await reader.next())).toBe("inbox");
      await rig.close();
    },
  );

  it("begins with everything for who missed more than two thousand rows, and goes on for who missed as many", async () => {
    const { rig, id, owner } = await askedScene();
    const { world } = rig;
    const size = await world.store.logSize();
    const row = (n: number) =>
      logRow(world, {
        type: "approval.expired",
        t: rig.now(),
        actor: "server",
        record: { v: 1, owner: "urn:agent-owner:example.org:another1", n },
      });
    await Promise.all(
      Array.from({ length: 2001 }, (_one, n) => world.store.commit({ log: row(n), changes: [] })),
    );
    const first = await streamOf(rig, "alice", `1-${size - 1}`);
    expect(wordOf(await first.next())).toBe("inbox");
    const second = await streamOf(rig, "alice", `1-${size}`);
    await owner.deny(id);
    expect(wordOf(await second.next())).toBe("approval.denied");
    await rig.close();
  });

  it("is closed for the sixth of the same owner", async () => {
    const { rig, id, owner } = await askedScene();
    await enrolOwner(rig, "bob");
    const bob = await streamOf(rig, "bob");
    const first = await streamOf(rig, "alice");
    for (let count = 2; count <= 5; count += 1) await streamOf(rig, "alice");
    expect(wordOf(await first.next())).toBe("inbox");
    const sixth = await streamOf(rig, "alice");
    expect(await first.next()).toBe("closed");
    expect(wordOf(await sixth.next())).toBe("inbox");
    await owner.deny(id);
    expect(wordOf(await sixth.next())).toBe("approval.denied");
    expect(wordOf(await bob.next())).toBe("inbox");
    await rig.close();
  });

  it("is refused where all owners together have a thousand, and nobody else's is closed", async () => {
    const { rig } = await askedScene();
    const open = (i: number): Promise<Response> =>
      rig.owners.open({ owner: `owner ${i}` }, undefined, new AbortController().signal);
    const first = new Reader(await open(0));
    for (let i = 1; i < 1000; i += 1) await open(i);
    await expect(open(1000)).rejects.toMatchObject({ code: "rate_limited" });
    expect(wordOf(await first.next())).toBe("inbox");
    await rig.close();
    expect(await first.next()).toBe("closed"); // and not before
  });

  it("is alive while nothing happens", async () => {
    const due: { readonly delayMs: number; readonly run: () => void }[] = [];
    const timers: Timers = {
      after: (delayMs, run) => {
        due.push({ delayMs, run });
        return () => undefined;
      },
    };
    const { rig } = await askedScene({ timers });
    const reader = await streamOf(rig, "alice");
    expect(wordOf(await reader.next())).toBe("inbox");
    const beat = reader.heartbeat();
    expect(due.at(-1)?.delayMs).toBe(15_000);
    due.at(-1)?.run();
    await beat;
    expect(reader.heartbeats).toBe(2); // one greets
    await rig.close();
  });

  describe("that a session reads", () => {
    async function session(timers?: Timers) {
      const scene = await askedScene(timers === undefined ? {} : { timers });
      const { rig, owner } = scene;
      const sessions = new OwnerSessions(rig.world.c, rig.world.random);
      const { token, ...begun } = sessions.begin(owner.id, owner.jkt, rig.now());
      const open = async (): Promise<Reader> => {
        const { signal } = new AbortController();
        const whose = { owner: owner.id, session: begun };
        return new Reader(await rig.owners.open(whose, undefined, signal));
      };
      return { ...scene, sessions, token, open };
    }

    it.each(["removed", "suspended"] as const)(
      "is not opened once its key was %s, though the session was looked at before",
      async (how) => {
        const { rig, owner, open } = await session();
        const fields = how === "removed" ? { removedAt: rig.now() } : { suspendedAt: rig.now() };
        await rig.world.store.commit({ changes: [{ set: "ownerKey", jkt: owner.jkt, fields }] });
        await expect(open()).rejects.toMatchObject({ code: "session_needed" });
        await rig.close();
      },
    );

    it("is not opened by a session that has ended meanwhile", async () => {
      const { rig, sessions, token, open } = await session();
      sessions.end(token);
      await expect(open()).rejects.toMatchObject({ code: "session_needed" });
      await rig.close();
    });

    it("ends when its key is removed", async () => {
      const { rig, owner, open } = await session();
      const reader = await open();
      expect(wordOf(await reader.next())).toBe("inbox");
      await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`);
      expect(wordOf(await reader.next())).toBe("key.removed");
      expect(await reader.next()).toBe("closed");
      await rig.close();
    });

    it("ends with the session, and no other does", async () => {
      const { rig, owner, sessions, token, open } = await session();
      const reader = await open();
      const other = await streamOf(rig, "alice");
      expect(wordOf(await reader.next())).toBe("inbox");
      // the place of the oldest one is taken
      for (let count = 0; count < 10; count += 1)
        sessions.begin(owner.id, owner.jkt, rig.now() + count);
      expect(sessions.has(token, rig.now())).toBe(false);
      expect(await reader.next()).toBe("closed");
      await rig.call("admin", `DELETE /v1/owner/keys/${owner.jkt}`);
      expect(wordOf(await other.next())).toBe("inbox");
      expect(wordOf(await other.next())).toBe("key.removed");
      await rig.close();
    });

    it("ends when the session's time is over", async () => {
      const due: { readonly delayMs: number; readonly run: () => void }[] = [];
      const timers: Timers = {
        after: (delayMs, run) => {
          due.push({ delayMs, run });
          return () => undefined;
        },
      };
      const { rig, open } = await session(timers);
      rig.advance(3600);
      const reader = await open();
      expect(wordOf(await reader.next())).toBe("inbox");
      due.find(({ delayMs }) => delayMs === (SESSION_SECONDS - 3600) * 1000)?.run();
      expect(await reader.next()).toBe("closed");
      await rig.close();
    });
  });

  it("is of nobody where nobody has the name", async () => {
    const { rig } = await askedScene();
    const request = new Request("https://server.test/v1/owner/events?owner=nobody");
    expect((await readAnswer(await rig.admin(request, {}))).word).toBe("not_found");
    await rig.close();
  });
});
