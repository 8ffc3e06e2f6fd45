import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COURIER, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { Production } from "./production.ts";

describe("kill -9 of the proxy", () => {
  let here: Production;
  let agent: Running;
  let owner: OwnerKeyFile;
  /** The first agent's door. */
  let door: string;
  beforeAll(async () => {
    here = await Production.create();
  });
  afterAll(() => here.close());

  const doors = async (): Promise<readonly string[]> => {
    const { doors: open } = await here.home.local("proxy.sock", "/v1/status");
    return (open as readonly { path: string }[]).map(({ path }) => path);
  };
  const reopened = (path: string): Promise<true> =>
    until("door of before", async () => ((await doors()).includes(path) ? true : undefined));

  it("the agent's next call works, without its owner and at the door that it knows", async () => {
    owner = await here.people();
    agent = here.home.courier("hello");
    const asked = tell(agent, "/v1/credential?wait=60");
    await here.home.approve((await here.home.waiting()).id, owner);
    const first = await asked;
    expect(first).toMatchObject({ status: 200 });
    [door = ""] = await doors();

    for (const round of [1, 2]) {
      here.proxy.signal("SIGKILL");
      await here.proxy.ended;
      await here.proxyAgain();
      await reopened(door);
      const next = await tell(agent, "/v1/credential?wait=20");
      expect(next).toMatchObject({ status: 200, id: first["id"] });
      expect(next["wit"]).not.toBe(first["wit"]);
      expect(await doors()).toEqual([door]);
      const said = agent.err.filter((line) => line.includes("open as before"));
      expect(said).toHaveLength(round);
    }
    const { requests } = await here.home.local("server.sock", "/v1/owner/requests?all=1");
    expect(requests).toHaveLength(1);
  });

  it("while the agent waits: its owner approves meanwhile, and is not asked again", async () => {
    await here.home.register("later", "--owner", "me", "--insecure-same-uid");
    const later = here.home.courier("later");
    const asked = tell(later, "/v1/credential?wait=60");
    const { id } = await here.home.waiting();
    here.proxy.signal("SIGKILL");
    expect(await asked).toMatchObject({ status: 0 });
    await here.proxy.ended;
    await here.home.approve(id, owner);
    await here.proxyAgain();
    await until("credential", async () => {
      const { status } = await tell(later, "/v1/credential?wait=20");
      return status === 200 ? true : undefined;
    });
    const { requests } = await here.home.local("server.sock", "/v1/owner/requests?all=1");
    expect(requests).toHaveLength(2);
    await later.stop();
  });

  it("behind a fixed door: the next call works", async () => {
    await here.home.register("service", "--owner", "me", "--insecure-same-uid", "--door", "fixed");
    const fixed = join(here.home.data, "run/door/service.sock");
    await until("door", () => existsSync(fixed) || undefined);
    const service = here.home.spawn(process.execPath, [COURIER], { COUNTERSIGN_SOCKET: fixed });
    const asked = tell(service, "/v1/credential?wait=60");
    await here.home.approve((await here.home.waiting()).id, owner);
    expect(await asked).toMatchObject({ status: 200 });
    here.proxy.signal("SIGKILL");
    await here.proxy.ended;
    expect(await tell(service, "/v1/proof", { aud: "http://localhost:4000/" })).toMatchObject({
      status: 0,
    });
    await here.proxyAgain();
    await until("credential", async () => {
      const { status } = await tell(service, "/v1/credential?wait=20");
      return status === 200 ? true : undefined;
    });
    const { requests } = await here.home.local("server.sock", "/v1/owner/requests?all=1");
    expect(requests).toHaveLength(3);
    await service.stop();
  });

  it("the door closes with its run, whichever proxy opened it", async () => {
    await reopened(door);
    await agent.stop();
    await until("closing of the door", async () =>
      (await doors()).includes(door) ? undefined : true,
    );
  });
});
