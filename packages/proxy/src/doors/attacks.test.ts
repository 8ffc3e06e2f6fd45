// Attacks on who stands at a door that need exact timing, or numbers of processes used again on purpose.
import { chmod } from "node:fs/promises";
import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { codeOf, hasPython, isRoot, OTHER_UID, PYTHON, Yard } from "../facts/family.testing.ts";
import type { Meeting } from "../facts/family.testing.ts";
import { processHandle } from "../facts/peer.ts";
import { collectFacts } from "../facts/process.ts";
import { RunDoors } from "./run.ts";

/** Short-lived processes that connect, say who they are and end; some before they can be met. */
const CHURN = `
import os, socket, sys
for n in range(int(sys.argv[2])):
    if os.fork() == 0:
        s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
        s.sendall(b"%d\\n" % os.getpid())
        os._exit(0)
    if n % 20 == 19:
        for _ in range(20): os.wait()
print("done", flush=True)
`;
/** Has a process connect, ends it when told to, and makes another one with its number. */
const REUSE = `
import os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
r, w = os.pipe()
first = os.fork()
if first == 0:
    s.connect(sys.argv[1]); s.sendall(b"%d\\n" % os.getpid())
    while True: signal.pause()
sys.stdin.readline()
os.kill(first, 9); os.waitpid(first, 0)
for _ in range(1000):
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(first - 1))
    second = os.fork()
    if second == 0:
        if os.getpid() == first: print("again", flush=True)
        else: os._exit(0)
        os.close(w); os.read(r, 1); os._exit(0)  # ends with its parent
    if second == first: break
    os.waitpid(second, 0)
else: print("never", flush=True)
os.waitpid(first, 0)
`;
const HIDDEN = `
import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
print("ready", flush=True); input()
`;

/** Ten thousand where it is asked for: COUNTERSIGN_CHURN=10000. */
const TRIES = Number(process.env["COUNTERSIGN_CHURN"] ?? "1000");
const ENTRY = { id: "spiffe://example.org/agent/mailer", interpreterOptions: [] };
const uid = process.getuid?.() ?? -1;

function canReuseNumbers(): boolean {
  try {
    accessSync("/proc/sys/kernel/ns_last_pid", constants.W_OK);
    return isRoot && hasPython;
  } catch {
    return false;
  }
}

const yard = new Yard();
afterEach(() => yard.clear());

describe.skipIf(!hasPython)("T12: numbers of processes", () => {
  it(`in churn, ${TRIES} tries: the right process or none`, async () => {
    const meeting = await yard.meeting();
    const count = String(TRIES);
    const child = yard.start(PYTHON, [await yard.file("churn.py", CHURN), meeting.path, count]);
    const outcomes = new Map<string, number>();
    for (let n = 0; n < TRIES; n += 1) {
      const { peer, said, socket } = await meeting.next();
      const one =
        peer instanceof Refusal ? peer.code : peer.pid === Number(said) ? "right" : "wrong";
      outcomes.set(one, (outcomes.get(one) ?? 0) + 1);
      socket.destroy();
    }
    expect(await child.line()).toBe("done");
    expect([...outcomes.keys()].filter((one) => one !== "right" && one !== "process_gone")).toEqual(
      [],
    );
  });

  it.skipIf(!canReuseNumbers())(
    "used again on purpose: the process that connected is gone, whoever has its number (root only)",
    async () => {
      let meeting: Meeting | undefined;
      const doors = await RunDoors.create({
        dir: await yard.folder(),
        listen: async ({ path }) => {
          meeting = await yard.meeting(path);
          return meeting;
        },
      });
      yard.after(() => doors.close());
      const callerPeer = processHandle(process.pid); // everything here descends from it
      const door = await doors.open({ entry: ENTRY, callerPeer, uid, since: 0 });
      callerPeer.close();
      const child = yard.start(PYTHON, [await yard.file("reuse.py", REUSE), door.path]);
      const met = await meeting?.nextPeer();
      if (met === undefined) throw new Error("nobody came");
      const kept = met.peer.keep();
      const { stillTrue } = await door.admit(kept);
      child.tell("go on");
      expect(await child.line()).toBe("again"); // another process has the number
      const other = processHandle(kept.pid);
      expect(other.isAlive()).toBe(true);
      other.close();
      expect([kept.isAlive(), await stillTrue()]).toEqual([false, false]);
      expect(await codeOf(door.admit(kept))).toMatch(/process_gone|program_changed/);
      kept.close();
      met.socket.destroy();
    },
  );
});

describe.skipIf(!hasPython || !isRoot)("a process that made itself undumpable (root only)", () => {
  it("is refused by a proxy of its user that is not root", async () => {
    const script = await yard.file("hidden.py", HIDDEN);
    await chmod(dirname(script), 0o755);
    const child = yard.start(PYTHON, [script], { uid: OTHER_UID, cwd: "/" });
    expect(await child.line()).toBe("ready");
    const peer = processHandle(child.pid);
    process.seteuid?.(OTHER_UID);
    try {
      expect(await codeOf(collectFacts(peer, ENTRY))).toBe("process_unreadable");
    } finally {
      process.seteuid?.(0);
      peer.close();
    }
  });
});
