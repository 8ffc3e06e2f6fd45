import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentity } from "../../packages/proxy/src/keys/identity.ts";
import { BadRequests } from "./bad-requests.ts";
import { Home } from "./countersign.ts";
import type { Running } from "./countersign.ts";

const DOMAIN = "example.org";
/** First: until its engine has settled, the memory of any process grows with any work. */
const GOOD = 3000;
/** A tight heap: the engine must collect instead of growing, so that what is seen is what is kept. */
const HEAP = ["--max-old-space-size=32", "--max-semi-space-size=1"];
const FEW = 1000;
const MANY = 10_000;
const MOST = 1.2;
const PAGE_BYTES = 4096;
const QUIET_MS = 500;
const LOOKS = 8;

/** Resident memory of a process that is left alone: the least of several looks. */
async function residentBytes({ pid }: Running): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < LOOKS; look += 1) {
    await pause(QUIET_MS); // what is measured is a process at rest
    const [, pages = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
    least = Math.min(least, Number(pages) * PAGE_BYTES);
  }
  return least;
}

describe.skipIf(process.platform !== "linux")("the memory of a server", () => {
  let home: Home;
  let server: Running;
  let bad: BadRequests | undefined;

  beforeAll(async () => {
    home = await Home.create();
    const init = ["server", "init", "--trust-domain", DOMAIN, "--api-port", "0"];
    await home.cli([...init, "--public-port", "0"]);
    server = home.spawn(process.execPath, [...HEAP, ...home.arguments(["server", "run"])]);
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
    const few = await residentBytes(server);
    await bad.send(MANY - FEW);
    const notRefused = [...bad.fates.keys()].filter((fate) => /: [235]\d\d$/.test(fate));
    let many = await residentBytes(server);
    if (many > MOST * few) {
      await bad.sendGood(GOOD); // garbage is collected only while something is done
      many = await residentBytes(server);
    }
    const ratio = many / few;
    process.stderr.write(
      `memory: ${(few / 1e6).toFixed(1)} MB after ${FEW}, ${(many / 1e6).toFixed(1)} MB after ${MANY}: ${ratio.toFixed(3)}\n`,
    );
    expect(server.end).toBeUndefined();
    expect(notRefused).toEqual(["api, checkpoint of nobody: 200"]); // it says nothing
    expect(ratio).toBeLessThanOrEqual(MOST);
  }, 300_000);
});
