import { existsSync } from "node:fs";
import { chmod, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf, hasPython, isRoot, OTHER_UID, PYTHON, Yard } from "../facts/family.testing.ts";
import { entry, makeDoors } from "./fixed.testing.ts";
import type { Doors } from "./fixed.testing.ts";

const AGENT = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b"hello\\n"); s.recv(1)
`;
const yard = new Yard();
afterEach(() => yard.clear());

const make = (folder?: string): Promise<Doors> => makeDoors(yard, folder);

describe.skipIf(!hasPython)("fixed doors", () => {
  it("are those of the entries: opened, kept, made anew when the entry changes, closed", async () => {
    const { fixed, closed, path } = await make();
    await fixed.follow([entry("mail"), entry("other", { door: "run" })]);
    const [mail] = fixed.doors;
    expect([fixed.doors.length, existsSync(path("mail"))]).toEqual([1, true]);
    await fixed.follow([entry("mail", { audiences: ["https://a.example/"] })]);
    expect([fixed.doors[0] === mail, closed]).toEqual([true, []]);
    await fixed.follow([entry("mail", { interpreter_options: ["-u"] })]);
    expect([fixed.doors[0] === mail, closed.length]).toEqual([false, 1]);
    await fixed.follow([]);
    expect([fixed.doors.length, closed.length, existsSync(path("mail"))]).toEqual([0, 2, false]);
  });

  it("open no more once they were closed", async () => {
    const { fixed, path } = await make();
    await Promise.all([
      fixed.follow([entry("mail")]),
      fixed.close(),
      fixed.follow([entry("mail")]),
    ]);
    expect([fixed.doors.length, existsSync(path("mail"))]).toEqual([0, false]);
  });

  it.each(["0600", "0660", "0666"])("have the mode of the entry: %s", async (mode) => {
    const { fixed, path } = await make();
    await fixed.follow([entry("mail", { door_mode: mode })]);
    expect((await stat(path("mail"))).mode & 0o777).toBe(Number.parseInt(mode, 8));
  });

  it.skipIf(!isRoot)("have the owner of the entry (root only)", async () => {
    const { fixed, path } = await make();
    await fixed.follow([entry("mail", { uid: OTHER_UID })]);
    const { uid, mode } = await stat(path("mail"));
    expect([uid, mode & 0o777]).toEqual([OTHER_UID, 0o600]);
  });

  it("refuse a folder that is a link; a path that is too long keeps no other door shut", async () => {
    const dir = await yard.folder();
    await symlink(await yard.folder(), join(dir, "door"));
    expect(await codeOf(make(dir))).toBe("configuration_invalid");
    const { fixed } = await make();
    await fixed.follow([entry("x".repeat(63)), entry("mail")]);
    expect(fixed.doors.map(({ entry: { id } }) => id)).toContain(entry("mail").id);
  });

  it("admit who the kernel says is the entry's user, started by anybody, and nobody once closed", async () => {
    const { fixed, only, path } = await make();
    await fixed.follow([entry("mail")]);
    const { door, meeting } = only();
    yard.start(PYTHON, [await yard.file("agent.py", AGENT), path("mail")]);
    const { peer, socket } = await meeting.nextPeer();
    const { stillTrue } = await door.admit(peer);
    expect(await stillTrue()).toBe(true);
    const kept = peer.keep();
    await fixed.follow([]);
    expect(await stillTrue()).toBe(false);
    expect(await codeOf(door.admit(kept))).toBe("peer_unexpected");
    kept.close();
    socket.destroy();
  });

  it.skipIf(!isRoot)(
    "T19: admit no other user, whatever the mode lets in (root only)",
    async () => {
      const { dir, fixed, only, path } = await make();
      await chmod(dir, 0o755);
      await fixed.follow([entry("mail", { door_mode: "0666" })]);
      const agent = await yard.file("agent.py", AGENT);
      await chmod(join(agent, ".."), 0o755);
      yard.start(PYTHON, [agent, path("mail")], { uid: OTHER_UID, cwd: "/" });
      const { door, meeting } = only();
      const met = await meeting.nextPeer();
      expect(met.peer.uid).toBe(OTHER_UID);
      expect(await codeOf(door.admit(met.peer))).toBe("peer_unexpected");
      met.socket.destroy();
    },
  );
});
