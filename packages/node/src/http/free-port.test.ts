import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf } from "../refusal.testing.ts";
import { freePort } from "./free-port.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A port on which somebody listens already, at this address only; undefined where the machine has none such. */
async function taken(host: string): Promise<number | undefined> {
  const server = createServer();
  servers.push(server);
  try {
    server.listen({ host, port: 0, ipv6Only: true });
    await once(server, "listening");
  } catch {
    return undefined;
  }
  return (server.address() as AddressInfo).port; // it listens on TCP
}

/** Gives these in turn. */
const turns = (...ports: readonly number[]): (() => number) => {
  const rest = ports.values();
  return () => rest.next().value ?? 0;
};

describe("a free port", () => {
  it("can be listened on, and lies outside what the system gives out by itself", async () => {
    const port = await freePort();
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(32_768);
    const server = createServer().listen(port, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
  });

  it.each(["127.0.0.1", "::1", "0.0.0.0"])("is not one on which %s is taken", async (host) => {
    const used = await taken(host);
    if (used === undefined) return; // a machine without IPv6
    const other = await freePort();
    expect(await freePort(turns(used, other + 1))).toBe(other + 1);
  });

  it("is not given twice", async () => {
    const first = await freePort();
    expect(await freePort(turns(first, first + 1))).toBe(first + 1);
    expect(await freePort(turns(first + 1, first, first + 2))).toBe(first + 2);
  });

  it("is refused where every one is taken", async () => {
    const used = (await taken("127.0.0.1")) ?? 0;
    expect(await codeOf(() => freePort(() => used))).toBe("internal");
  });
});
