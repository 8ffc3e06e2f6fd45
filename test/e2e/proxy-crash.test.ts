import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tell, until } from "./countersign.ts";
import type { Running } from "./countersign.ts";
import { Production } from "./production.ts";

describe("kill -9 of the proxy", () => {
  let here: Production;
  let agent: Running;
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
    const owner = await here.people();
    agent = here.home.courier("hello");
    const asked = tell(agent, "/v1/credential?wait=60");
    await here.home.approve((await here.home.waiting()).id, owner);
    const first = await asked;
    expect(first).toMatchObject({ status: 200 });
    const [path = ""] = await doors();

    for (const round of [1, 2]) {
      here.proxy.signal("SIGKILL");
      await here.proxy.ended;
      await here.proxyAgain();
      await reopened(path);
      const next = await tell(agent, "/v1/credential?wait=20");
      expect(next).toMatchObject({ status: 200, id: first["id"] });
      expect(next["wit"]).not.toBe(first["wit"]);
      expect(await doors()).toEqual([path]);
      const said = agent.err.filter((line) => line.includes("open as before"));
      expect(said).toHaveLength(round);
    }
    const { requests } = await here.home.local("server.sock", "/v1/owner/requests?all=1");
    expect(requests).toHaveLength(1);
  });

  it("the door closes with its run, whichever proxy opened it", async () => {
    const [path = ""] = await doors();
    await agent.stop();
    await until("closing of the door", async () =>
      (await doors()).includes(path) ? undefined : true,
    );
  });
});
