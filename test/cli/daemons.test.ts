import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import type { ChildProcess } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox } from "./countersign.ts";
import type { Outcome } from "./countersign.ts";

const box = new Sandbox();
const data = box.path("d");
const running: ChildProcess[] = [];

const cli = (line: string): Promise<Outcome> => box.run([...line.split(" "), "--data", data]);

/** Starts a daemon and resolves when it logs this event. */
async function daemon(line: string, event: string): Promise<ChildProcess> {
  const child = box.start([...line.split(" "), "--data", data]);
  running.push(child);
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.on("exit", () => reject(new Error(log)));
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes(`"event":"${event}"`)) resolve();
    });
  });
  return child;
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  if (child.exitCode === null) await once(child, "exit");
  return child.exitCode;
}

let server: ChildProcess;
beforeAll(async () => {
  await cli("server init --trust-domain example.org --api-port 0 --public-port 0");
  server = await daemon("server run", "server.running");
});
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  box.remove();
});

describe("server and proxy for real", () => {
  it("keep their socket to themselves, in a folder that others may pass", () => {
    expect((statSync(box.path("d", "run")).mode & 0o777).toString(8)).toBe("711");
    expect((statSync(box.path("d", "run", "server.sock")).mode & 0o777).toString(8)).toBe("600");
  });

  it("prints a join token on standard output only", async () => {
    const { code, stdout, stderr } = await cli("server join-token --proxy other");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[A-Za-z0-9_-]{100,}\n$/);
    expect(stderr).not.toContain(stdout.trim());
  });

  it("writes a join token to a file of mode 0600", async () => {
    const { code, stdout } = await cli(`server join-token --proxy here --out ${box.path("token")}`);
    expect(code).toBe(0);
    expect((statSync(box.path("token")).mode & 0o777).toString(8)).toBe("600");
    expect(stdout).not.toContain(readFileSync(box.path("token"), "utf8").trim());
  });

  it.each(["86401", "0", "soon"])("refuses a token for %s seconds", async (ttl) => {
    const { code, stderr } = await cli(`server join-token --proxy x --ttl ${ttl}`);
    expect(code).toBe(1);
    expect(stderr).toContain("[malformed_request]");
  });

  it("enrols with the token once, from standard input", async () => {
    const stdin = readFileSync(box.path("token"), "utf8");
    const line = ["proxy", "enroll", "--token-file", "-", "--data", data];
    const first = await box.run(line, { stdin });
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toContain("This host is proxy here of example.org");
  });

  it("runs the proxy, which reaches the server", async () => {
    await daemon("proxy run", "server.connected");
    const { stdout } = await cli("proxy status --json");
    expect(JSON.parse(stdout)).toMatchObject({
      proxy: "spiffe://example.org/proxy/here",
      connected: true,
    });
    const words = await cli("proxy status");
    expect(words.stdout).toMatch(/server {7}connected/);
  });

  it("is well, says the doctor", async () => {
    const { code, stdout } = await cli("doctor");
    expect(stdout).toMatch(/Nothing is wrong/);
    expect(code).toBe(0);
  });

  it("names the step at which an agent fails, and whose move it is", async () => {
    const { code, stdout } = await cli("doctor --agent nobody --json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      well: false,
      findings: [{ level: "bad", about: "entry", move: "administrator" }],
    });
  });

  it("stops everything, says so, and lifts it", async () => {
    const halted = await cli("halt everything --reason drill --json");
    const { id } = JSON.parse(halted.stdout) as { id: string };
    expect((await cli("lift")).stdout).toContain(id);
    const lifted = await box.run(["--data", data, "lift", "--", id]);
    expect(lifted).toMatchObject({ code: 0 });
    expect((await cli("lift")).stdout).toBe("Nothing is stopped.\n");
    const again = await box.run(["--data", data, "lift", "--", id]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("[not_found]");
  });

  it("refuses to stop a name that nobody knows", async () => {
    const { code, stderr } = await cli("halt proxy heer");
    expect(code).toBe(1);
    expect(stderr).toMatch(/Known: here\./);
  });

  it("shows and verifies the log", async () => {
    const { stdout } = await cli("log show --type halt.set");
    expect(stdout).toMatch(/halt\.set +example\.org +drill\n1 rows/);
    const one = await cli("log show 0 --json");
    expect(JSON.parse(one.stdout)).toMatchObject({ seq: 0, type: "admin.join_token" });
    const verified = await cli("log verify");
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.stdout).toMatch(/✓ every row is there and leads to the signed root/);
    const absent = await cli("log show 4000");
    expect(absent.stderr).toContain("[not_found]");
  });

  it("shows what the server holds", async () => {
    const { stdout } = await cli("server status");
    expect(stdout).toMatch(/proxy {2}spiffe:\/\/example.org\/proxy\/here {2}enrolled/);
  });

  it("ends cleanly at SIGTERM, and its socket answers nobody", async () => {
    expect(await stopped(server, "SIGTERM")).toBe(0);
    const { code, stderr } = await cli("server status");
    expect(code).toBe(1);
    expect(stderr).toContain("[unreachable]");
  });

  it("does not say that all is well when the server is gone", async () => {
    const alone = await cli("doctor");
    expect(alone).toMatchObject({ code: 1 });
    expect(alone.stdout).toMatch(/✗ uplink .*\n {4}next: \S/);
    writeFileSync(box.path("d", "proxy", "keys", "stray"), "", { mode: 0o644 });
    const { stdout } = await cli("doctor");
    expect(stdout).toMatch(/✗ modes[^\n]*stray/);
  });
});
