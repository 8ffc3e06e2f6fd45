import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callJson, openTarget, silentLog } from "@countersign/node";
import { backupServer } from "./backup.ts";
import { initServer, runServer } from "./main.ts";
import type { RunningServer } from "./main.ts";

let folder = "";
const at = (...parts: readonly string[]): string => join(folder, ...parts);
const running: RunningServer[] = [];

async function start(name: string): Promise<RunningServer> {
  await mkdir(at(`${name}-run`), { recursive: true });
  const server = await runServer({
    data: at(name),
    runtime: at(`${name}-run`),
    log: silentLog,
    isDevelopment: false,
  });
  running.push(server);
  return server;
}

const isReady = async (server: RunningServer): Promise<number> =>
  (await fetch(`${server.publicUrl}/readyz`)).status;

async function decide(server: RunningServer): Promise<void> {
  const target = openTarget({ unix: server.adminSocket });
  const halt = { scope: "agent", target: "spiffe://example.org/agent/x", reason: "drill" };
  const call = { method: "POST", path: "/v1/halts", json: halt, timeoutMs: 5000, maxBytes: 65_536 };
  await callJson(target, { ...call, method: "POST" });
  target.close();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "backup-"));
  await initServer(at("a"), "trust_domain: example.org\napi_port: 0\npublic_port: 0\n");
});
afterAll(async () => {
  for (const server of running) await server.close();
  await rm(folder, { recursive: true });
});

describe("a backup", () => {
  it("needs a server that has run", async () => {
    await expect(backupServer(at("a"), at("early"))).rejects.toMatchObject({ code: "not_found" });
  });

  it("is made while the server writes, for its user alone", async () => {
    const server = await start("a");
    await decide(server);
    const [{ files }] = await Promise.all([backupServer(at("a"), at("b")), decide(server)]);
    expect(files).toContain(join("keys", "log.pem"));
    expect(files.filter((name) => /root\.pem|last-checkpoint/.test(name))).toEqual([]);
    for (const name of [".", "keys"])
      expect(((await stat(at("b", name))).mode & 0o777).toString(8)).toBe("700");
    for (const name of files)
      expect(((await stat(at("b", name))).mode & 0o777).toString(8)).toBe("600");
    await decide(server); // the one that was copied goes on
    expect(await isReady(server)).toBe(200);
  });

  it("is never made over another one", async () => {
    await expect(backupServer(at("a"), at("b"))).rejects.toMatchObject({ code: "name_taken" });
  });

  it("holds when it is started: it is older than what was issued", async () => {
    const restored = await start("b");
    expect(await isReady(restored)).toBe(503);
  });
});
