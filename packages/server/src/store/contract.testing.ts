import { afterEach, beforeEach, describe } from "vitest";
import { ceremonyRules } from "./contract-ceremony.testing.ts";
import { commitRules } from "./contract-commit.testing.ts";
import { openedRules } from "./contract-opened.testing.ts";
import { noticeRules } from "./contract-notices.testing.ts";
import { ownerRules } from "./contract-owners.testing.ts";
import { pushRules } from "./contract-push.testing.ts";
import { readRules } from "./contract-reads.testing.ts";
import * as f from "./fixtures.testing.ts";
import type { Change, Store } from "./store.ts";

/** What every implementation of `Store` must do. `open` gives an empty one. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    const put = (...changes: readonly Change[]): Promise<unknown> =>
      f.written(store, { log: f.logOf(JSON.stringify(changes).slice(0, 200)), changes });

    describe("commit", () => {
      commitRules(() => store, put);
    });
    describe("owners", () => {
      ownerRules(() => store, put);
    });
    describe("several owners", () => {
      ceremonyRules(() => store, put);
    });
    describe("opened questions", () => {
      openedRules(() => store, put);
    });
    describe("push subscriptions", () => {
      pushRules(() => store, put);
    });
    describe("notices", () => {
      noticeRules(() => store);
    });
    describe("reads", () => {
      readRules(() => store, put);
    });
  });
}
