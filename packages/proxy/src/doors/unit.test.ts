// A unit door with real processes in real cgroups, where this test may make some: as root, on a host with cgroup v2.
import { chmod, chown } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { canMakeGroups, makeGroup, moveTo } from "../facts/cgroups.testing.ts";
import { codeOf, hasPython, OTHER_UID, PYTHON, Yard } from "../facts/family.testing.ts";
import type { Child } from "../facts/family.testing.ts";
import type { Peer } from "../facts/peer.ts";
import type { FixedDoor } from "./fixed.ts";
import { entry, makeDoors } from "./fixed.testing.ts";

/** Connects when told to, and tries to move itself to the group that it is told. */
const AGENT = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
for line in sys.stdin:
    word = line.strip()
    if word == "connect":
        s.connect(sys.argv[1]); s.sendall(b"hello\\n")
    else:
        try:
            with open(word + "/cgroup.procs", "w") as f: f.write(str(os.getpid()))
            print("moved", flush=True)
        except OSError as e: print(e.strerror, flush=True)
`;

const UNIT = `countersign-test-${process.pid}.service`;
const GROUP = `/system.slice/${UNIT}`;
const USERS = `/user.slice/user-${OTHER_UID}.slice/user@${OTHER_UID}.service`;

const yard = new Yard();
afterEach(() => yard.clear());

interface Stage {
  readonly door: FixedDoor;
  readonly agent: Child;
  /** The agent connects; how the door sees it. */
  connect(): Promise<Peer>;
}

async function stage(change: object = {}): Promise<Stage> {
  const { dir, fixed, only, path } = await makeDoors(yard);
  await fixed.follow([
    entry("mail", { uid: OTHER_UID, door: "unit", unit: UNIT, door_mode: "0666", ...change }),
  ]);
  const { door, meeting } = only();
  await chmod(dir, 0o755);
  const script = await yard.file("agent.py", AGENT);
  await chmod(dirname(script), 0o755);
  const agent = yard.start(PYTHON, [script, path("mail")], { uid: OTHER_UID, cwd: "/" });
  const connect = async (): Promise<Peer> => {
    agent.tell("connect");
    return (await meeting.nextPeer()).peer;
  };
  return { door, agent, connect };
}

describe.skipIf(!canMakeGroups || !hasPython)("a unit door (root and cgroup v2 only)", () => {
  it.each([
    ["the unit's own group", GROUP],
    ["a group that the unit made", `${GROUP}/job`],
  ])("admits who is in %s, and says the unit in evidence", async (_, path) => {
    const group = await makeGroup(yard, path);
    const { door, agent, connect } = await stage();
    await moveTo(group, agent.pid);
    const { proc, stillTrue } = await door.admit(await connect());
    expect(proc).toMatchObject({ uid: OTHER_UID, unit: UNIT, cgroup: path });
    expect(await stillTrue()).toBe(true);
  });

  it.each([
    ["no unit", undefined],
    ["another unit", `/system.slice/other-${UNIT}`],
    ["T14: a unit of that name that a user made", `${USERS}/app.slice/${UNIT}`],
    ["T14: a group of that name below another unit", `/system.slice/other-${UNIT}/${UNIT}`],
    ["a slice that systemd does not vouch for", `/countersign-test.slice/${UNIT}`],
  ])("refuses the entry's own user in %s", async (_, path) => {
    const group = path === undefined ? undefined : await makeGroup(yard, path);
    const { door, agent, connect } = await stage();
    if (group !== undefined) await moveTo(group, agent.pid);
    const refused = await door.admit(await connect()).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Refusal);
    expect(refused).toMatchObject({ code: "peer_unexpected" });
    expect((refused as Refusal).next).toContain(`systemctl start ${UNIT}`); // a Refusal, as just seen
  });

  it("refuses another user in the unit", async () => {
    const group = await makeGroup(yard, GROUP);
    const { door, agent, connect } = await stage({ uid: OTHER_UID + 1 });
    await moveTo(group, agent.pid);
    expect(await codeOf(door.admit(await connect()))).toBe("peer_unexpected");
  });

  it("gives nothing to a process that left the unit before the answer", async () => {
    const group = await makeGroup(yard, GROUP);
    const elsewhere = await makeGroup(yard, `/system.slice/other-${UNIT}`);
    const { door, agent, connect } = await stage();
    await moveTo(group, agent.pid);
    const { stillTrue } = await door.admit(await connect());
    await moveTo(elsewhere, agent.pid);
    expect(await stillTrue()).toBe(false);
  });

  it("T14: no process moves itself into the unit, not even into a group that its user was given there", async () => {
    const own = await makeGroup(yard, `${USERS}/app.slice`);
    const group = await makeGroup(yard, GROUP);
    const given = await makeGroup(yard, `${GROUP}/given`);
    for (const path of [own, given, join(own, "cgroup.procs"), join(given, "cgroup.procs")])
      await chown(path, OTHER_UID, OTHER_UID);
    const { door, agent, connect } = await stage();
    await moveTo(own, agent.pid);
    for (const target of [group, given]) {
      agent.tell(target);
      expect(await agent.line()).toBe("Permission denied");
    }
    expect(await codeOf(door.admit(await connect()))).toBe("peer_unexpected");
  });
});
