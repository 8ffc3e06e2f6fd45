import { expect, it } from "vitest";
import * as f from "./fixtures.testing.ts";
import type { EndedAskRow } from "./opened.ts";
import type { AskRow, AskState, GrantRow } from "./rows.ts";
import type { Store } from "./store.ts";

const [BOB, CAROL] = [
  "urn:agent-owner:example.org:owner-bob",
  "urn:agent-owner:example.org:owner-carol",
];
const ask = (word: string, change: Partial<AskRow> = {}): AskRow =>
  f.askRow({ req: f.digestOfWord(word), id: word, entry: `${f.ENTRY}-${word}`, ...change });
const opened = (word: string, owner: string, at: number) =>
  ({ note: "opened", req: f.digestOfWord(word), owner, at }) as const;
const end = (word: string, state: AskState, at: number, cs?: GrantRow["cs"]) =>
  ({
    set: "ask",
    req: f.digestOfWord(word),
    fields: { state, decidedAt: at, ...(cs === undefined ? {} : { cs }) },
  }) as const;

/** When owners open what they are asked, and how it ends. */
export function openedRules(store: () => Store, put: f.Put): void {
  const ended = (owner = f.OWNER): Promise<readonly EndedAskRow[]> =>
    store().endedAsks(owner, f.NOW);

  it("keeps when each owner first had the text, and nothing of a question that is decided", async () => {
    await put({ put: "ask", row: ask("a") });
    await put(opened("a", f.OWNER, f.NOW + 1));
    await put(opened("a", BOB, f.NOW + 2), opened("a", f.OWNER, f.NOW + 9));
    const both = { [f.OWNER]: f.NOW + 1, [BOB]: f.NOW + 2 };
    expect((await store().ask("a"))?.opened).toEqual(both);
    await put(end("a", "denied", f.NOW + 10));
    await put(opened("a", CAROL, f.NOW + 11), opened("nobody asked", f.OWNER, f.NOW));
    expect((await store().ask("a"))?.opened).toEqual(both);
  });

  it("says how the questions of an owner ended, newest first, and who signed", async () => {
    const cs = f.digestOfWord("grant");
    const grant = f.grantRow({ cs, ownerKind: "device", model: "owner" });
    await put(
      ...["old", "denied", "expired", "by a gateway", "superseded", "open"].map(
        (word) => ({ put: "ask", row: ask(word) }) as const,
      ),
      { put: "ask", row: ask("another's", { owner: BOB }) },
      opened("denied", f.OWNER, f.NOW + 1),
      { put: "grant", row: grant },
    );
    await put(
      end("old", "denied", f.NOW),
      end("denied", "denied", f.NOW + 4),
      end("expired", "expired", f.NOW + 5),
      end("by a gateway", "approved", f.NOW + 6, cs),
      end("superseded", "superseded", f.NOW + 7),
      end("another's", "denied", f.NOW + 8),
    );
    expect(await ended()).toEqual([
      { state: "approved", at: f.NOW + 6, ownerKind: "device", model: "owner" },
      { state: "expired", at: f.NOW + 5 },
      { state: "denied", at: f.NOW + 4, openedAt: f.NOW + 1 },
    ]);
  });

  it("forgets with the agent's words when a text was opened", async () => {
    await put({ put: "ask", row: ask("a") }, opened("a", f.OWNER, f.NOW + 1));
    await put(end("a", "denied", f.NOW + 4));
    await put({ erase: "requests", decidedBefore: f.NOW + 4 });
    expect(await ended()).toMatchObject([{ openedAt: f.NOW + 1 }]);
    await put({ erase: "requests", decidedBefore: f.NOW + 5 });
    expect(await ended()).toEqual([{ state: "denied", at: f.NOW + 4 }]);
    expect((await store().ask("a"))?.opened).toBeUndefined();
  });

  it("gives the questions of an owner that were decided last, alone or among several, and no more than asked for", async () => {
    const among = { owner: BOB, parties: { m: 2, owners: [BOB, f.OWNER] } };
    await put(
      ...["a", "b", "open"].map((word) => ({ put: "ask", row: ask(word) }) as const),
      { put: "ask", row: ask("shared", among) },
      { put: "ask", row: ask("bob's", { owner: BOB }) },
    );
    await put(
      end("b", "denied", f.NOW + 1),
      end("shared", "expired", f.NOW + 2),
      end("bob's", "denied", f.NOW + 3),
      end("a", "superseded", f.NOW + 4),
    );
    const of = async (owner: string | undefined, count: number): Promise<readonly string[]> =>
      (await store().decidedAsks(owner, count)).map(({ id }) => id);
    expect(await of(f.OWNER, 10)).toEqual(["a", "shared", "b"]);
    expect(await of(f.OWNER, 2)).toEqual(["a", "shared"]);
    expect(await of(BOB, 10)).toEqual(["bob's", "shared"]);
    expect(await of(CAROL, 10)).toEqual([]);
    expect(await of(undefined, 10)).toEqual(["a", "bob's", "shared", "b"]);
    expect(await of(undefined, 1)).toEqual(["a"]);
    expect((await store().decidedAsks(f.OWNER, 1))[0]).toEqual(
      ask("a", { state: "superseded", decidedAt: f.NOW + 4 }),
    );
  });
}
