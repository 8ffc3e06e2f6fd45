import { expect, it } from "vitest";
import * as f from "./fixtures.testing.ts";
import type { InvitationRow } from "./invitation-row.ts";
import type { RecoveryRow, StopCodeRow } from "./rows.ts";
import type { Change, Store } from "./store.ts";

export function recoveryRow(change: Partial<RecoveryRow> = {}): RecoveryRow {
  return {
    id: "r1",
    owner: f.OWNER,
    jkt: f.hashOf("fresh"),
    key: { jkt: f.hashOf("fresh") },
    statement: new Uint8Array([1, 2]),
    announcedAt: f.NOW,
    enabledAt: f.NOW + 86_400,
    state: "announced",
    ...change,
  };
}
const codeRow = (hash: string, owner = f.OWNER): StopCodeRow => ({ hash, owner, madeAt: f.NOW });

/** What is kept of owners beside their keys. */
export function ownerRules(store: () => Store, put: f.Put): void {
  it("keeps stop codes until they are replaced, and says which were used", async () => {
    await put(
      { put: "stopCode", row: codeRow("b") },
      { put: "stopCode", row: codeRow("a") },
      { put: "stopCode", row: codeRow("B") },
      { put: "stopCode", row: codeRow("c", "urn:other") },
    );
    await put({ set: "stopCode", hash: "a", fields: { usedAt: f.NOW + 1 } });
    expect(await store().stopCode("a")).toEqual({ ...codeRow("a"), usedAt: f.NOW + 1 });
    expect((await store().stopCodes(f.OWNER)).map(({ hash }) => hash)).toEqual(["B", "a", "b"]);
    await put({ drop: "stopCodes", owner: f.OWNER });
    expect(await store().stopCodes(f.OWNER)).toEqual([]);
    expect(await store().stopCode("c")).toEqual(codeRow("c", "urn:other"));
    const again = { set: "stopCode", hash: "a", fields: { usedAt: f.NOW } } as const;
    expect(await store().commit({ changes: [again] })).toBe("conflict");
  });

  it("keeps the digits of a question while it is open, and meets who has read them", async () => {
    const ask = f.askRow({ req: f.digestOfWord("digits") });
    const row = { req: ask.req, digits: "42", failures: 0 };
    await put({ put: "ask", row: ask }, { put: "digits", row });
    expect(await store().digits(ask.req)).toEqual(row);
    const count = (failures: number) =>
      store().commit({
        changes: [{ put: "digits", row: { ...row, failures: failures + 1 } }],
        expect: { digits: { req: row.req, failures } },
      });
    expect(await count(1)).toBe("conflict");
    expect(await count(0)).not.toBe("conflict");
    expect(await count(0)).toBe("conflict");
    expect(await store().digits(ask.req)).toEqual({ ...row, failures: 1 });
    await put({ sweep: "expired", now: f.NOW });
    expect(await store().digits(ask.req)).toEqual({ ...row, failures: 1 });
    const fields = { state: "denied", decidedAt: f.NOW } as const;
    await put({ set: "ask", req: ask.req, fields }, { sweep: "expired", now: f.NOW });
    expect(await store().digits(ask.req)).toBeUndefined();
    expect(await count(1)).toBe("conflict");
  });

  it("keeps invitations, one that is open an owner, and used ones for thirty days", async () => {
    const row = (hash: string): InvitationRow => ({
      hash,
      id: `id-${hash}`,
      owner: f.OWNER,
      by: "admin",
      madeAt: f.NOW,
      exp: f.NOW + 600,
    });
    await put({ put: "invitation", row: row("a") });
    await put({ set: "invitation", hash: "a", fields: { usedAt: f.NOW + 1, jkt: "k" } });
    const used = { ...row("a"), usedAt: f.NOW + 1, jkt: "k" };
    await put({ put: "invitation", row: row("b") });
    await put({ drop: "invitations", owner: f.OWNER });
    expect(await store().invitation("b")).toBeUndefined();
    expect(await store().invitation("a")).toEqual(used);
    expect(await store().invitation("id-a")).toEqual(used);
    expect(await store().commit({ changes: [{ put: "invitation", row: row("a") }] })).toBe(
      "conflict",
    );
    const over = { set: "invitation", hash: "b", fields: { cancelledAt: f.NOW } } as const;
    expect(await store().commit({ changes: [over] })).toBe("conflict");
    await put({ sweep: "expired", now: f.NOW + 30 * 86_400 });
    expect(await store().invitation("a")).toEqual(used);
    await put({ sweep: "expired", now: f.NOW + 31 * 86_400 });
    expect(await store().invitation("a")).toBeUndefined();
  });

  it("keeps what waits with an invitation for its co-signer, and drops it with the invitation", async () => {
    const row: InvitationRow = {
      hash: "c",
      id: "id-c",
      owner: f.OWNER,
      by: "admin",
      madeAt: f.NOW,
      exp: f.NOW + 600,
      coSigner: "old",
    };
    const offer = { statement: "AAAA", sig: { k: "webauthn", s: "AAAA" }, comment: "phone" };
    await put({ put: "invitation", row });
    expect(await store().invitation("c")).toEqual(row);
    await put({ set: "invitation", hash: "c", fields: { offer, jkt: "new" } });
    expect(await store().invitation("id-c")).toEqual({ ...row, offer, jkt: "new" });
    const ended = { cancelledAt: f.NOW + 1, cancelledBy: "terminal" } as const;
    await put({ set: "invitation", hash: "c", fields: ended });
    expect(await store().invitation("c")).toEqual({ ...row, offer, jkt: "new", ...ended });
    await put({ drop: "invitations", owner: f.OWNER });
    expect(await store().invitation("c")).toBeUndefined();
  });

  it("keeps one announced recovery an owner, and knows whose its key is", async () => {
    const row = recoveryRow();
    await put({ put: "recovery", row });
    expect(await store().recovery("r1")).toEqual(row);
    expect(await store().recoveries({ owner: f.OWNER, state: "announced" })).toEqual([row]);
    expect(await store().recoveries({ jkt: row.jkt })).toEqual([row]);
    expect(await store().keyOwner(row.jkt)).toEqual({ kind: "owner", id: f.OWNER });
    const second = recoveryRow({ id: "r2", jkt: f.hashOf("other"), announcedAt: f.NOW + 1 });
    expect(await store().commit({ changes: [{ put: "recovery", row: second }] })).toBe("conflict");
    const done = { state: "cancelled", decidedAt: f.NOW + 1 } as const;
    await put({ set: "recovery", id: "r1", fields: done });
    expect(await store().keyOwner(row.jkt)).toBeUndefined();
    await put({ put: "recovery", row: second });
    expect(await store().recoveries({ owner: f.OWNER })).toEqual([second, { ...row, ...done }]);
  });

  it("decides a recovery only as it was read", async () => {
    await put({ put: "recovery", row: recoveryRow() });
    const commit = (state: RecoveryRow["state"]): Promise<unknown> =>
      store().commit({
        changes: [{ set: "recovery", id: "r1", fields: { state: "cancelled", decidedAt: f.NOW } }],
        expect: { recovery: { id: "r1", state } },
      });
    expect(await commit("recovered")).toBe("conflict");
    expect(await commit("announced")).toEqual({});
    expect(await commit("announced")).toBe("conflict");
  });

  it("counts denials since the entry was unblocked", async () => {
    const denied = (id: string, decidedAt: number): Change => ({
      put: "ask",
      row: f.askRow({ id, req: f.digestOfWord(id), state: "denied", decidedAt }),
    });
    await put({ put: "entry", row: f.entryRow() });
    await put(denied("d1", f.NOW));
    await put(denied("d2", f.NOW + 10));
    const query = { proxy: f.PROXY, entry: f.ENTRY, agent: f.AGENT, now: f.NOW + 20 };
    expect((await store().known(query)).denials).toHaveLength(2);
    await put({ put: "unblock", row: { entry: f.ENTRY, at: f.NOW + 5 } });
    expect((await store().known(query)).denials).toEqual([{ state: "denied", at: f.NOW + 10 }]);
    await put({ put: "unblock", row: { entry: f.ENTRY, at: f.NOW + 10 } });
    expect((await store().known(query)).denials).toEqual([]);
  });

  it("keeps the newest announcement of an entry, for the proxy that it was made for", async () => {
    await put({ put: "entry", row: f.entryRow() });
    const row = {
      entry: f.ENTRY,
      proxy: f.PROXY,
      owner: f.OWNER,
      by: "owner",
      madeAt: f.NOW,
      exp: f.NOW + 600,
    } as const;
    await put({ put: "announcement", row });
    const known = async (proxy = f.PROXY): Promise<unknown> => {
      const query = { proxy, entry: f.ENTRY, agent: f.AGENT, now: f.NOW };
      return (await store().known(query)).announcement;
    };
    expect(await known()).toEqual(row);
    expect(await known("spiffe://example.org/proxy/host-2")).toBeUndefined();
    const spent = { ...row, spentBy: f.digestOfWord("r") };
    await put({ put: "announcement", row: spent });
    expect(await known()).toEqual(spent);
    const of = { entry: f.ENTRY, proxy: f.PROXY };
    const meets = async (announcement: object): Promise<unknown> =>
      store().commit({ changes: [], expect: { announcement: { ...of, ...announcement } } });
    expect(await meets({ madeAt: f.NOW, spentBy: spent.spentBy })).toEqual({});
    for (const other of [
      {},
      { madeAt: f.NOW },
      { madeAt: f.NOW + 1, spentBy: spent.spentBy },
      { madeAt: f.NOW, spentBy: spent.spentBy, proxy: "spiffe://example.org/proxy/host-2" },
    ])
      expect(await meets(other)).toBe("conflict");
  });

  it("keeps a block until it is dropped", async () => {
    await put({ put: "entry", row: f.entryRow() });
    const query = { proxy: f.PROXY, entry: f.ENTRY, agent: f.AGENT, now: f.NOW };
    const isBlocked = async (): Promise<boolean> => (await store().known(query)).isBlocked;
    expect(await isBlocked()).toBe(false);
    await put({ put: "block", row: { entry: f.ENTRY, at: f.NOW } });
    await put({ put: "block", row: { entry: f.ENTRY, at: f.NOW + 1 } });
    expect(await isBlocked()).toBe(true);
    await put({ put: "unblock", row: { entry: f.ENTRY, at: f.NOW + 1 } });
    expect(await isBlocked()).toBe(true);
    await put({ drop: "block", entry: f.ENTRY });
    expect(await isBlocked()).toBe(false);
  });

  it("lists the users whose runs an owner counts as his own, each on its proxy", async () => {
    await put({ put: "entry", row: f.entryRow() });
    const starter = (uid: number, owner = f.OWNER, proxy = f.PROXY): Change => ({
      put: "starter",
      row: { id: `${owner} ${proxy} ${uid}`, owner, proxy, uid, since: f.NOW },
    });
    await put(
      starter(1000),
      starter(1001),
      starter(1000, "urn:other"),
      starter(7, f.OWNER, "spiffe://example.org/proxy/host-2"),
    );
    const query = { proxy: f.PROXY, entry: f.ENTRY, agent: f.AGENT, now: f.NOW };
    expect((await store().known(query)).listedUids).toEqual([1000, 1001]);
    expect(await store().starters(f.OWNER)).toHaveLength(3);
    await put({ drop: "starter", id: `${f.OWNER} ${f.PROXY} 1000` });
    expect((await store().known(query)).listedUids).toEqual([1001]);
    expect(await store().starters("urn:other")).toHaveLength(1);
  });

  it("gives log rows of some types, and how many there are in all", async () => {
    for (const [word, type] of [
      ["one", "approval.asked"],
      ["two", "credential.refused"],
      ["three", "approval.denied"],
    ] as const)
      await f.written(store(), { log: f.logOf(word, type), changes: [] });
    const types = ["approval.asked", "approval.denied"];
    const seqs = async (from: number, to: number): Promise<readonly number[]> =>
      (await store().logRowsOf(types, from, to)).map(({ seq }) => seq);
    expect(await seqs(0, 9)).toEqual([0, 2]);
    expect(await seqs(1, 2)).toEqual([]);
    expect(await store().logSize()).toBe(3);
  });

  it("finds log rows by what their record holds, the newest first, and no more than a hundred", async () => {
    const words = ["alice", "bob", "alice and bob", "carol"];
    for (const word of words) await f.written(store(), { log: f.logOf(word), changes: [] });
    const seqs = async (text: string, from = 0, to = 99): Promise<readonly number[]> =>
      (await store().logRowsHolding(text, from, to)).map(({ seq }) => seq);
    expect(await seqs("alice")).toEqual([2, 0]);
    expect(await seqs("alice", 1, 2)).toEqual([]);
    expect(await seqs("alice", 0, 2)).toEqual([0]);
    expect(await seqs("%")).toEqual([]);
    for (let n = 0; n < 101; n += 1)
      await f.written(store(), { log: f.logOf(`dave ${n}`), changes: [] });
    expect(await seqs("dave", 0, 999)).toHaveLength(100);
  });
}
