import { readLeaf, verifyTlogProof } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { expect, it } from "vitest";
import * as f from "./fixtures.testing.ts";
import type { Decision, Release, Store } from "./store.ts";

function countOf<T>(items: readonly T[], wanted: T): number {
  return items.filter((item) => item === wanted).length;
}

/** A decision that rests on a key at this counter. */
const keyDecision = (key: { readonly jkt?: string; readonly counter?: number }): Decision => ({
  changes: [],
  expect: { ownerKeys: [{ jkt: f.ownerKeyRow().jkt, ...key }] },
});

/** What `commit` promises: atomic, guarded, proved. */
export function commitRules(store: () => Store, put: f.Put): void {
  it("answers with a proof under a signed checkpoint", async () => {
    const log = f.logOf("one");
    const { seq, proof, checkpoint } = await f.written(store(), { log, changes: [] });
    expect(seq).toBe(0);
    const at = await verifyTlogProof(nodeCrypto, {
      proof: proof ?? "",
      entry: log.leaf,
      vkey: f.VKEY,
    });
    expect([at.index, at.checkpoint.text]).toEqual([0, checkpoint]);
    expect(await store().logRow(0)).toEqual({ seq: 0, ...log });
    expect(await store().checkpoint()).toBe(checkpoint);
  });

  it("gives 100 parallel decisions consecutive rows and few checkpoints", async () => {
    const words = Array.from({ length: 100 }, (_, i) => `word ${i}`);
    const all = await Promise.all(words.map((word) => f.written(store(), f.decisionOf(word))));
    expect(all.map(({ seq }) => seq)).toEqual(words.map((_, i) => i));
    expect(new Set(all.map(({ checkpoint }) => checkpoint)).size).toBe(1);
    for (const row of await store().logRows(0, 100)) {
      const proof = await store().proofFor(row.seq);
      const given = { proof, entry: row.leaf, vkey: f.VKEY };
      expect((await verifyTlogProof(nodeCrypto, given)).index).toBe(row.seq);
      expect(readLeaf(row.leaf).t).toBe(f.NOW);
    }
  });

  it("is all or nothing: a change that cannot be made takes the whole decision with it", async () => {
    await put({ put: "grant", row: f.grantRow() });
    const before = await store().epoch();
    const result = await store().commit(
      f.decisionOf("halves", {
        bumpEpoch: true,
        once: [{ kind: "nonce", value: "n", until: f.NOW + 120 }],
        expect: { issue: { cs: f.grantRow().cs, n: 1 } },
        changes: [
          { put: "entry", row: f.entryRow() },
          { put: "stop", row: f.stopRow() },
          { put: "grant", row: f.grantRow() },
        ],
      }),
    );
    expect(result).toBe("conflict");
    expect(await store().entry(f.ENTRY)).toBeUndefined();
    expect(await store().stops()).toEqual([]);
    expect(await store().onceSeen("nonce", "n")).toBe(false);
    expect((await store().grant(f.grantRow().cs))?.issued).toBe(0);
    expect(await store().epoch()).toBe(before);
    expect(await store().logRow(1)).toBeUndefined();
  });

  it("does not let one failing decision of a group take its neighbours", async () => {
    const once = [{ kind: "jti", value: "j", until: f.NOW } as const];
    const bug: Decision = { changes: [{ put: "credential", row: f.credentialRow("no leaf") }] };
    const results = await Promise.allSettled(
      [
        f.decisionOf("a", { once }),
        f.decisionOf("b", { once }),
        bug,
        f.decisionOf("c", { expect: { epoch: 99 } }),
        f.decisionOf("d"),
      ].map((decision) => store().commit(decision)),
    );
    const told = results.map((result) =>
      result.status === "rejected"
        ? (result.reason as Error).name
        : typeof result.value === "string"
          ? result.value
          : result.value.seq,
    );
    expect(told).toEqual([0, "used", "TypeError", "conflict", 1]);
  });

  it("T23: says to exactly one of 100 that it was first", async () => {
    const once = [{ kind: "nonce", value: "same", until: f.NOW + 120 } as const];
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) => store().commit(f.decisionOf(`race ${i}`, { once }))),
    );
    expect(countOf<unknown>(all, "used")).toBe(99);
  });

  it("T35, T40: gives each ordinal of a grant once, and none past its count or its end", async () => {
    const { cs } = f.grantRow();
    await put({ put: "grant", row: f.grantRow({ maxIssue: 3 }) });
    const issue = (word: string, n: number) =>
      store().commit(
        f.decisionOf(word, {
          expect: { issue: { cs, n } },
          changes: [{ put: "credential", row: f.credentialRow(word, { cs, n }) }],
        }),
      );
    const first = await Promise.all(Array.from({ length: 50 }, (_, i) => issue(`first ${i}`, 1)));
    expect(countOf<unknown>(first, "conflict")).toBe(49);
    expect(await issue("skips", 3)).toBe("conflict");
    await issue("second", 2);
    await issue("third", 3);
    expect(await issue("past the count", 4)).toBe("conflict");
    expect((await store().grant(cs))?.issued).toBe(3);
    expect((await store().credentials({ cs })).map(({ n }) => n)).toEqual([3, 2, 1]);
  });

  it("refuses the next ordinal once the grant has ended", async () => {
    const { cs } = f.grantRow();
    const end = { end: "grants", scope: "grant", target: cs, at: f.NOW, why: "halted" } as const;
    await put({ put: "grant", row: f.grantRow() });
    await put(end);
    expect(await store().commit(f.decisionOf("late", { expect: { issue: { cs, n: 1 } } }))).toBe(
      "conflict",
    );
  });

  it("refuses a decision loaded before the epoch moved", async () => {
    const epoch = await store().epoch();
    await f.written(store(), f.decisionOf("halt", { bumpEpoch: true, expect: { epoch } }));
    expect(await store().epoch()).toBe(epoch + 1);
    expect(await store().commit(f.decisionOf("stale", { expect: { epoch } }))).toBe("conflict");
  });

  it("takes one request once and keeps its outcome with the row of the log", async () => {
    const row = {
      req: f.digestOfWord("r"),
      proxy: f.PROXY,
      exp: f.NOW + 300,
      epoch: 1,
      outcome: { state: "issued" },
    };
    const decision = f.decisionOf("r", { changes: [{ put: "request", row }] });
    const both = await Promise.all([store().commit(decision), store().commit(decision)]);
    expect(countOf<unknown>(both, "used")).toBe(1);
    expect(await store().outcome(row.req)).toEqual({ ...row, seq: 0 });
  });

  it("T8: takes one credential key once", async () => {
    const keyJkt = f.hashOf("shared");
    const issue = (word: string) =>
      store().commit(
        f.decisionOf(word, {
          changes: [{ put: "credential", row: f.credentialRow(word, { keyJkt }) }],
        }),
      );
    const both = await Promise.all([issue("a"), issue("b")]);
    expect(countOf<unknown>(both, "used")).toBe(1);
  });

  it("keeps one open question an entry, and decides each once", async () => {
    const req = f.askRow().req;
    const second = f.askRow({ req: f.digestOfWord("second"), id: "second" });
    await put({ put: "ask", row: f.askRow() });
    expect(
      await store().commit(f.decisionOf("two", { changes: [{ put: "ask", row: second }] })),
    ).toBe("conflict");
    const approve = f.decisionOf("approve", {
      expect: { ask: { req, state: "asked" } },
      changes: [{ set: "ask", req, fields: { state: "approved", decidedAt: f.NOW } }],
    });
    const both = await Promise.all([store().commit(approve), store().commit(approve)]);
    expect(countOf<unknown>(both, "conflict")).toBe(1);
    await put({ put: "ask", row: second });
    expect((await store().asks({ state: "asked" })).map(({ id }) => id)).toEqual(["second"]);
  });

  it.each<[string, Decision]>([
    [
      "an entry of another version",
      { changes: [], expect: { entry: { id: f.ENTRY, version: 2 } } },
    ],
    [
      "an entry that should be absent",
      { changes: [], expect: { entry: { id: f.ENTRY, version: 0 } } },
    ],
    [
      "a certificate that is superseded",
      { changes: [], expect: { liveSerial: { proxy: f.PROXY, serial: "00" } } },
    ],
    [
      "an ask that does not exist",
      { changes: [], expect: { ask: { req: f.digestOfWord("x"), state: "asked" } } },
    ],
    ["a set without its row", { changes: [{ set: "stop", id: "none", fields: { liftedAt: 1 } }] }],
    ["a counter that moved", keyDecision({ counter: 6 })],
    ["a counter that is there now", keyDecision({})],
    ["a key that is not there", keyDecision({ jkt: f.hashOf("none"), counter: 7 })],
    ["a second owner key", { changes: [{ put: "ownerKey", row: f.ownerKeyRow() }] }],
    [
      "an agent id with another anchor",
      { changes: [{ put: "installation", row: f.installationRow({ anchor: f.hashOf("other") }) }] },
    ],
    [
      "a second installation of an entry",
      {
        changes: [
          {
            put: "installation",
            row: f.installationRow({ agent: `${f.ENTRY}/ff`, anchor: f.hashOf("other") }),
          },
        ],
      },
    ],
  ])("conflicts with %s", async (_, decision) => {
    await put(
      { put: "entry", row: f.entryRow() },
      { put: "proxy", row: f.proxyRow() },
      { put: "ownerKey", row: f.ownerKeyRow({ counter: 7 }) },
      { put: "installation", row: f.installationRow() },
    );
    expect(await store().commit(decision)).toBe("conflict");
  });

  it("accepts what the same expectations ask when they hold", async () => {
    await put({ put: "entry", row: f.entryRow() }, { put: "proxy", row: f.proxyRow() });
    const expectation = {
      entry: { id: f.ENTRY, version: 1 },
      liveSerial: { proxy: f.PROXY, serial: "01" },
    };
    expect(await store().commit({ changes: [], expect: expectation })).toEqual({});
  });

  it("lets two decisions at once move one counter once, and none of a key that is suspended or removed", async () => {
    const { jkt } = f.ownerKeyRow();
    await put({ put: "ownerKey", row: f.ownerKeyRow() });
    const move = (word: string, from: number | undefined, counter: number) =>
      store().commit(
        f.decisionOf(word, {
          expect: { ownerKeys: [from === undefined ? { jkt } : { jkt, counter: from }] },
          changes: [{ set: "ownerKey", jkt, fields: { counter } }],
        }),
      );
    const both = await Promise.all([move("a", undefined, 1), move("b", undefined, 1)]);
    expect(countOf<unknown>(both, "conflict")).toBe(1);
    expect(await move("zero is no absence", 0, 2)).toBe("conflict");
    expect(await move("c", 1, 2)).not.toBe("conflict");
    await put({ set: "ownerKey", jkt, fields: { suspendedAt: f.NOW } });
    expect(await move("suspended", 2, 3)).toBe("conflict");
    await put({ set: "ownerKey", jkt, fields: { suspendedAt: undefined } });
    expect(await move("resumed", 2, 3)).not.toBe("conflict");
    await put({ set: "ownerKey", jkt, fields: { removedAt: f.NOW } });
    expect(await move("removed", 3, 4)).toBe("conflict");
    expect(await store().ownerKey(jkt)).toMatchObject({ counter: 3, removedAt: f.NOW });
  });

  it("refuses leaves and records over their size", async () => {
    const log = f.logOf("large");
    for (const large of [{ leaf: new Uint8Array(2049) }, { record: new Uint8Array(65_537) }])
      await expect(
        store().commit({ log: { ...log, ...large }, changes: [] }),
      ).rejects.toMatchObject({ code: "too_large" });
  });

  it("tells listeners of each group once, with the proxies it concerns", async () => {
    const heard: Release[] = [];
    const stop = store().subscribe((release) => heard.push(release));
    await Promise.all([
      store().commit(f.decisionOf("a", { changes: [{ put: "ask", row: f.askRow() }] })),
      store().commit(
        f.decisionOf("b", { changes: [{ put: "credential", row: f.credentialRow("b") }] }),
      ),
    ]);
    expect(heard).toEqual([
      { size: 2, checkpoint: await store().checkpoint(), changed: [f.PROXY] },
    ]);
    await put({ put: "stop", row: f.stopRow() });
    expect(heard[1]?.changed).toBe("all");
    await put({
      set: "ask",
      req: f.askRow().req,
      fields: { state: "denied", decidedAt: f.NOW },
    });
    expect(heard[2]?.changed).toEqual([f.PROXY]);
    stop();
    await put({ put: "stop", row: f.stopRow({ id: "stop-2" }) });
    expect(heard).toHaveLength(3);
  });
}
