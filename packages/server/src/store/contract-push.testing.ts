import { expect, it } from "vitest";
import * as f from "./fixtures.testing.ts";
import type { PushSubscriptionRow } from "./push-store.ts";
import type { Store } from "./store.ts";

const JKT = f.hashOf("push key");
const row = (id: string, change: Partial<PushSubscriptionRow> = {}): PushSubscriptionRow => ({
  id,
  owner: f.OWNER,
  jkt: JKT,
  endpoint: `https://push.example.com/${id}`,
  p256dh: "point",
  auth: "secret",
  name: "Mac",
  madeAt: f.NOW,
  ...change,
});

/** Where notices are pushed. */
export function pushRules(store: () => Store, put: f.Put): void {
  const add = (one: PushSubscriptionRow, keep = 8): Promise<unknown> =>
    store().commit({ changes: [], push: [{ put: "pushSubscription", row: one, keep }] });
  const ids = async (owner = f.OWNER): Promise<readonly string[]> =>
    (await store().pushSubscriptions(owner)).map(({ id }) => id);
  const withKey = (jkt = JKT): Promise<unknown> =>
    put({ put: "ownerKey", row: { ...f.ownerKeyRow(), jkt } });

  it("are kept as they were given, newest first, until they are dropped", async () => {
    await withKey();
    await add(row("a"));
    await add(row("b", { madeAt: f.NOW + 1 }));
    expect(await store().pushSubscriptions(f.OWNER)).toEqual([
      row("b", { madeAt: f.NOW + 1 }),
      row("a"),
    ]);
    expect(await store().pushSubscription("a")).toEqual(row("a"));
    const drop = { drop: "pushSubscription", id: "a" } as const;
    await store().commit({ changes: [], push: [drop] });
    await store().commit({ changes: [], push: [drop] });
    expect(await ids()).toEqual(["b"]);
  });

  it("give way to newer ones of the same owner, the oldest first", async () => {
    await withKey();
    for (const [n, id] of ["a", "b", "c", "d"].entries())
      await add(row(id, { madeAt: f.NOW + n }), 3);
    await add(row("x", { owner: "urn:other" }), 3);
    expect(await ids()).toEqual(["d", "c", "b"]);
    // a clock that went back takes nothing away from the one that was just made
    await add(row("e", { madeAt: f.NOW - 9 }), 3);
    expect(await ids()).toEqual(["d", "c", "e"]);
    expect(await ids("urn:other")).toEqual(["x"]);
  });

  it("are of one owner an endpoint: it goes to another only once his has ended", async () => {
    await withKey();
    const { endpoint } = row("a");
    await add(row("a"));
    await add(row("a", { name: "Desk", madeAt: f.NOW + 5 }));
    expect(await store().pushSubscriptions(f.OWNER)).toMatchObject([{ name: "Desk" }]);
    expect(await add(row("z", { owner: "urn:other", endpoint }))).toBe("conflict");
    expect(await ids()).toEqual(["a"]);
    expect(await store().pushSubscriptionAt(endpoint)).toMatchObject({ id: "a", name: "Desk" });
    await store().commit({ changes: [], push: [{ drop: "pushSubscription", id: "a" }] });
    expect(await store().pushSubscriptionAt(endpoint)).toBeUndefined();
    await add(row("z", { owner: "urn:other", endpoint }));
    expect(await ids()).toEqual([]);
    expect(await ids("urn:other")).toEqual(["z"]);
  });

  it.each(["removedAt", "suspendedAt"] as const)(
    "go with their key, and none comes after: %s",
    async (how) => {
      const other = f.hashOf("another key");
      await withKey();
      await withKey(other);
      await add(row("a"));
      await add(row("b", { jkt: other }));
      await put({ set: "ownerKey", jkt: JKT, fields: { counter: 9 } });
      expect(await ids()).toEqual(["a", "b"]);
      await put({ set: "ownerKey", jkt: JKT, fields: { [how]: f.NOW } });
      expect(await ids()).toEqual(["b"]);
      expect(await add(row("a"))).toBe("conflict");
      expect(await add(row("c", { jkt: f.hashOf("nobody's") }))).toBe("conflict");
      expect(await ids()).toEqual(["b"]);
    },
  );

  it("do not come back with a key that signs again", async () => {
    await withKey();
    await add(row("a"));
    await put({ set: "ownerKey", jkt: JKT, fields: { suspendedAt: f.NOW } });
    await put({ set: "ownerKey", jkt: JKT, fields: { suspendedAt: undefined } });
    expect(await ids()).toEqual([]);
    await add(row("a"));
    expect(await ids()).toEqual(["a"]);
  });
}
