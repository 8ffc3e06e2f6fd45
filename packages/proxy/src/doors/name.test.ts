import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Refusal } from "@countersign/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StandIn } from "../world.testing.ts";
import { checkName, doorSecret, nameOf } from "./name.ts";
import type { DoorHolder } from "./name.ts";
import { RunDoors } from "./run.ts";
import type { RunDoor } from "./run.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "door-"));
});
afterAll(() => rm(folder, { recursive: true }));

const codeOf = async (act: () => unknown): Promise<string> => {
  try {
    await act();
    return "accepted";
  } catch (error) {
    return error instanceof Refusal ? error.code : String(error);
  }
};
const SECRET = new Uint8Array(32).fill(1);
const uid = process.getuid?.() ?? 0;
const HOLDER: DoorHolder = {
  pid: 7,
  startTime: 100,
  uid,
  entry: "spiffe://example.org/agent/mailer",
};
const entry = { id: HOLDER.entry, interpreterOptions: [] };

describe("the name of a door", () => {
  it.each<[string, Partial<DoorHolder>, (name: string) => string, string]>([
    ["its holder's", {}, (name) => name, "accepted"],
    ["another process's", { pid: 8 }, (name) => name, "not_found"],
    ["a process's that has the number now", { startTime: 101 }, (name) => name, "not_found"],
    ["another user's", { uid: uid + 1 }, (name) => name, "not_found"],
    ["for another entry", { entry: "spiffe://example.org/agent/x" }, (name) => name, "not_found"],
    ["changed", {}, (name) => `${name.startsWith("A") ? "B" : "A"}${name.slice(1)}`, "not_found"],
    ["short", {}, (name) => name.slice(1), "not_found"],
    ["a path", {}, (name) => `../${name}`, "not_found"],
    ["nothing", {}, () => "", "not_found"],
  ])("%s → %#", async (_name, change, spoil, code) => {
    const name = spoil(nameOf(SECRET, HOLDER));
    expect(await codeOf(() => checkName(SECRET, name, { ...HOLDER, ...change }))).toBe(code);
  });

  it("is new each time, and another proxy's says nothing here", async () => {
    const [one, two] = [nameOf(SECRET, HOLDER), nameOf(SECRET, HOLDER)];
    expect(one).not.toBe(two);
    expect(await codeOf(() => checkName(new Uint8Array(32), one, HOLDER))).toBe("not_found");
  });

  it("has a secret that stays, in a file of our own", async () => {
    const first = await doorSecret(folder);
    expect(await doorSecret(folder)).toEqual(first);
    const path = join(folder, "keys", "run-doors.key");
    await chmod(path, 0o644);
    expect(await codeOf(() => doorSecret(folder))).toBe("private_mode");
    await writeFile(path, "short");
    await chmod(path, 0o600);
    expect(await codeOf(() => doorSecret(folder))).toBe("signer_unsuitable");
  });
});

describe("a door that is opened again by the next proxy", () => {
  const listen = async ({ path }: { path: string }) => {
    await writeFile(path, ""); // stands for the socket
    return { close: () => Promise.resolve() };
  };
  const proxy = async (dir: string, secret = SECRET): Promise<RunDoors> =>
    RunDoors.create({ dir, listen, secret });
  const holder = (pid = 7): StandIn => new StandIn(pid, uid);

  it.each<
    [
      string,
      { pid?: number; secret?: Uint8Array<ArrayBuffer>; path?: (path: string) => string },
      string,
    ]
  >([
    ["by the process that had it", {}, "accepted"],
    ["by another one", { pid: 8 }, "not_found"],
    ["of a proxy with another secret", { secret: new Uint8Array(32) }, "not_found"],
    ["in another folder", { path: (path) => join("/tmp", basename(path)) }, "not_found"],
    ["by a way around", { path: (path) => path.replace("/run/", "/run/../run/") }, "not_found"],
    ["without its ending", { path: (path) => path.slice(0, -".sock".length) }, "not_found"],
  ])("%s → %#", async (_name, { pid, secret, path = (same) => same }, code) => {
    const dir = await mkdtemp(join(folder, "run-"));
    const before = await proxy(dir);
    const door = await before.open({ entry, callerPeer: holder(), uid, since: 0 });
    const after = await proxy(dir, secret); // the one before was killed: it closed nothing
    let again: RunDoor | undefined;
    const order = { entry, callerPeer: holder(pid), uid, since: 0, again: path(door.path) };
    expect(await codeOf(async () => (again = await after.open(order)))).toBe(code);
    expect(again?.path).toBe(code === "accepted" ? door.path : undefined);
    if (code === "accepted") expect(await codeOf(() => after.open(order))).toBe("not_found"); // in use
    await after.close();
  });
});
