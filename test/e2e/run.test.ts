import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeShown, Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile } from "./countersign.ts";

/** What only the owner may use; and what makes a program load code that nobody measured. */
const WITHHELD = {
  SSH_AUTH_SOCK: "/nonexistent/agent.sock",
  SSH_AGENT_PID: "1",
  GPG_AGENT_INFO: "/nonexistent/gpg",
  DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent/bus",
  LD_LIBRARY_PATH: "/nonexistent",
  NODE_PATH: "/nonexistent",
  PYTHONPATH: "/nonexistent",
  PERL5OPT: "-w",
  BASH_ENV: "/nonexistent/env",
};

describe("countersign run", () => {
  let home: Home;
  let owner: OwnerKeyFile;
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    owner = await home.owner("me");
    await home.register("hello", "--owner", "me");
  });
  afterAll(() => home.close());

  const command = (script: string, env: NodeJS.ProcessEnv = {}) =>
    home.start(["run", "--agent", "hello", "--", process.execPath, "-e", script], env);

  it.each([
    ["0", "process.exitCode = 0", 0],
    ["7", "process.exit(7)", 7],
    ["a signal", "process.kill(process.pid, 'SIGKILL')", 128 + 9],
  ])("passes on the exit code: %s", async (_, script, code) => {
    expect(await command(script).ended).toEqual({ code, signal: null });
  });

  it("says what it cannot start", async () => {
    const { code, err } = await home.cli(["run", "--agent", "hello", "--", "/nonexistent/program"]);
    expect(code).toBe(1);
    expect(err).toContain("cannot start /nonexistent/program");
  });

  it("refuses an agent that nobody registered", async () => {
    const { code, err } = await home.cli(["run", "--agent", "nobody", "--json", "--", "true"]);
    expect([code, (JSON.parse(err) as { reason: string }).reason]).toEqual([1, "entry_unknown"]);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"] as const)("passes on %s", async (signal) => {
    const running = command(
      `process.on("${signal}", () => { console.log("got ${signal}"); process.exit(3); });
       setInterval(() => {}, 1000); console.log("ready");`,
    );
    await running.when("ready child", ({ out }) => (out.includes("ready") ? true : undefined));
    running.signal(signal);
    expect(await running.ended).toEqual({ code: 3, signal: null });
    expect(running.out).toContain(`got ${signal}`);
  });

  it("starts the child with a door, and without what the owner signs with and what loads code", async () => {
    const running = command("console.log(JSON.stringify(process.env))", {
      ...WITHHELD,
      KEPT: "kept",
    });
    expect(await running.ended).toMatchObject({ code: 0 });
    const env = JSON.parse(running.out[0] ?? "") as Record<string, string>;
    expect(env["KEPT"]).toBe("kept");
    expect(env["COUNTERSIGN_SOCKET"]).toContain(`${home.data}/run/run/`);
    expect(Object.keys(WITHHELD).filter((name) => name in env)).toEqual([]);
    expect(running.err.join("\n")).toMatch(/started without .*PYTHONPATH/);
  });

  it("shows the code that the owner's screen shows, then the credential", async () => {
    const agent = home.courier("hello");
    agent.write(JSON.stringify({ path: "/v1/credential?wait=60", body: { note: "\u001b[2Jhi" } }));
    const code = await agent.when("code", codeShown);
    const { id } = await home.waiting();
    const screen = await home.cli(["owner", "approve", id, "--key", owner.path, "--print"]);
    expect(screen.err).toContain(`code ${code}`);
    expect(screen.err).not.toContain("\u001b"); // the agent's own words, fenced
    await home.approve(id, owner);
    const held = JSON.parse(await agent.when("credential", ({ out }) => out[0])) as { id: string };
    await agent.when("credential's line", ({ err }) => err.find((line) => line.includes(held.id)));
    expect(await tell(agent, "/v1/proof", { aud: "http://localhost:4000/" })).toMatchObject({
      status: 200,
    });
    expect(await tell(agent, "/v1/proof", { aud: "http://localhost:4001/" })).toMatchObject({
      reason: "outside_audiences",
    });
    await agent.stop();
    await until("closing of the door with its run", async () => {
      const { doors } = await home.local("proxy.sock", "/v1/status");
      return (doors as readonly object[]).length === 0 ? true : undefined;
    });
  });
});
