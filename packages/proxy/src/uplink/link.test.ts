import { json, handlerTarget } from "@countersign/node";
import type { Target } from "@countersign/node";
import { describe, expect, it } from "vitest";
import type { Identity } from "../keys/identity.ts";
import { Link } from "./link.ts";

const NONCE = { nonce: "AAAAAAAA", now: 1_800_000_000, expires_in: 120 };
const identityOf = (id: string): Identity => ({ id }) as Identity; // nothing else is asked of it

/** A server that answers when it is told to, and remembers who called and whose connection ended. */
class Server {
  readonly seen: string[] = [];
  readonly #waiting: (() => void)[] = [];

  readonly open = ({ id }: Identity): Target => {
    const target = handlerTarget(async () => {
      this.seen.push(id);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return json(NONCE);
    });
    return { send: target.send, close: () => this.seen.push(`${id} closed`) };
  };

  answer(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve)); // zero: a whole turn of the loop
const ask = (link: Link): Promise<string> =>
  link.use(async ({ uplink, identity }) => {
    await uplink.nonce(undefined);
    return identity.id;
  });

describe("the identity of a proxy changes", () => {
  it("after the calls under way, and before those that come meanwhile", async () => {
    const server = new Server();
    const link = new Link(identityOf("first"), server.open);
    const before = [ask(link), ask(link)];
    await turn();
    const replaced = link.replace(identityOf("second"), () => server.seen.push("changed"));
    const meanwhile = [ask(link), ask(link)];
    await turn();
    expect([server.seen, link.identity.id]).toEqual([["first", "first"], "first"]);
    server.answer();
    await replaced;
    expect(await Promise.all(before)).toEqual(["first", "first"]);
    await turn();
    server.answer();
    expect(await Promise.all(meanwhile)).toEqual(["second", "second"]);
    expect(server.seen).toEqual(["first", "first", "changed", "first closed", "second", "second"]);
  });

  it("at once where nothing is under way; a call that failed is not", async () => {
    const server = new Server();
    const link = new Link(identityOf("first"), server.open);
    await expect(link.use(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await link.replace(identityOf("second"), () => undefined);
    expect(server.seen).toEqual(["first closed"]);
    const asked = ask(link);
    await turn();
    server.answer();
    expect(await asked).toBe("second");
  });
});
