import { spawnSync } from "node:child_process";
import { chmod, chown, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { has, Home, ROOT, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { Production } from "./production.ts";

const isRoot = process.getuid?.() === 0;
const OTHER_UID = 12_345;
const OTHER = ["setpriv", `--reuid=${OTHER_UID}`, `--regid=${OTHER_UID}`, "--clear-groups"];
/** Root may write everywhere; another user must be able to read the program. */
const canBeOther = (): boolean => {
  const [file = "", ...rest] = OTHER;
  return spawnSync(file, [...rest, "test", "-r", join(ROOT, "package.json")]).status === 0;
};
const CAN_LIMIT = has("prlimit", "--version");

/** The files that this process writes may not grow beyond this from now on: what a full disk does to it. */
async function limit(home: Home, { pid }: Running, size: "1" | "unlimited"): Promise<void> {
  const { ended } = home.spawn("prlimit", ["--pid", String(pid), `--fsize=${size}:unlimited`]);
  expect(await ended).toMatchObject({ code: 0 });
}

describe.skipIf(!CAN_LIMIT)("a disk that is full", () => {
  let here: Production;
  let owner: OwnerKeyFile;
  beforeAll(async () => {
    here = await Production.create();
    owner = await here.people();
  });
  afterAll(() => here.close());

  const requests = async (): Promise<readonly { state: string }[]> =>
    (await here.home.local("server.sock", "/v1/owner/requests?all=1"))["requests"] as {
      state: string;
    }[];
  const issued = async (): Promise<number> =>
    ((await here.home.local("server.sock", "/v1/credentials"))["credentials"] as unknown[]).length;

  it("at the server: each call says what to do, nothing is half-written, and it goes on when there is room", async () => {
    const { home, server } = here;
    const agent = home.courier("hello");
    await limit(home, server, "1");
    const asked = await tell(agent, "/v1/credential?wait=1");
    expect(asked).toMatchObject({
      reason: "indeterminate",
      next: expect.stringMatching(/disk/) as string,
    });
    const halt = await home.cli(["halt", "everything"]);
    expect(halt).toMatchObject({ code: 1 });
    expect(halt.err).toMatch(/next: .*disk/);
    expect(await requests()).toEqual([]);
    expect((await home.local("server.sock", "/v1/halts"))["stops"]).toEqual([]);
    expect(server.err.some((line) => line.includes('"event":"store.failed"'))).toBe(true);

    await limit(home, server, "unlimited");
    const again = tell(agent, "/v1/credential?wait=60");
    await home.approve((await home.waiting()).id, owner);
    expect(await again).toMatchObject({ status: 200 });
    expect((await home.cli(["log", "verify"])).code).toBe(0);
    await server.stop();
    await here.serverAgain();
    await until("proxy that hears the server", async () => {
      const { connected } = await home.local("proxy.sock", "/v1/status");
      return connected === true ? true : undefined;
    });
    expect(await home.local("server.sock", "/v1/status")).not.toHaveProperty("hold");
    expect([await issued(), (await requests()).length]).toEqual([1, 1]);
    await agent.stop();
  });

  it("at the proxy: nothing is endorsed that it cannot remember, the owner is asked once", async () => {
    const { home, proxy } = here;
    await home.register("second", "--owner", "me", "--insecure-same-uid");
    const agent = home.courier("second");
    await limit(home, proxy, "1");
    const refused = await tell(agent, "/v1/credential?wait=1");
    expect(refused).toMatchObject({
      reason: "indeterminate",
      next: "Make room on the disk, then try again.",
    });
    const anchors = join(home.data, "proxy/anchors");
    expect((await readdir(anchors)).filter((name) => name.startsWith("second"))).toEqual([]);
    await limit(home, proxy, "unlimited");
    expect(await tell(agent, "/v1/credential?wait=1")).toMatchObject({ status: 202 });

    await limit(home, proxy, "1");
    const before = await issued();
    await home.approve((await home.waiting()).id, owner);
    await proxy.when("its failure", ({ err }) =>
      err.find((line) => line.includes('"event":"renewal.refused"')),
    );
    expect(await issued()).toBe(before);
    await limit(home, proxy, "unlimited");
    await until("credential", async () => {
      const { status } = await tell(agent, "/v1/credential?wait=20");
      return status === 200 ? true : undefined;
    });
    expect((await requests()).filter(({ state }) => state !== "approved")).toEqual([]);
    await agent.stop();
  });
});

describe("a data directory that is not as it must be", () => {
  let here: Production;
  beforeAll(async () => {
    here = await Production.create();
    await here.proxy.stop();
    await here.server.stop();
  });
  afterAll(() => here.close());

  it.each([
    ["server", ".", 0o755],
    ["server", "keys", 0o750],
    ["server", "keys/log.pem", 0o640],
    ["server", "keys/wit.json", 0o644],
    ["server", "keys/nonce.key", 0o604],
    ["server", "server.yaml", 0o644],
    ["server", "store.db", 0o640],
    ["server", "last-checkpoint", 0o644],
    ["proxy", ".", 0o711],
    ["proxy", "keys", 0o755],
    ["proxy", "keys/proxy.pem", 0o640],
    ["proxy", "keys/infrastructure.crt", 0o644],
    ["proxy", "proxy.yaml", 0o606],
  ] as const)("%s run refuses %s of mode %o, and says what to do", async (who, name, mode) => {
    const { home } = here;
    const path = join(home.data, who, name);
    const before = (await stat(path)).mode;
    await chmod(path, mode);
    const { code, err } = await home.cli([who, "run"]);
    await chmod(path, before);
    expect(code).toBe(1);
    expect(err).toMatch(/\[private_mode\]/);
    expect(err).toMatch(/next: \S/);
  });

  it("they run again when all is as it was", async () => {
    await here.serverAgain();
    await here.proxyAgain();
    await here.proxy.stop();
    await here.server.stop();
  });

  it.skipIf(isRoot && !canBeOther())(
    "that can only be read: init and run refuse, say what to do, and change nothing",
    async () => {
      const home = await Home.create();
      const as = isRoot ? OTHER : [];
      const cli = async (...args: readonly string[]): Promise<string> => {
        const [file = "", ...rest] = [...as, process.execPath, ...home.arguments(args)];
        const running = home.spawn(file, rest);
        await running.ended;
        return running.err.join("\n");
      };
      const own = async (path: string): Promise<void> => {
        if (isRoot) await chown(path, OTHER_UID, OTHER_UID);
      };
      if (isRoot) await chmod(home.folder, 0o711);
      const denied = /\[indeterminate\]/;
      await mkdir(home.data, { mode: 0o500 });
      await own(home.data);
      const ports = ["--api-port", "0", "--public-port", "0"];
      const init = ["server", "init", "--trust-domain", "example.org", ...ports];
      expect(await cli(...init)).toMatch(denied);
      expect(await readdir(home.data)).toEqual([]);
      await chmod(home.data, 0o700);
      expect(await cli(...init)).not.toMatch(/refused|fault/);
      const server = join(home.data, "server");
      await chmod(server, 0o500);
      const before = (await readdir(server)).toSorted();
      const first = await cli("server", "run");
      expect(first).toMatch(denied);
      expect(first).toContain("next: Let the user that the program runs as read and write");
      expect((await readdir(server)).toSorted()).toEqual(before);
      await chmod(server, 0o700);
      await home.close();
    },
  );
});
