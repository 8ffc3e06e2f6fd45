import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { Refusal } from "@countersign/core";

/** Below the ports that Linux gives to connections and to whoever asks for any (from 32,768 on by default). */
const FIRST_PORT = 20_000;
const END_PORT = 32_768;
const MAX_TRIES = 100;
const LOOPBACKS = ["127.0.0.1", "::1"];
const given = new Set<number>();

const anyPort = (): number => randomInt(FIRST_PORT, END_PORT);

/** Whether nothing listens there. A machine without this address has nothing there either. */
function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) =>
      resolve("code" in error && ["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(String(error.code))),
    );
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/**
 * A TCP port for a program that shall find it free at its next start too: free now on both loopback addresses, never
 * the same twice in one process, and outside what the system hands out by itself (20,000 to 32,767).
 * @throws Refusal `internal` where a hundred ports in turn are taken.
 */
export async function freePort(pick: () => number = anyPort): Promise<number> {
  for (let i = 0; i < MAX_TRIES; i += 1) {
    const port = pick();
    if (given.has(port)) continue;
    const free = await Promise.all(LOOPBACKS.map((host) => isFree(host, port)));
    if (!free.every(Boolean)) continue;
    given.add(port);
    return port;
  }
  throw new Refusal(
    "internal",
    "no TCP port is free",
    "End programs that listen on this machine, and try again.",
  );
}
