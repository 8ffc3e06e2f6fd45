// The fork-and-exec attack of a process that lends the name of an approved program to its child, in its three orders.
import { afterEach, describe, expect, it } from "vitest";
import { hasPython, PYTHON, Yard } from "./family.testing.ts";
import type { Child } from "./family.testing.ts";
import type { Peer } from "./peer.ts";
import { collectFacts } from "./process.ts";

/** Connects, says hello, waits for a word, forks; the child keeps the socket and says when the parent has exec'd. */
const ATTACKER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall(b"hello\\n")
s.recv(1)
r, w = os.pipe2(os.O_CLOEXEC)
if os.fork() == 0:
    os.close(w)
    os.read(r, 1)  # ends when the parent has exec'd
    s.sendall(b"exec\\n")
    s.recv(1)
    os._exit(0)
os.execv(sys.argv[2], [sys.argv[2]])
`;
/** As an agent that starts itself once more: the same program, the same arguments, another life. */
const AGAIN = `
import os, socket, sys
if not os.path.exists(sys.argv[1] + ".again"):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    s.sendall(b"hello\\n")
    s.recv(1)
    open(sys.argv[1] + ".again", "w").close()
    os.execv(sys.executable, ["python3"] + sys.argv)
print("again", flush=True)
input()
`;

const yard = new Yard();
afterEach(() => yard.clear());

async function attack(): Promise<{
  peer: Peer;
  approved: string;
  attacker: Child;
  exec(): Promise<void>;
}> {
  const meeting = await yard.meeting();
  const approved = await yard.copy("/bin/cat", "approved");
  const attacker = yard.start(PYTHON, [
    await yard.file("evil.py", ATTACKER),
    meeting.path,
    approved,
  ]);
  const { peer, socket } = await meeting.nextPeer();
  const exec = async (): Promise<void> => {
    const said = new Promise((resolve) => socket.once("data", resolve));
    socket.write("x");
    await said;
    // the pipe closes early in the exec: only the approved program (cat) can say a line back
    attacker.tell("loaded");
    expect(await attacker.line()).toBe("loaded");
  };
  return { peer, approved, attacker, exec };
}

const NONE = { interpreterOptions: [] };

describe.skipIf(!hasPython)("connect, fork, exec an approved program, keep the socket", () => {
  it("an exec between the measurement and the answer is seen", async () => {
    const { peer, exec } = await attack();
    const facts = await collectFacts(peer, NONE);
    expect(await facts.stillTrue()).toBe(true);
    await exec();
    expect(peer.isAlive()).toBe(true); // pid, start time and pidfd have stayed
    expect(await facts.stillTrue()).toBe(false);
  });

  it("an exec of the very same program with the same arguments is seen too", async () => {
    const meeting = await yard.meeting();
    const child = yard.start(PYTHON, [await yard.file("agent.py", AGAIN), meeting.path]);
    const { peer, socket } = await meeting.nextPeer();
    const facts = await collectFacts(peer, NONE);
    expect(await facts.stillTrue()).toBe(true);
    socket.write("x");
    expect(await child.line()).toBe("again");
    expect(await facts.stillTrue()).toBe(false);
  });

  // The limit of what can be observed: this is why evidence says "observed", why a door belongs to one run, and why
  // the agent wants a uid of its own. A change that makes this test fail is welcome.
  it("an exec before the first look is NOT seen: the facts name the approved program", async () => {
    const { peer, approved, exec } = await attack();
    await exec();
    const facts = await collectFacts(peer, NONE);
    expect([facts.proc.exe.path, facts.proc.args]).toEqual([approved, []]);
    expect(await facts.stillTrue()).toBe(true);
  });
});
