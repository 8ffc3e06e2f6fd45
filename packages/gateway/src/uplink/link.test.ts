import { Refusal } from "@countersign/core";
import type { Target } from "@countersign/node";
import { describe, expect, it } from "vitest";
import type { Identity } from "../keys/identity.ts";
import { Link } from "./link.ts";

/** Identities that differ by name, and connections that say whose they are. */
const identityOf = (id: string): Identity => ({ id }) as Identity; // nothing else is looked at

class Connections {
  readonly closed: string[] = [];
  readonly link: Link = new Link(identityOf("first"), ({ id }) => {
    const target = (kind: string): Target => ({
      send: () => Promise.reject(new Refusal("unreachable", id)),
      close: () => void this.closed.push(`${id} ${kind}`),
    });
    return { calls: target("calls"), streams: target("streams") };
  });

  /** Which identity a call goes by. */
  readonly call = async (wait?: Promise<void>): Promise<string> =>
    this.link.use(async ({ calls }) => {
      await wait;
      const signal = new AbortController().signal;
      const error: unknown = await calls
        .send({ method: "GET", path: "/", headers: {}, signal })
        .catch((one: unknown) => one);
      return error instanceof Error ? error.message : "none";
    });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

describe("DESIGN 3: the identity of a gateway changes between calls", () => {
  it("calls under way end by the earlier one, those that come meanwhile wait for the next", async () => {
    const { link, call, closed } = new Connections();
    let go: () => void = () => undefined;
    const first = call(new Promise((resolve) => (go = resolve)));
    const replaced = link.replace(identityOf("second"));
    const second = call();
    await settle();
    expect(closed).toEqual([]);
    expect(link.identity.id).toBe("first");
    go();
    expect(await first).toContain("first");
    await replaced;
    expect(await second).toContain("second");
    expect(closed).toEqual(["first calls", "first streams"]);
    expect(link.identity.id).toBe("second");
  });

  it("a call that fails holds nothing up", async () => {
    const { link } = new Connections();
    const failing = link.use(() => Promise.reject(new Refusal("unreachable")));
    await expect(failing).rejects.toThrow("unreachable");
    await link.replace(identityOf("second"));
    expect(link.identity.id).toBe("second");
  });
});
