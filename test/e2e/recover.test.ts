import { cp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint, parseTlogProof } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { Production } from "./production.ts";

describe("T46: yesterday's database comes back", () => {
  let here: Production;
  let owner: OwnerKeyFile;
  let agent: Running;
  let proof = "";
  let vkey = "";
  beforeAll(async () => {
    here = await Production.create();
  });
  afterAll(() => here.close());

  const store = (name = "store.db"): string => join(here.home.data, "server", name);
  const approved = async (): Promise<Record<string, unknown>> => {
    const asked = tell(agent, "/v1/credential?wait=60");
    await here.home.approve((await here.home.waiting()).id, owner);
    return asked;
  };

  it("the server holds: nothing is issued", async () => {
    const { home } = here;
    await here.server.stop();
    await cp(store(), store("yesterday"));
    await here.serverAgain();
    owner = await here.people();
    await here.served();
    agent = home.courier("hello");
    expect(await approved()).toMatchObject({ status: 200 });
    const status = await home.local("server.sock", "/v1/status");
    vkey = (status["keys"] as { log: string }).log;
    const rows = (await home.local("server.sock", "/v1/log"))["rows"] as {
      seq: number;
      type: string;
    }[];
    const issued = rows.find(({ type }) => type === "credential.issued")?.seq;
    proof = (await home.local("server.sock", `/v1/log/${issued}`))["proof"] as string;
    await here.server.stop();
    for (const suffix of ["", "-wal", "-shm"])
      await rm(store(`store.db${suffix}`), { force: true });
    await cp(store("yesterday"), store());
    await here.serverAgain();
    expect(await home.local("server.sock", "/v1/status")).toHaveProperty("hold");
  });

  it("recover refuses while it runs, and without the word", async () => {
    const { home } = here;
    expect((await home.cli(["server", "recover"])).err).toContain("[malformed_request]");
    const running = await home.cli(["server", "recover", "--yes"]);
    expect(running).toMatchObject({ code: 1 });
    expect(running.err).toMatch(/in use.*\n.*Stop it/);
  });

  it("recover starts a new log, the same agent gets a credential after a new approval", async () => {
    const { home } = here;
    const last = await readFile(store("last-checkpoint"), "utf8");
    await here.server.stop();
    const done = await home.json(["server", "recover", "--yes"]);
    expect(done).toMatchObject({
      hold: "the log is behind the last checkpoint",
      log: { number: 2, origin: "id.example.org/log/2" },
      former: { checkpoint: last },
    });
    await here.serverAgain();
    const status = await home.local("server.sock", "/v1/status");
    expect(status).not.toHaveProperty("hold");
    expect((status["keys"] as { log: string }).log).toMatch(/^id\.example\.org\/log\/2\+/);
    // the copy knows neither the owner nor the agent; the host was enrolled before it was made
    owner = await here.people();
    await here.served();
    await agent.stop();
    agent = home.courier("hello");
    expect(await approved()).toMatchObject({ status: 200 });
    const former = await home.local("server.sock", "/v1/former-logs");
    expect(former["logs"]).toMatchObject([{ number: 1, vkey }]);
    const rows = (await home.local("server.sock", "/v1/log?log=1"))["rows"];
    expect(rows).toMatchObject([{ seq: 0, type: "admin.join_token" }, { seq: 1 }]);
    expect((await home.cli(["log", "verify"])).code).toBe(0);
  });

  it("what was proved under the old log stays proved by the old key", async () => {
    const { checkpoint } = parseTlogProof(proof);
    expect((await openCheckpoint(nodeCrypto, checkpoint, vkey)).origin).toBe("id.example.org/log");
  });

  it("does not recover what does not hold", async () => {
    await here.server.stop();
    expect((await here.home.cli(["server", "recover", "--yes"])).err).toContain("does not hold");
  });
});

describe("T46: a snapshot of everything comes back, the last checkpoint with it", () => {
  let here: Production;
  beforeAll(async () => {
    here = await Production.create();
  });
  afterAll(() => here.close());

  it("a proxy has seen more: the server holds from its first call on, also after a restart", async () => {
    const { home } = here;
    const owner = await here.people();
    const folder = join(home.data, "server");
    const names = ["store.db", "last-checkpoint"];
    await here.server.stop();
    for (const name of names) await cp(join(folder, name), home.file(name));
    await here.serverAgain();
    await here.served();
    const agent = home.courier("hello");
    const asked = tell(agent, "/v1/credential?wait=60");
    await home.approve((await home.waiting()).id, owner);
    expect(await asked).toMatchObject({ status: 200 });

    await here.server.stop();
    for (const name of names) {
      await rm(join(folder, `${name}-wal`), { force: true });
      await cp(home.file(name), join(folder, name));
    }
    await here.serverAgain();
    expect(await home.local("server.sock", "/v1/status")).not.toHaveProperty("hold"); // nobody knows yet
    const second = home.courier("hello");
    const answer = await until("answer of the server", async () => {
      const said = await tell(second, "/v1/credential?wait=1");
      return said["reason"] === "unreachable" ? undefined : said;
    });
    expect(answer).toMatchObject({
      reason: "hold",
      next: expect.stringContaining("countersign server recover") as string,
    });
    const hold = "the log is behind a checkpoint that a proxy has seen";
    expect(await home.local("server.sock", "/v1/status")).toMatchObject({ hold });
    await here.server.stop();
    await here.serverAgain();
    expect(await home.local("server.sock", "/v1/status")).toMatchObject({ hold });
    expect((await home.local("server.sock", "/v1/credentials"))["credentials"]).toEqual([]);
    await here.server.stop();
    const done = await home.json(["server", "recover", "--yes"]);
    expect(done).toMatchObject({ hold, log: { number: 2 } });
  });
});
