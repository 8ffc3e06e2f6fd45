import { verifyTlogProof } from "@countersign/core";
import type { Digest } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { expect, it } from "vitest";
import * as f from "./fixtures.testing.ts";
import type { StopScope } from "./rows.ts";
import type { Change, Store } from "./store.ts";

/** What reads show, and what they leave out. */
export function readRules(store: () => Store, put: f.Put): void {
  it("gives every row back as it was put", async () => {
    const certificate = {
      serial: "01",
      proxy: f.PROXY,
      jkt: f.hashOf("c"),
      notAfter: f.NOW,
      state: "live",
    } as const;
    const token = { hash: "h", proxy: f.PROXY, exp: f.NOW, replace: true };
    const owner = { id: f.OWNER, name: "Ada", kind: "person", createdAt: f.NOW } as const;
    const statement = {
      jti: "j",
      req: f.askRow().req,
      ownerJkt: "k",
      bytes: new Uint8Array([0, 255]),
      exp: f.NOW,
      authenticator: f.AUTHENTICATOR,
    };
    const registration = { challenge: "c", owner: f.OWNER, exp: f.NOW };
    const credential = f.credentialRow("full", { cs: f.grantRow().cs, n: 1, end: "e30.e30.AA" });
    const grant = f.grantRow({ key: { jwk: f.LOG_SIGNER.key, app: "ssh:" } });
    const key = f.ownerKeyRow({
      app: "ssh:",
      counter: 7,
      authenticator: f.AUTHENTICATOR,
      x5c: ["AAAA", "BBBB"],
      suspendedAt: f.NOW,
    });
    const proxy = f.proxyRow({ forkedAt: f.NOW, development: true });
    await put(
      { put: "entry", row: f.entryRow() },
      { put: "proxy", row: proxy },
      { put: "certificate", row: certificate },
      { put: "joinToken", row: token },
      { put: "owner", row: owner },
      { put: "ownerKey", row: key },
      { put: "installation", row: f.installationRow() },
      { put: "ask", row: f.askRow() },
      { put: "statement", row: statement },
      { put: "registration", row: registration },
      { put: "grant", row: grant },
      { put: "credential", row: credential },
      { put: "stop", row: f.stopRow() },
    );
    expect(await store().entry(f.ENTRY)).toEqual(f.entryRow());
    expect(await store().proxy(f.PROXY)).toEqual(proxy);
    expect(await store().proxies()).toEqual([proxy]);
    expect(await store().certificate("01")).toEqual(certificate);
    expect(await store().joinToken("h")).toEqual(token);
    expect(await store().owner(f.OWNER)).toEqual(owner);
    expect(await store().owners()).toEqual([owner]);
    const placed = { ...key, seq: 0, log: 1 };
    expect(await store().ownerKey(key.jkt)).toEqual(placed);
    expect(await store().ownerKeys(f.OWNER)).toEqual([placed]);
    expect(await store().passkeys(f.AUTHENTICATOR.credential)).toEqual([placed]);
    expect(await store().passkeys("BBBB")).toEqual([]);
    expect(await store().installations({ entry: f.ENTRY })).toEqual([f.installationRow()]);
    expect(await store().ask("k3x9")).toEqual(f.askRow());
    expect(await store().ask(f.askRow().req)).toEqual(f.askRow());
    expect(await store().statement("j")).toEqual(statement);
    expect(await store().registration("c")).toEqual(registration);
    expect(await store().registration("d")).toBeUndefined();
    expect(await store().grant(grant.cs)).toEqual(grant);
    expect(await store().credentialByJti(credential.jti)).toEqual({
      ...credential,
      seq: 0,
      log: 1,
    });
    expect(await store().credential(undefined, credential.jti)).toBeUndefined();
    expect(await store().stops({ inForce: true })).toEqual([f.stopRow()]);
  });

  it("changes and clears single members", async () => {
    const { jkt } = f.ownerKeyRow();
    await put({ put: "ownerKey", row: f.ownerKeyRow({ suspendedAt: f.NOW }) });
    const before = await store().bundleSequence();
    await put({ set: "ownerKey", jkt, fields: { counter: 9, suspendedAt: undefined } });
    expect(await store().ownerKey(jkt)).toEqual(f.ownerKeyRow({ counter: 9, seq: 0, log: 1 }));
    await put({ set: "ownerKey", jkt, fields: { removedAt: f.NOW } }, { bump: "bundleSequence" });
    expect(await store().removedOwnerKeys()).toEqual([jkt]);
    expect(await store().bundleSequence()).toBe(before + 1);
  });

  it.each<[StopScope, string, boolean]>([
    ["agent", f.AGENT, true],
    ["agent", `${f.ENTRY}/other`, false],
    ["entry", f.ENTRY, true],
    ["entry", "spiffe://example.org/agent/mail", false],
    ["grant", f.grantRow().cs, true],
    ["grant", f.digestOfWord("other"), false],
    ["owner", f.OWNER, true],
    ["owner", "urn:agent-owner:example.org:another1", false],
    ["proxy", f.PROXY, true],
    ["proxy", "spiffe://example.org/proxy/host-2", false],
    ["domain", "spiffe://example.org", true],
  ])("a stop of %s %s touches the agent: %s", async (scope, target, touches) => {
    await put(
      { put: "entry", row: f.entryRow() },
      { put: "installation", row: f.installationRow() },
      { put: "grant", row: f.grantRow() },
      { put: "stop", row: f.stopRow({ scope, target }) },
    );
    const query = {
      proxy: f.PROXY,
      entry: f.ENTRY,
      agent: f.AGENT,
      cs: f.grantRow().cs,
      now: f.NOW,
    };
    expect((await store().known(query)).stops).toHaveLength(touches ? 1 : 0);
    expect((await store().stateFor(f.PROXY, f.NOW)).stops).toHaveLength(touches ? 1 : 0);
    await put({ set: "stop", id: "stop-1", fields: { liftedAt: f.NOW } });
    expect((await store().known(query)).stops).toEqual([]);
    expect((await store().stateFor(f.PROXY, f.NOW)).stops).toEqual([]);
  });

  it.each<[Extract<Change, { end: string }>["scope"], string, boolean]>([
    ["agent", f.AGENT, true],
    ["agent", f.ENTRY, false],
    ["entry", f.ENTRY, true],
    ["grant", f.grantRow().cs, true],
    ["owner", f.OWNER, true],
    ["ownerKey", f.grantRow().ownerJkt, true],
    ["ownerKey", f.hashOf("another"), false],
    ["proxy", f.PROXY, true],
    ["domain", "spiffe://example.org", true],
  ])("a halt of %s %s ends the grant: %s", async (scope, target, ends) => {
    await put({ put: "grant", row: f.grantRow() });
    await put({ end: "grants", scope, target, at: f.NOW + 5, why: "halted" });
    const grant = await store().grant(f.grantRow().cs);
    expect([grant?.endedAt, grant?.endedWhy]).toEqual(
      ends ? [f.NOW + 5, "halted"] : [undefined, undefined],
    );
    expect(await store().grants({ liveAt: f.NOW })).toHaveLength(ends ? 0 : 1);
  });

  it("knows what a decision about one request needs", async () => {
    const { cs } = f.grantRow();
    await put(
      { put: "entry", row: f.entryRow() },
      { put: "installation", row: f.installationRow() },
      { put: "grant", row: f.grantRow() },
      { put: "ask", row: f.askRow({ expected: true }) },
    );
    for (const [n, exp] of [
      [1, f.NOW + 10],
      [2, f.NOW + 900],
    ] as const)
      await f.written(
        store(),
        f.decisionOf(`issue ${n}`, {
          expect: { issue: { cs, n } },
          changes: [{ put: "credential", row: f.credentialRow(`n${n}`, { cs, n, exp }) }],
        }),
      );
    const query = { proxy: f.PROXY, entry: f.ENTRY, agent: f.AGENT, cs, now: f.NOW + 10 };
    const known = await store().known(query);
    const grant = f.grantRow({ issued: 2 });
    expect(known).toEqual({
      epoch: 1,
      entry: f.entryRow(),
      installation: f.installationRow(),
      grant,
      liveGrants: [grant],
      issued: 2,
      live: 1, // nothing lives at its expiry
      stops: [],
      openAsk: f.askRow({ expected: true }),
      denials: [],
      pending: { ofOwner: 1, ofOwnerExpected: 1, ofOwnerAtProxy: 1 },
      listedUids: [],
      isBlocked: false,
    });
    const later = await store().known({ ...query, now: f.NOW + 86_400 });
    expect([later.liveGrants, later.live, later.pending.ofOwner]).toEqual([[], 0, 0]);
    const nobody = await store().known({
      ...query,
      entry: "x",
      agent: "y",
      cs: f.digestOfWord("z"),
    });
    expect(nobody).toMatchObject({ liveGrants: [], issued: 0, live: 0 });
    expect(nobody.entry ?? nobody.grant ?? nobody.openAsk).toBeUndefined();
  });

  it("counts denials since the last approval, newest first", async () => {
    const states = ["denied", "approved", "expired", "denied"] as const;
    await put(
      ...states.map((state, i) => ({
        put: "ask" as const,
        row: f.askRow({
          req: f.digestOfWord(`${i}`),
          id: `${i}`,
          state,
          decidedAt: f.NOW + i,
        }),
      })),
    );
    const query = { proxy: f.PROXY, entry: f.ENTRY, agent: f.AGENT, now: f.NOW };
    expect((await store().known(query)).denials).toEqual([
      { state: "denied", at: f.NOW + 3 },
      { state: "expired", at: f.NOW + 2 },
    ]);
  });

  it("shows a proxy what is its own, and nothing of another", async () => {
    const other = "spiffe://example.org/proxy/host-2";
    const entry = { id: "spiffe://example.org/agent/other", proxy: other, name: "other" };
    await put(
      { put: "proxy", row: f.proxyRow() },
      { put: "entry", row: f.entryRow() },
      { put: "entry", row: f.entryRow(entry, entry) },
      { put: "grant", row: f.grantRow() },
      { put: "grant", row: f.grantRow({ cs: f.digestOfWord("foreign"), proxy: other }) },
      { put: "ask", row: f.askRow() },
      { put: "installation", row: f.installationRow() },
    );
    expect(await store().stateFor(f.PROXY, f.NOW)).toEqual({
      epoch: 1,
      seq: 1,
      checkpoint: await store().checkpoint(),
      proxy: f.proxyRow(),
      entries: [f.entryRow()],
      installations: [f.installationRow()],
      stops: [],
      asks: [f.askRow()],
      grants: [f.grantRow()],
    });
    const late = await store().stateFor(f.PROXY, f.NOW + 86_400);
    expect([late.asks, late.grants]).toEqual([[], []]);
    await put({ put: "entry", row: f.entryRow({ version: 2, removedAt: f.NOW }) });
    expect((await store().stateFor(f.PROXY, f.NOW)).entries).toEqual([]);
    expect(await store().entries({ removed: false, owner: f.OWNER })).toHaveLength(1);
    expect(await store().entries({ proxy: f.PROXY, removed: true })).toHaveLength(1);
  });

  it.each<[string, Change, object]>([
    [
      "an owner",
      { put: "ownerKey", row: f.ownerKeyRow({ jkt: "K" }) },
      { kind: "owner", id: f.OWNER },
    ],
    [
      "a proxy",
      { put: "proxy", row: f.proxyRow({ liveJkt: "K" }) },
      { kind: "proxy", id: f.PROXY },
    ],
    [
      "a proxy's older certificate",
      {
        put: "certificate",
        row: { serial: "1", proxy: f.PROXY, jkt: "K", notAfter: 1, state: "superseded" },
      },
      { kind: "proxy", id: f.PROXY },
    ],
    [
      "a retired anchor",
      { put: "installation", row: f.installationRow({ anchor: "K", retiredAt: 1 }) },
      { kind: "anchor", id: f.AGENT },
    ],
    [
      "an anchor that has only asked",
      { put: "ask", row: f.askRow({ anchor: "K" }) },
      { kind: "anchor", id: f.AGENT },
    ],
    [
      "a credential",
      { put: "credential", row: f.credentialRow("k", { keyJkt: "K" }) },
      { kind: "credential", id: f.AGENT },
    ],
  ])("knows the key of %s", async (_, change, wanted) => {
    expect(await store().keyOwner("K")).toBeUndefined();
    await put(change);
    expect(await store().keyOwner("K")).toEqual(wanted);
  });

  it("erases records and requests, and leaves the log's tree alone", async () => {
    const req = f.askRow().req;
    await put({ put: "ask", row: f.askRow({ state: "denied", decidedAt: f.NOW }) });
    const before = await store().logRow(0);
    await put({ erase: "record", seq: 0 }, { erase: "requests", decidedBefore: f.NOW + 1 });
    const { record, salts, ...rest } = before ?? {};
    expect(record).toBeInstanceOf(Uint8Array);
    expect(salts).toHaveProperty("record");
    const { record: _gone, ...kept } = salts ?? {};
    expect(await store().logRow(0)).toEqual({ ...rest, salts: kept });
    const proof = await store().proofFor(0);
    await verifyTlogProof(nodeCrypto, {
      proof,
      entry: before?.leaf ?? new Uint8Array(),
      vkey: f.VKEY,
    });
    expect((await store().ask(req))?.request).toBeUndefined();
  });

  it("sweeps what is over, and not a second before its margin", async () => {
    const until = f.NOW;
    const req: Digest = f.digestOfWord("r");
    await f.written(store(), {
      changes: [
        {
          put: "request",
          row: { req, proxy: f.PROXY, exp: until, epoch: 1, outcome: {} },
        },
        {
          put: "statement",
          row: { jti: "j", req, ownerJkt: "k", bytes: new Uint8Array(1), exp: until },
        },
        { put: "registration", row: { challenge: "c", owner: f.OWNER, exp: until } },
      ],
      once: [{ kind: "nonce", value: "n", until }],
    });
    const there = async (): Promise<readonly boolean[]> => [
      (await store().outcome(req)) !== undefined,
      (await store().statement("j")) !== undefined,
      (await store().registration("c")) !== undefined,
      await store().onceSeen("nonce", "n"),
    ];
    await store().commit({ changes: [{ sweep: "expired", now: until + 600 }] });
    expect(await there()).toEqual([true, true, true, true]);
    await store().commit({ changes: [{ sweep: "expired", now: until + 601 }] });
    expect(await there()).toEqual([false, false, false, false]);
  });

  it("refuses the proof of a leaf that is not there", async () => {
    for (const seq of [0, -1, 0.5])
      await expect(store().proofFor(seq)).rejects.toMatchObject({ code: "not_found" });
  });
}
