import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentity } from "../../packages/proxy/src/keys/identity.ts";
import { BadRequests } from "./bad-requests.ts";
import { Home } from "./countersign.ts";
import type { Running } from "./countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";

const DOMAIN = "example.org";
/** First: caches and compiled code of a process that has just begun grow with any work. */
const GOOD = 3000;
/** Collects when asked, and says what is kept. The tight heap makes the resident memory follow it. */
const PROBE = fileURLToPath(new URL("heap-probe.mjs", import.meta.url));
const NODE = [
  ...["--expose-gc", "--import", PROBE],
  ...["--max-old-space-size=64", "--max-semi-space-size=1"],
];
const FEW = 1000;
const MANY = 10_000;
const MOST = 1.2;
/** Native memory is seen only here; what the allocator gives back late is no leak. */
const MOST_RESIDENT = 1.5;

interface Memory {
  /** Octets of live objects and of what they hold outside of the heap, after all garbage was collected. */
  readonly kept: number;
  readonly rss: number;
}

async function memoryOf(server: Running): Promise<Memory> {
  const { length } = server.err;
  server.signal("SIGUSR2");
  const line = await server.when("memory", ({ err }) =>
    err.slice(length).find((text) => text.startsWith('{"kept":')),
  );
  return JSON.parse(line) as Memory; // as the probe writes it
}

describe.skipIf(process.platform !== "linux")("the memory of a server", () => {
  let home: Home;
  let server: Running;
  let bad: BadRequests | undefined;

  beforeAll(async () => {
    home = await Home.create();
    const init = ["server", "init", "--trust-domain", DOMAIN, "--api-port", "0"];
    const console = new URL(`http://127.0.0.1:${await freePort()}`);
    // each stranger at the console is one of its own: what is counted by address must be bounded too
    const asked = ["--console-port", console.port, "--forwarded-by", "127.0.0.1"];
    await home.cli([...init, "--public-port", "0", ...asked]);
    server = home.spawn(process.execPath, [...NODE, ...home.arguments(["server", "run"])]);
    const ready = await server.when("ready line", ({ err }) =>
      err.find((line) => line.includes('"event":"server.running"')),
    );
    const { fields: at } = JSON.parse(ready) as { fields: { api: string; public: string } }; // as `main` logs it
    const token = home.file("token");
    await home.cli(["server", "join-token", "--proxy", "here", "--out", token]);
    const enrolled = await home.cli(["proxy", "enroll", "--token-file", token]);
    expect(enrolled).toMatchObject({ code: 0 });
    const { cert, key } = await loadIdentity(join(home.data, "proxy"), DOMAIN, "here");
    bad = new BadRequests({
      api: new URL(at.api),
      public: new URL(at.public),
      console,
      adminSocket: join(home.data, "run/server.sock"),
      cert,
      key,
    });
  });
  afterAll(async () => {
    bad?.close();
    await home.close();
  });

  it(`after ${MANY} bad requests is at most ${MOST} times that after ${FEW}`, async () => {
    if (bad === undefined) throw new Error("no server");
    await bad.sendGood(GOOD);
    bad.fates.clear();
    await bad.send(FEW);
    const few = await memoryOf(server);
    await bad.send(MANY - FEW);
    const many = await memoryOf(server);
    const notRefused = [...bad.fates.keys()].filter((fate) => /: [235]\d\d$/.test(fate));
    const mb = (octets: number): string => `${(octets / 1e6).toFixed(1)} MB`;
    process.stderr.write(
      `memory after ${FEW} and ${MANY} bad requests: kept ${mb(few.kept)}, ${mb(many.kept)}, ratio ${(many.kept / few.kept).toFixed(3)}; resident ${mb(few.rss)}, ${mb(many.rss)}, ratio ${(many.rss / few.rss).toFixed(3)}\n`,
    );
    expect(server.end).toBeUndefined();
    expect(notRefused).toEqual(["api, checkpoint of nobody: 200"]); // it says nothing
    expect(many.kept / few.kept).toBeLessThanOrEqual(MOST);
    expect(many.rss / few.rss).toBeLessThanOrEqual(MOST_RESIDENT);
    // what the bound would find: the same process, keeping 400 octets a request
    server.signal("SIGWINCH");
    // of two signals that wait, the kernel gives the one with the lower number first
    await server.when("leak", ({ err }) => (err.includes("leaked") ? true : undefined));
    const leaked = await memoryOf(server);
    expect(leaked.kept / few.kept).toBeGreaterThan(MOST);
  }, 300_000);
});
