import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  canMakeGroups,
  makeGroup,
  moveTo,
} from "../../packages/proxy/src/facts/cgroups.testing.ts";
import { hasPython, PYTHON, Yard } from "../../packages/proxy/src/facts/family.testing.ts";
import { ask, outcome, writeAttackers } from "./attackers.ts";
import { Home, until } from "./countersign.ts";

const UNIT = `countersign-e2e-${process.pid}.service`;
const ASK = { path: "/v1/credential", body: {} };

describe.skipIf(!canMakeGroups || !hasPython)("a unit door (root and cgroup v2 only)", () => {
  const yard = new Yard();
  let home: Home;
  let good = "";
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    good = join(await writeAttackers(home.folder), "good.py");
  });
  afterAll(async () => {
    await home.close();
    await yard.clear();
  });

  it("serves the processes of its unit, the same program elsewhere not, and opens for no run", async () => {
    const program = ["--program", PYTHON, "--script", good, "--pin", "--audience", "*"];
    const unit = ["--door", "unit", "--unit", UNIT];
    await home.json(["agent", "register", "mailer", ...program, ...unit]);
    const socket = join(home.data, "run/door/mailer.sock");
    await until("door", () => existsSync(socket) || undefined);
    const start = () => home.spawn(PYTHON, [good], { COUNTERSIGN_SOCKET: socket });
    const [inside, outside] = [start(), start()];
    await moveTo(await makeGroup(yard, `/system.slice/${UNIT}`), inside.pid);
    expect(await outcome(ask(inside, ASK))).toBe(200);
    expect(await outcome(ask(outside, ASK))).toBe("peer_unexpected");
    // the credential is in the proxy, and stays out of reach of who left the unit
    await moveTo(await makeGroup(yard, `/system.slice/other-${UNIT}`), inside.pid);
    const proof = { path: "/v1/proof", body: { aud: "http://localhost:4000/" } };
    expect(await outcome(ask(inside, proof))).toBe("peer_unexpected");
    const run = await home.cli(["run", "--agent", "mailer", "--json", "--", "true"]);
    expect(run.err).toContain("peer_unexpected");
    await inside.stop();
    await outside.stop();
  });
});
