import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home } from "./countersign.ts";

describe("countersign dev", () => {
  let home: Home;
  beforeAll(async () => {
    home = await Home.create();
  });
  afterAll(() => home.close());

  it("keeps its identity, its ports and its proxy over a restart, and ends cleanly at SIGTERM", async () => {
    const first = await home.dev();
    expect(first.ready["trust_domain"]).toMatch(/^[0-9a-f]{10}\.dev\.invalid$/);
    const { proxy, certificate } = await home.local("proxy.sock", "/v1/status");
    expect(await first.running.stop()).toEqual({ code: 0, signal: null });
    for (const socket of ["server.sock", "proxy.sock", "run.sock"])
      expect(existsSync(join(home.data, "run", socket))).toBe(false);

    const second = await home.dev();
    expect(second.ready).toEqual(first.ready);
    expect(await home.local("proxy.sock", "/v1/status")).toMatchObject({ proxy, certificate });
    expect((await second.running.stop()).code).toBe(0);
  });

  it("refuses a second one on the same data, and leaves the first alone", async () => {
    const { running } = await home.dev();
    const { code, out, err } = await home.cli(["dev"]);
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err).toContain("in use");
    expect(err).toContain("Stop it");
    expect(await home.local("proxy.sock", "/v1/status")).toMatchObject({ connected: true });
    expect(running.end).toBeUndefined();
    expect((await running.stop()).code).toBe(0);
  });

  it("says at its start that everything is stopped still, and how to lift it", async () => {
    const { running } = await home.dev();
    const { id } = await home.json(["halt", "everything"]);
    await running.stop();
    const again = home.start(["dev"]);
    await again.when("banner", ({ out }) => out.find((line) => line.includes("trust bundle")));
    const lift = again.out.find((line) => line.includes("To lift it:")) ?? "";
    expect(again.out.join("\n")).toContain("[##] everything here is stopped since ");
    expect(lift).toContain(String(id));
    expect((await home.cli(["lift", "--", String(id)])).code).toBe(0);
    await again.stop();
    const third = home.start(["dev"]);
    await third.when("banner", ({ out }) => out.find((line) => line.includes("trust bundle")));
    expect(third.out.join("\n")).not.toContain("stopped");
    await third.stop();
  });

  it("ends when the last of its listeners cannot be opened, and says which", async () => {
    const { running, ready } = await home.dev();
    await running.stop();
    const { port } = new URL(ready["console"] ?? "");
    const taken = createServer().listen(Number(port), "127.0.0.1");
    await once(taken, "listening");
    try {
      const { code, err } = await home.cli(["dev"]);
      expect(code).toBe(1);
      expect(err).toContain(port);
    } finally {
      taken.close();
    }
  });

  it.each([
    ["server", "run"],
    ["server", "init", "--trust-domain", "example.org"],
    ["proxy", "run"],
  ])("its directory is refused by countersign %s %s", async (...command) => {
    const { code, err } = await home.cli([...command, "--json"]);
    expect({ code, ...(JSON.parse(err) as object) }).toMatchObject({
      code: 1,
      reason: "configuration_invalid",
      detail: expect.stringContaining("belongs to countersign dev") as string,
    });
  });

  it("refuses its directory to server run even where the trust file is gone", async () => {
    const { rm } = await import("node:fs/promises");
    await rm(join(home.data, "relying-party.json"));
    const { code, err } = await home.cli(["server", "run", "--json"]);
    expect({ code, ...(JSON.parse(err) as object) }).toMatchObject({
      code: 1,
      reason: "configuration_invalid",
    });
  });
});
