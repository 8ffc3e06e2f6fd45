import { chmod, stat, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf, hasPython, isRoot, OTHER_UID, PYTHON, Yard } from "../facts/family.testing.ts";
import type { Child, Meeting, Met } from "../facts/family.testing.ts";
import { processHandle } from "../facts/peer.ts";
import type { Peer } from "../facts/peer.ts";
import type { RunDoor } from "./run.ts";
import { RunDoors } from "./run.ts";

/** Connects and says so, then waits to be told to end; `orphan` first waits until its parent is another one. */
const AGENT = `
import os, socket, sys
if sys.argv[2:] == ["orphan"]:
    parent = int(sys.stdin.readline())
    while os.getppid() == parent: os.sched_yield()
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"%d\\n" % os.getpid())
s.recv(1)
`;
/** Does as it is told, one order a line. */
const CALLER = `
import os, socket, subprocess, sys
agent = sys.argv[1]
kept = []
print("ready", flush=True)
for line in sys.stdin:
    order, door = line.split()
    if order == "child": kept.append(subprocess.Popen([sys.executable, agent, door]))
    if order == "grandchild": kept.append(subprocess.Popen(["/bin/sh", "-c", '"$0" "$@"; exit', sys.executable, agent, door]))
    if order == "self":
        s = socket.socket(socket.AF_UNIX); s.connect(door); s.sendall(b"self\\n"); kept.append(s)
    if order == "orphan":
        pid = os.fork()
        if pid == 0:
            p = subprocess.Popen([sys.executable, agent, door, "orphan"], stdin=subprocess.PIPE)
            p.stdin.write(b"%d\\n" % os.getpid()); p.stdin.flush()
            os._exit(0)
        os.waitpid(pid, 0)
`;
const ENTRY = { id: "spiffe://example.org/agent/mailer", interpreterOptions: [] };
const uid = process.getuid?.() ?? -1;

const yard = new Yard();
afterEach(() => yard.clear());

interface Run {
  readonly door: RunDoor;
  readonly doors: RunDoors;
  readonly caller: Child;
  readonly agent: string;
  order(what: string): Promise<Met & { peer: Peer }>;
}

async function run(hasTerminal?: boolean): Promise<Run> {
  let meeting: Meeting | undefined;
  const doors = await RunDoors.create({
    dir: await yard.folder(),
    listen: async ({ path }) => {
      meeting = await yard.meeting(path);
      return meeting;
    },
  });
  yard.after(() => doors.close());
  const agent = await yard.file("agent.py", AGENT);
  const caller = yard.start(PYTHON, [await yard.file("caller.py", CALLER), agent]);
  expect(await caller.line()).toBe("ready");
  const callerPeer = processHandle(caller.pid);
  const said = hasTerminal === undefined ? {} : { hasTerminal };
  const door = await doors.open({ entry: ENTRY, callerPeer, uid, since: 0, ...said });
  callerPeer.close(); // the door holds its own
  return {
    ...{ door, doors, caller, agent },
    order: async (what) => {
      caller.tell(`${what} ${door.path}`);
      if (meeting === undefined) throw new Error("nobody listens");
      return meeting.nextPeer();
    },
  };
}

describe.skipIf(!hasPython)("who may come through a run door", () => {
  it.each([
    ["child", "accepted"],
    ["grandchild", "accepted"],
    ["self", "peer_unexpected"],
    ["orphan", "peer_unexpected"],
  ])("a %s of the caller: %s", async (who, code) => {
    const { door, order } = await run();
    const { peer, socket } = await order(who);
    expect(await codeOf(door.admit(peer))).toBe(code);
    socket.end("x");
  });

  it.each([
    [undefined, false],
    [false, false],
    [true, true],
  ])("its caller says %s of a terminal, and facts say %s", async (said, wanted) => {
    const { door, order } = await run(said);
    const { peer, socket } = await order("child");
    expect(await door.admit(peer)).toMatchObject({ run: { uid, since: 0 }, hasTerminal: wanted });
    socket.end("x");
  });

  it("no other program of the same user", async () => {
    const { door, order, agent } = await run();
    const outsider = yard.start(PYTHON, [agent, door.path]);
    const { peer, socket, said } = await order("nothing");
    expect([said, peer.pid]).toEqual([String(outsider.pid), outsider.pid]);
    expect(await codeOf(door.admit(peer))).toBe("peer_unexpected");
    socket.end("x");
  });

  it("T15: no descendant of another run", async () => {
    const [first, second] = [await run(), await run()];
    const { peer, socket } = await first.order("child");
    expect(await codeOf(second.door.admit(peer))).toBe("peer_unexpected");
    expect(await codeOf(first.door.admit(peer))).toBe("accepted");
    socket.end("x");
  });

  it("nobody who has been left by the caller; the door closes and says so", async () => {
    const { door, order, caller } = await run();
    const { peer, socket } = await order("child");
    const { stillTrue } = await door.admit(peer);
    expect(await stillTrue()).toBe(true);
    const kept = peer.keep();
    await caller.end();
    expect(await codeOf(door.admit(kept))).toBe("peer_unexpected"); // at once, not when the door is tidied away
    expect(await stillTrue()).toBe(false);
    expect(await door.closed).toBe("caller_ended");
    expect(existsSync(door.path)).toBe(false);
    kept.close();
    socket.destroy();
  });

  it("nobody after it was closed", async () => {
    const { door, order } = await run();
    const { peer, socket } = await order("child");
    const kept = peer.keep();
    await door.close();
    await door.close();
    expect([await door.closed, existsSync(door.path)]).toEqual(["closed", false]);
    expect(await codeOf(door.admit(kept))).toBe("peer_unexpected");
    kept.close();
    socket.destroy();
  });

  it("the facts are the agent's", async () => {
    const { door, order, agent, caller } = await run();
    const { peer, socket } = await order("child");
    const { proc } = await door.admit(peer);
    expect([proc.pid, proc.args[0]?.path, proc.parents[0]?.pid]).toEqual([
      peer.pid,
      agent,
      caller.pid,
    ]);
    socket.end("x");
  });

  it.skipIf(!isRoot)("T19: nobody of another user (root only)", async () => {
    const { door, agent } = await run();
    await chmod(join(agent, ".."), 0o755);
    await chmod(join(door.path, "../.."), 0o755);
    const stranger = yard.start(PYTHON, [agent, door.path], { uid: OTHER_UID, cwd: "/" });
    await expect(stranger.line()).rejects.toThrow(/PermissionError/);
    const waiting = yard.start("/bin/cat", [], { uid: OTHER_UID, cwd: "/" });
    const peer = processHandle(waiting.pid);
    expect(await codeOf(door.admit(peer))).toBe("peer_unexpected");
    peer.close();
  });

  it.skipIf(!isRoot)(
    "the user of the run, where the proxy is another one (root only)",
    async () => {
      const { doors, agent } = await run();
      await chmod(join(agent, ".."), 0o755);
      const caller = yard.start("/bin/cat", [], { uid: OTHER_UID, cwd: "/" });
      const callerPeer = processHandle(caller.pid);
      yard.after(() => Promise.resolve(callerPeer.close()));
      const door = await doors.open({ entry: ENTRY, callerPeer, uid: OTHER_UID, since: 0 });
      const { mode, uid: owner } = await stat(door.path);
      expect([mode & 0o777, owner]).toEqual([0o600, OTHER_UID]);
    },
  );
});

describe.skipIf(process.platform !== "linux")("run doors", () => {
  const listen = async ({ path }: { path: string }): Promise<Meeting> => yard.meeting(path);

  it("lie in a folder that is passed through and not listed, each for its user", async () => {
    const dir = await yard.folder();
    const doors = await RunDoors.create({ dir, listen });
    const callerPeer = processHandle(process.pid);
    const door = await doors.open({ entry: ENTRY, callerPeer, uid, since: 0 });
    expect((await stat(join(dir, "run"))).mode & 0o777).toBe(0o711);
    expect((await stat(door.path)).mode & 0o777).toBe(0o600);
    expect(door.path).toMatch(/\/run\/[\w-]{22}\.sock$/);
    await doors.close();
    callerPeer.close();
    expect(existsSync(door.path)).toBe(false);
  });

  it("are swept of what a proxy before left there", async () => {
    const dir = await yard.folder();
    await RunDoors.create({ dir, listen });
    await writeFile(join(dir, "run", "old.sock"), "");
    await RunDoors.create({ dir, listen });
    expect(existsSync(join(dir, "run", "old.sock"))).toBe(false);
  });

  it("refuse a caller of another user, an ended one, a path that is too long, and too many", async () => {
    const dir = await yard.folder();
    const doors = await RunDoors.create({ dir, listen: () => Promise.reject(new Error("taken")) });
    const callerPeer = processHandle(process.pid);
    const open = (): Promise<RunDoor> => doors.open({ entry: ENTRY, callerPeer, uid, since: 0 });
    expect(await codeOf(doors.open({ entry: ENTRY, callerPeer, uid: uid + 1, since: 0 }))).toBe(
      "peer_unexpected",
    );
    await expect(open()).rejects.toThrow("taken");
    callerPeer.close();
    expect(await codeOf(open())).toBe("process_gone");
    const long = join(dir, "x".repeat(80));
    expect(await codeOf(RunDoors.create({ dir: long, listen }))).toBe("configuration_invalid");
    expect(existsSync(long)).toBe(false);
  });

  it("are bounded for each user", async () => {
    const dir = await yard.folder();
    const quiet = { close: () => Promise.resolve() };
    const doors = await RunDoors.create({
      dir,
      listen: async ({ path }) => {
        await writeFile(path, "");
        return quiet;
      },
    });
    const callerPeer = processHandle(process.pid);
    const open = (): Promise<RunDoor> => doors.open({ entry: ENTRY, callerPeer, uid, since: 0 });
    for (let n = 0; n < 64; n += 1) await open();
    expect(await codeOf(open())).toBe("rate_limited");
    await doors.close();
    expect(await codeOf(open())).toBe("accepted");
    await doors.close();
    callerPeer.close();
  });
});
