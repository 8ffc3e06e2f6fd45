import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, tell, until } from "./countersign.ts";

interface Issue {
  readonly n: number;
  readonly jti: string;
}

describe("a crash of server and proxy", () => {
  let home: Home;
  beforeAll(async () => {
    home = await Home.create();
  });
  afterAll(() => home.close());

  const issues = async (): Promise<readonly Issue[]> =>
    (await home.local("server.sock", "/v1/credentials"))["credentials"] as readonly Issue[];

  it("loses no approval: the agent gets its next credential without asking its owner", async () => {
    const { running } = await home.dev();
    const owner = await home.owner("me");
    await home.register("hello", "--owner", "me");
    const before = home.courier("hello");
    const asked = tell(before, "/v1/credential?wait=60");
    await home.approve((await home.waiting()).id, owner);
    const first = await asked;
    expect(first).toMatchObject({ status: 200 });
    const [issued] = await issues();
    expect(issued?.n).toBe(1);

    running.signal("SIGKILL");
    expect(await running.ended).toEqual({ code: null, signal: "SIGKILL" });
    await before.stop(); // its door went with the proxy

    await home.dev();
    const after = home.courier("hello");
    const next = await tell(after, "/v1/credential?wait=20");
    expect(next).toMatchObject({ status: 200, id: first["id"] });
    expect(next["wit"]).not.toBe(first["wit"]);
    const { requests } = await home.local("server.sock", "/v1/owner/requests?all=1");
    expect(requests).toMatchObject([{ state: "approved" }]);
    const all = await until("second issue", async () => {
      const found = await issues();
      return found.length > 1 ? found : undefined;
    });
    expect(all.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(all.map(({ jti }) => jti)).toContain(issued?.jti);
  });

  it("loses no stop either", async () => {
    await home.json(["halt", "agent", "hello"]);
    const status = await home.local("server.sock", "/v1/halts");
    expect(status["stops"]).toMatchObject([{ scope: expect.any(String) as string }]);
    const halted = home.courier("hello");
    expect(await tell(halted, "/v1/credential?wait=5")).toMatchObject({ reason: "halted" });
  });
});
