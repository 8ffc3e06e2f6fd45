import { expect, it } from "vitest";
import * as f from "./fixtures.testing.ts";
import type { CeremonyRow, SignatureRow } from "./rows.ts";
import type { Change, Expectation, Store } from "./store.ts";

const { req } = f.askRow();
const BOB = "urn:agent-owner:example.org:owner-two";
const CAROL = "urn:agent-owner:example.org:owner-three";
const PARTIES = { m: 2, owners: [f.OWNER, BOB, CAROL] };

function ceremonyRow(nonce: string): CeremonyRow {
  return { req, nonce, statement: new Uint8Array([1, 2, 3]), exp: f.NOW + 3600 };
}

function signatureRow(n: number, change: Partial<SignatureRow> = {}): SignatureRow {
  const owner = [f.OWNER, BOB, CAROL][n] ?? "";
  return {
    jti: `jti ${n}`,
    req,
    n,
    owner,
    ownerJkt: f.hashOf(`key of ${owner}`),
    ownerKind: "person",
    basis: "admin",
    assurance: 2,
    cs: f.grantRow().cs,
    statement: new Uint8Array([4, 5, 6]),
    signature: { k: "sshsig", s: "AAAA" },
    key: { jwk: f.LOG_SIGNER.key },
    chain: [f.hashOf("chain")],
    at: f.NOW,
    ...change,
  };
}

const signed = (n: number, change: Partial<SignatureRow> = {}): Change => ({
  put: "signature",
  row: signatureRow(n, change),
});

/** What the store promises where it takes several owners. */
export function ceremonyRules(store: () => Store, put: f.Put): void {
  const of = async (): Promise<readonly number[]> =>
    (await store().signatures({ req })).map(({ n }) => n);
  const expecting = (ceremony: Expectation["ceremony"], ...changes: readonly Change[]) =>
    store().commit(
      f.decisionOf(JSON.stringify(changes).slice(0, 99), {
        changes,
        ...(ceremony === undefined ? {} : { expect: { ceremony } }),
      }),
    );

  it("keeps what each has signed, in the order in which they did, for the question and the grant", async () => {
    const row = ceremonyRow("one");
    await put({ put: "ceremony", row });
    await put(signed(1));
    await put(signed(0, { n: 0 }));
    expect(await store().ceremony(req)).toEqual(row);
    const wanted = [signatureRow(0), signatureRow(1)];
    expect(await store().signatures({ req })).toEqual(wanted);
    expect(await store().signatures({ cs: f.grantRow().cs })).toEqual(wanted);
    expect(await store().signatures({ cs: f.digestOfWord("another") })).toEqual([]);
  });

  it.each<readonly [string, Change]>([
    ["of the same owner", signed(1, { owner: f.OWNER })],
    ["of the same number", signed(1, { n: 0 })],
    ["of the same statement", signed(1, { jti: "jti 0" })],
  ])("takes no second signature %s", async (_name, change) => {
    await put(signed(0));
    expect(await expecting(undefined, change)).toBe("conflict");
    expect(await of()).toEqual([0]);
  });

  it("says to one of two signatures at once that it was first", async () => {
    const both = await Promise.all([
      expecting(undefined, signed(0)),
      expecting(undefined, signed(1, { n: 0 })),
    ]);
    expect(both.filter((result) => result === "conflict")).toHaveLength(1);
    expect(await of()).toEqual([0]);
  });

  it.each<readonly [string, Expectation["ceremony"], boolean]>([
    ["that is there", { req, nonce: "one" }, true],
    ["that is another", { req, nonce: "two" }, false],
    ["that should be none", { req }, false],
    ["of another question", { req: f.digestOfWord("other"), nonce: "one" }, false],
    ["that is none, of another question", { req: f.digestOfWord("other") }, true],
  ])("goes by the ceremony %s", async (_name, ceremony, isMet) => {
    await put({ put: "ceremony", row: ceremonyRow("one") });
    const result = await expecting(ceremony, signed(0));
    expect(result === "conflict").toBe(!isMet);
  });

  it("lets one of two begin a ceremony", async () => {
    const begin = (nonce: string) =>
      expecting({ req }, { put: "ceremony", row: ceremonyRow(nonce) });
    const both = await Promise.all([begin("one"), begin("two")]);
    expect(both.filter((result) => result === "conflict")).toHaveLength(1);
  });

  it.each<readonly [string, Change]>([
    ["begun anew", { put: "ceremony", row: ceremonyRow("two") }],
    ["dropped", { drop: "ceremony", req }],
  ])(
    "drops what was signed of a ceremony that is %s, but nothing of a grant",
    async (_n, change) => {
      await put({ put: "ceremony", row: ceremonyRow("one") }, signed(0));
      await put(change);
      expect(await of()).toEqual([]);
      await put(signed(0), { put: "grant", row: f.grantRow({ parties: PARTIES.owners }) });
      await put(change);
      expect(await of()).toEqual([0]);
    },
  );

  it("forgets a ceremony that is over, and no signature", async () => {
    await put({ put: "ceremony", row: ceremonyRow("one") }, signed(0));
    await put({ sweep: "expired", now: f.NOW + 3600 });
    expect(await store().ceremony(req)).toBeDefined();
    await put({ sweep: "expired", now: f.NOW + 3600 + 601 });
    expect(await store().ceremony(req)).toBeUndefined();
    expect(await of()).toEqual([0]);
  });

  it.each<readonly [string, "owner" | "ownerKey", string, boolean]>([
    ["an owner who signed", "owner", BOB, true],
    ["an owner who is named only", "owner", CAROL, true],
    ["an owner who is not named", "owner", `${CAROL}9`, false],
    ["a key that signed first", "ownerKey", f.grantRow().ownerJkt, true],
    ["a key that signed", "ownerKey", signatureRow(1).ownerJkt, true],
    ["a key that did not", "ownerKey", signatureRow(2).ownerJkt, false],
  ])("ends the grants of %s, and no other's", async (_name, scope, target, isEnded) => {
    const plain = f.grantRow({ cs: f.digestOfWord("plain"), ownerJkt: f.hashOf("other key") });
    await put(
      signed(0, { ownerJkt: f.grantRow().ownerJkt }),
      signed(1),
      { put: "grant", row: f.grantRow({ parties: PARTIES.owners }) },
      { put: "grant", row: plain },
    );
    await put({ end: "grants", scope, target, at: f.NOW, why: "test" });
    const [one, other] = [await store().grant(f.grantRow().cs), await store().grant(plain.cs)];
    expect([one?.endedAt, other?.endedAt]).toEqual([isEnded ? f.NOW : undefined, undefined]);
  });

  it("shows questions, grants and entries to every owner whom they name", async () => {
    const body = f.entryRow({}, { parties: PARTIES });
    await put(
      { put: "entry", row: body },
      { put: "ask", row: f.askRow({ parties: PARTIES }) },
      { put: "grant", row: f.grantRow({ parties: PARTIES.owners }) },
    );
    for (const [owner, count] of [
      [f.OWNER, 1],
      [CAROL, 1],
      [`${CAROL}9`, 0],
    ] as const) {
      expect(await store().asks({ owner })).toHaveLength(count);
      expect(await store().grants({ owner })).toHaveLength(count);
      expect(await store().entries({ owner })).toHaveLength(count);
    }
    expect((await store().asks({ owner: BOB }))[0]).toEqual(f.askRow({ parties: PARTIES }));
  });

  it("counts a question that names an owner among others as one of his", async () => {
    const mine = f.entryRow({ id: `${f.ENTRY}2`, name: "mailer2" }, { owner: CAROL });
    await put({ put: "entry", row: mine }, { put: "ask", row: f.askRow({ parties: PARTIES }) });
    const { pending } = await store().known({
      proxy: f.PROXY,
      entry: mine.id,
      agent: `${mine.id}/00`,
      now: f.NOW,
    });
    expect(pending).toMatchObject({ ofOwner: 1, ofOwnerAtProxy: 1 });
  });

  it.each<readonly [string, boolean]>([
    [f.OWNER, true],
    [CAROL, true],
    [`${CAROL}9`, false],
  ])(
    "tells server and proxy of a stop of %s, where the entry names him",
    async (target, isTold) => {
      await put(
        { put: "entry", row: f.entryRow({}, { parties: PARTIES }) },
        { put: "stop", row: f.stopRow({ scope: "owner", target }) },
      );
      const query = { proxy: f.PROXY, entry: f.ENTRY, agent: f.AGENT, now: f.NOW };
      expect((await store().known(query)).stops).toHaveLength(isTold ? 1 : 0);
      expect((await store().stateFor(f.PROXY, f.NOW)).stops).toHaveLength(isTold ? 1 : 0);
    },
  );
}
