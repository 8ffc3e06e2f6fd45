import { existsSync, statSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, outcome, writeAttackers } from "./attackers.ts";
import { COURIER, Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile } from "./countersign.ts";

const PYTHON = "/usr/bin/python3";
const OTHER_UID = 12_345;
const isRoot = process.getuid?.() === 0;
const ASK = { path: "/v1/credential", body: {} };

describe("a fixed door", () => {
  let home: Home;
  let owner: OwnerKeyFile;
  let good = "";
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    owner = await home.owner("me");
    good = join(await writeAttackers(home.folder), "good.py");
  });
  afterAll(() => home.close());

  const door = (name: string): string => join(home.data, "run/door", `${name}.sock`);
  const opened = (name: string): Promise<true> =>
    until("door", () => existsSync(door(name)) || undefined);
  /** As a service manager starts it: with nobody of ours above it. */
  const start = (name: string, file: string, ...args: readonly string[]) =>
    home.spawn(file, args, { COUNTERSIGN_SOCKET: door(name) });

  it("serves an agent that was started by hand, and goes with its registration", async () => {
    await home.register("service", "--owner", "me", "--door", "fixed");
    await opened("service");
    expect(statSync(door("service")).mode & 0o777).toBe(0o600);
    const agent = start("service", process.execPath, COURIER);
    const answer = tell(agent, "/v1/credential?wait=60");
    await home.approve((await home.waiting()).id, owner);
    expect(await answer).toMatchObject({ status: 200 });
    expect(await tell(agent, "/v1/proof", { aud: "http://localhost:4000/" })).toMatchObject({
      status: 200,
    });
    const { doors } = await home.local("proxy.sock", "/v1/status");
    expect(doors).toMatchObject([{ path: door("service"), sessions: [{ state: "held" }] }]);
    const run = await home.cli(["run", "--agent", "service", "--json", "--", "true"]);
    expect(run.err).toContain("peer_unexpected");
    await home.json(["agent", "remove", "service"]);
    await until("end of the door", () => !existsSync(door("service")) || undefined);
    await agent.stop();
  });

  it.skipIf(!isRoot || !existsSync(PYTHON))(
    "belongs to the user of the entry, and serves no other whatever its mode (root only)",
    async () => {
      for (const folder of [home.folder, home.data]) await chmod(folder, 0o711);
      const program = ["--program", PYTHON, "--script", good, "--pin", "--audience", "*"];
      const other = ["--uid", String(OTHER_UID), "--door", "fixed"];
      await home.json(["agent", "register", "theirs", ...program, ...other]);
      await home.json([
        ...["agent", "register", "open", ...program, "--door", "fixed", "--door-mode", "0666"],
      ]);
      await opened("theirs");
      await opened("open");
      expect(statSync(door("theirs"))).toMatchObject({ uid: OTHER_UID });
      const as = ["setpriv", `--reuid=${OTHER_UID}`, "--clear-groups", PYTHON, good];
      const agent = start("theirs", "/usr/bin/env", ...as);
      expect(await outcome(ask(agent, ASK))).toBe(200);
      expect(await outcome(ask(agent, { ...ASK, socket: door("open") }))).toBe("peer_unexpected");
      const root = start("theirs", PYTHON, good);
      expect(await outcome(ask(root, ASK))).toBe("peer_unexpected");
      await agent.stop();
      await root.stop();
    },
  );
});
