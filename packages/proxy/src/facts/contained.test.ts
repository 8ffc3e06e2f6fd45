// A container made by hand: a root of its own in a mount namespace, in the cgroup of a runtime that the test plays.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rmdir, symlink, unlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { base64url, measurementsOf } from "@countersign/core";
import { canMakeGroups, makeGroup, moveTo } from "./cgroups.testing.ts";
import { isStartedByRuntime } from "./contained.ts";
import { codeOf, hasPython, OTHER_UID, PYTHON, Yard } from "./family.testing.ts";
import type { Child } from "./family.testing.ts";
import { processHandle } from "./peer.ts";
import { collectFacts } from "./process.ts";
import type { Facts } from "./process.ts";
import { inspected, serveRuntime } from "./runtime.testing.ts";

const ID = "0f".repeat(32);
const IMAGE = `sha-256:${base64url(new Uint8Array(32).fill(0xab))}`;
const AGENT = `
import os, sys
child = os.fork() if "fork" in sys.argv else 0
if child == 0: print(f"ready {os.getpid()}", flush=True)
else: os.waitpid(child, 0); sys.exit()
sys.stdin.readline()
`;

/** Mounts the root in a namespace of its own, then becomes the agent. $1: the folder, $2: ro or rw, $3: what for. */
const RUNTIME = `
set -e
mount() { command mount --no-mtab "$@"; }
mount --make-rprivate /
mount --bind "$1" "$1"
mount --rbind /usr "$1/usr"
mount --bind "$1/app" "$1/volume"
[ "$3" != over ] || mount --bind "$1/app/other.py" "$1/app/agent.py"
mount -o "remount,bind,$2" "$1"
folder=$1; shift 3
exec /usr/sbin/chroot --userspec=${OTHER_UID}:${OTHER_UID} --groups= "$folder" ${PYTHON} "$@"
`;

const UNSHARE = "/usr/bin/unshare";
const canContain =
  canMakeGroups && hasPython && spawnSync(UNSHARE, ["--mount", "true"]).status === 0;
if (!canContain)
  process.stderr.write("no container can be made here (root, cgroup v2): its tests are skipped\n");

const yard = new Yard();
afterEach(() => yard.clear());

interface Container {
  /** The process that says that it is ready: the first one, or its child. */
  readonly pid: number;
  readonly first: Child;
  readonly script: string;
}

interface Shape {
  readonly mode?: "ro" | "rw";
  readonly script?: string;
  readonly over?: boolean;
  readonly args?: readonly string[];
  readonly group?: string;
  /** Whether its first process stays outside of the namespace, as the agent's parent. */
  readonly isBelow?: boolean;
}

/** A root directory whose programs are the host's; its files are older than whoever is started in it. */
async function root(): Promise<string> {
  const folder = await mkdtemp("/run/countersign-test-");
  const at = (name: string): string => join(folder, name);
  const folders = ["usr", "volume", "app"].map(at);
  const links = ["bin", "lib", "lib64"].filter((name) => existsSync(`/usr/${name}`)).map(at);
  yard.after(async () => {
    for (const path of [...links, at("app/agent.py"), at("app/other.py")]) await unlink(path);
    // one by one: whatever should still be mounted there stays
    for (const path of [...folders, folder]) await rmdir(path);
  });
  for (const path of folders) await mkdir(path);
  for (const path of links) await symlink(`usr/${basename(path)}`, path);
  for (const name of ["agent.py", "other.py"]) await writeFile(at(`app/${name}`), AGENT);
  await chmod(folder, 0o755);
  return folder;
}

async function contain(shape: Shape = {}): Promise<Container> {
  const group = await makeGroup(yard, shape.group ?? `/docker/${ID}`);
  const folder = await root();
  const script = shape.script ?? "/app/agent.py";
  const run = await yard.file("runtime.sh", RUNTIME);
  const over = shape.over === true ? "over" : "plain";
  const args = [folder, shape.mode ?? "ro", over, script, ...(shape.args ?? [])];
  const words = ["--mount", "/bin/sh", run, ...args];
  const first =
    shape.isBelow === true
      ? yard.start("/bin/sh", ["-c", '"$@"; exit', "sh", UNSHARE, ...words])
      : yard.start(UNSHARE, words);
  yard.after(() => {
    first.tell("end"); // the child first: killing its parent would leave it in the group
    return first.ended;
  });
  const [, said] = (await first.line()).split(" ");
  const pid = Number(said);
  for (const each of new Set([first.pid, pid])) await moveTo(group, each);
  return { pid, first, script };
}

/** Facts of the agent, while a runtime says this of its container. */
async function facts(at: Container, change: object = {}): Promise<Facts> {
  const said = inspected(ID, {
    Path: PYTHON,
    Args: [at.script],
    State: { Running: true, Pid: at.first.pid },
    ...change,
  });
  const peer = processHandle(at.pid);
  yard.after(() => Promise.resolve(peer.close()));
  const askContainer = await serveRuntime(yard, { [ID]: said });
  return collectFacts(peer, { interpreterOptions: [] }, { askContainer });
}

describe.skipIf(!canContain)("a container (root and cgroup v2 only)", () => {
  it("with a read-only root: the script rests on the image, which is measured", async () => {
    const at = await contain();
    const { proc, stillTrue } = await facts(at);
    expect(proc.container).toEqual({ rt: "docker", id: ID, image: IMAGE, ro: true });
    expect(proc.args).toMatchObject([{ path: "/app/agent.py", basis: "image" }]);
    const measured = measurementsOf({
      submods: { host: { countersign_os: { kernel: "" } }, agent: { countersign_proc: proc } },
    });
    expect(measured).toContainEqual({ n: "image", d: IMAGE });
    expect(await stillTrue()).toBe(true);
  });

  it("whose root can be written: said so, and the script rests on nobody's word", async () => {
    const { proc } = await facts(await contain({ mode: "rw" }), {
      HostConfig: { ReadonlyRootfs: false },
    });
    expect([proc.container?.ro, proc.args[0]?.basis]).toEqual([false, "argv"]);
  });

  it.each<[string, Shape, object?]>([
    ["a script of a volume", { script: "/volume/agent.py" }],
    ["T13: a script that something was mounted over", { over: true }],
    ["another command than the runtime's", {}, { Args: ["/app/other.py"] }],
    ["an entry point that the runtime names instead", {}, { Path: "/entrypoint.sh", Args: [] }],
    ["a child of the first process", { args: ["fork"] }, { Args: ["/app/agent.py", "fork"] }],
  ])("%s rests on nobody's word", async (_, shape, said) => {
    const { proc } = await facts(await contain(shape), said);
    expect([proc.container?.image, proc.args[0]?.basis]).toEqual([IMAGE, "argv"]);
  });

  it.each<[string, Shape, object]>([
    ["T14: a root that the runtime calls read-only, and that can be written", { mode: "rw" }, {}],
    ["T14: another first process", {}, { State: { Running: true, Pid: process.pid } }],
    ["a container that has ended", {}, { State: { Running: false, Pid: 0 } }],
  ])("is refused with %s", async (_, shape, said) => {
    const at = await contain(shape);
    expect(await codeOf(facts(at, said))).toBe("facts_missing");
  });

  it("is refused when the runtime does not know it, and when it does not answer", async () => {
    const at = await contain();
    const peer = processHandle(at.pid);
    yard.after(() => Promise.resolve(peer.close()));
    const collect = (sources: Parameters<typeof collectFacts>[2]): ReturnType<typeof codeOf> =>
      codeOf(collectFacts(peer, { interpreterOptions: [] }, sources));
    expect(await collect({ askContainer: await serveRuntime(yard, {}) })).toBe("facts_missing");
    const broken = await serveRuntime(yard, { [ID]: "broken" });
    expect(await collect({ askContainer: broken })).toBe("indeterminate");
    expect((await collectFacts(peer, { interpreterOptions: [] })).proc.container).toBeUndefined();
  });

  it("T14: a second container has its own id and image, and with the first one's cgroup none", async () => {
    const first = await contain();
    const second = await contain({ group: `/docker/${"1e".repeat(32)}` });
    const others = { ...second, first: first.first };
    expect(await codeOf(facts(others))).toBe("facts_missing"); // its own id: the runtime knows none
    await moveTo(await makeGroup(yard, `/docker/${ID}`), second.pid);
    expect(await codeOf(facts(others))).toBe("facts_missing"); // only root can do that
  });

  it("T14: a child of its first process in another mount namespace is not of it", async () => {
    const at = await contain({ isBelow: true });
    expect(await codeOf(facts(at))).toBe("facts_missing");
  });
});

describe("isStartedByRuntime", () => {
  const word = { pid: 7, image: "sha-256:" as const, isRootReadOnly: true, command: ["a", "b"] };
  const process = { pid: 7, uid: 1, command: ["a", "b"], capsPermitted: 0n } as const;
  it.each<[string, object, boolean]>([
    ["its first process", {}, true],
    ["a program that is no interpreter", { command: undefined }, true],
    ["with Docker's usual capabilities", { capsPermitted: 0xa80425fbn }, true],
    ["another process", { pid: 8 }, false],
    ["another command", { command: ["a", "c"] }, false],
    ["with a way to mount", { capsPermitted: 1n << 21n }, false],
    ["with a user namespace of its own", { hasOwnUserNamespace: true }, false],
  ])("%s: %s", (_, change, is) => {
    expect(
      isStartedByRuntime(word as never, { ...process, hasOwnUserNamespace: false, ...change }),
    ).toBe(is);
  });
});
