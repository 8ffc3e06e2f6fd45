import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect, createServer } from "node:net";
import koffi from "koffi";
import { afterEach, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { codeOf, hasPython, PYTHON, Yard } from "./family.testing.ts";
import { makeUndumpable, peerByNumber, peerOfSocket, processHandle } from "./peer.ts";
import { parseStat } from "./proc.ts";

const SAY = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"%d\\n" % os.getpid())
if len(sys.argv) < 3: s.recv(1)
`;
/** A hundred processes that connect, say their pid and end at once. */
const CHURN = `
import os, socket, sys
for n in range(100):
    if os.fork() == 0:
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
        s.sendall(b"%d\\n" % os.getpid())
        os._exit(0)
    if n % 10 == 9:
        for _ in range(10): os.wait()
print("done", flush=True)
`;

const yard = new Yard();
afterEach(() => yard.clear());

function pidfds(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes("pidfd");
    } catch {
      return false;
    }
  }).length;
}

describe.skipIf(process.platform !== "linux")("a peer, by the kernel's word", () => {
  it("is this process, when it calls itself", async () => {
    const meeting = await yard.meeting();
    const socket = connect(meeting.path);
    socket.write("hello\n");
    const { peer } = await meeting.nextPeer();
    expect(peer).toMatchObject({
      pid: process.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      startTime: parseStat(readFileSync("/proc/self/stat", "latin1")).startTime,
    });
    expect(peer.isAlive()).toBe(true);
    socket.destroy();
  });

  it("is closed with its connection, and a kept one is not", async () => {
    const meeting = await yard.meeting();
    const caller = connect(meeting.path);
    caller.write("hello\n");
    const { peer, socket } = await meeting.nextPeer();
    const kept = peer.keep();
    const closed = once(socket, "close");
    caller.destroy();
    socket.destroy();
    await closed;
    expect(peer.isAlive()).toBe(false);
    expect(kept.isAlive()).toBe(true);
    kept.close();
    kept.close();
    expect(() => kept.keep()).toThrow(
      new Refusal("process_gone", `process ${peer.pid} is not held any more`),
    );
  });

  it("refuses a peer that is no process of this host's Unix sockets", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const caller = connect(port, "127.0.0.1");
    const [socket] = (await once(server, "connection")) as [ReturnType<typeof connect>]; // net says so
    await expect(codeOf(Promise.resolve().then(() => peerOfSocket(socket)))).resolves.toBe(
      "peer_unexpected",
    );
    socket.destroy();
    await expect(codeOf(Promise.resolve().then(() => peerOfSocket(socket)))).resolves.toBe(
      "process_gone",
    );
    caller.destroy();
    server.close();
  });

  it("holds no descriptor after refusals and closes", async () => {
    const before = pidfds();
    for (let n = 0; n < 50; n += 1) processHandle(process.pid).close();
    for (const pid of [0, -1, 1.5, 2 ** 22 + 1])
      expect(await codeOf(Promise.resolve().then(() => processHandle(pid)))).toBe("process_gone");
    expect(pidfds()).toBe(before);
  });

  it("makes itself undumpable", () => {
    const prctl = koffi
      .load(null)
      .func("prctl", "int", ["int", "ulong", "ulong", "ulong", "ulong"]);
    const isDumpable = (): boolean => Number(prctl(3, 0, 0, 0, 0)) === 1;
    makeUndumpable();
    expect(isDumpable()).toBe(false);
    prctl(4, 1, 0, 0, 0);
    expect(isDumpable()).toBe(true);
  });
});

describe.skipIf(!hasPython)("a peer in another process", () => {
  it("is named, also without SO_PEERPIDFD, and its end is seen", async () => {
    const meeting = await yard.meeting();
    const child = yard.start(PYTHON, [await yard.file("say.py", SAY), meeting.path]);
    const { peer, socket, said } = await meeting.nextPeer();
    const handle: unknown = Reflect.get(socket, "_handle");
    const again = peerByNumber(Number(Reflect.get(handle as object, "fd"))); // net.Socket keeps it there
    expect([String(peer.pid), peer.pid, again.pid]).toEqual([said, child.pid, child.pid]);
    expect(again.startTime).toBe(peer.startTime);
    expect(peer.isAlive()).toBe(true);
    await child.end();
    expect([peer.isAlive(), again.isAlive()]).toEqual([false, false]);
    again.close();
    expect(await codeOf(Promise.resolve().then(() => processHandle(child.pid)))).toBe(
      "process_gone",
    );
  });

  it("refuses one that ended before it was met", async () => {
    const meeting = await yard.meeting();
    const before = pidfds();
    // the connection waits in the backlog while this process cannot accept it
    spawnSync(PYTHON, [await yard.file("say.py", SAY), meeting.path, "and go"]);
    const { peer } = await meeting.next();
    expect(peer).toMatchObject({ code: "process_gone" });
    expect(pidfds()).toBe(before);
  });

  it("T12: among short-lived processes names the right one or none", async () => {
    const meeting = await yard.meeting();
    const child = yard.start(PYTHON, [await yard.file("churn.py", CHURN), meeting.path]);
    const outcomes = new Set<string>();
    for (let n = 0; n < 100; n += 1) {
      const { peer, said } = await meeting.next();
      outcomes.add(
        peer instanceof Refusal ? peer.code : peer.pid === Number(said) ? "right" : "wrong",
      );
    }
    expect(await child.line()).toBe("done");
    expect([...outcomes].filter((one) => one !== "right" && one !== "process_gone")).toEqual([]);
  });
});
