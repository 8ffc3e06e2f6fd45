import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { Production } from "./production.ts";

/** Over real TLS: a caller's chain is built by OpenSSL from what the listener is given. */
describe("DESIGN 3: keys change while server and proxy run", () => {
  let here: Production;
  let owner: OwnerKeyFile;
  let agent: Running;
  beforeAll(async () => {
    here = await Production.create();
    owner = await here.people();
    agent = here.home.courier("hello");
  });
  afterAll(() => here.close());

  const rotate = (...more: readonly string[]): Promise<Record<string, unknown>> =>
    here.home.json(["server", "keys", "rotate", "--activate-in", "0", ...more]);
  const issues = async (): Promise<number> =>
    ((await here.home.local("server.sock", "/v1/credentials"))["credentials"] as unknown[]).length;
  const connected = (): Promise<true> =>
    until("connection", async () => {
      const status = await here.home.local("proxy.sock", "/v1/status");
      return status["connected"] === true ? true : undefined;
    });

  it("an agent has its credential", async () => {
    const asked = tell(agent, "/v1/credential?wait=60");
    await here.home.approve((await here.home.waiting()).id, owner);
    expect(await asked).toMatchObject({ status: 200 });
  });

  it("a proxy whose certificate is of the CA before goes on, over new connections too", async () => {
    expect(await rotate("--wit", "--ca")).toMatchObject({
      keys: [{ use: "wit" }, { use: "infrastructure_ca" }, { use: "agents_ca" }],
    });
    here.proxy.signal("SIGKILL");
    await here.proxy.ended;
    await agent.stop();
    await here.proxyAgain();
    agent = here.home.courier("hello");
    expect(await tell(agent, "/v1/credential?wait=20")).toMatchObject({ status: 200 });
    expect(await issues()).toBe(2);
  });

  it("a host enrols under the new CA, and both do after a restart of the server", async () => {
    const { home } = here;
    const token = join(home.folder, "token-2");
    await here.proxy.stop();
    await home.json(["server", "join-token", "--proxy", "here", "--replace", "--out", token]);
    await home.json(["proxy", "enroll", "--token-file", token]);
    await here.proxyAgain();
    await here.server.stop();
    await here.serverAgain();
    await connected();
  });

  it("without the root keys the CAs stay, and the words say where to put them", async () => {
    const { home } = here;
    const [roots, away] = [join(home.data, "server", "roots"), home.file("roots")];
    await home.spawn("mv", [roots, away]).ended;
    const { code, err } = await home.cli(["server", "keys", "rotate", "--ca"]);
    expect(code).toBe(1);
    expect(err).toMatch(/next: Put infrastructure-root\.pem back/);
    expect((await home.cli(["server", "keys", "rotate"])).code).toBe(0);
    expect((await home.cli(["server", "keys", "rotate"])).err).toContain("prepared already");
  });
});
