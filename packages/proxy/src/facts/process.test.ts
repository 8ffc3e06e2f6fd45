import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, rename, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf, digest, hasPython, isRoot, OTHER_UID, PYTHON, Yard } from "./family.testing.ts";
import type { Child } from "./family.testing.ts";
import { processHandle } from "./peer.ts";
import { collectFacts } from "./process.ts";
import type { CollectOptions, Facts } from "./process.ts";

const AGENT_PY = "print('ready', flush=True)\ninput()\n";
const AGENT_SH = "echo ready\nread line\n";
const NONE: CollectOptions = { interpreterOptions: [] };
const FUTURE = new Date("2100-01-01");

const yard = new Yard();
afterEach(() => yard.clear());

const factsOf = (child: Child, options = NONE): Promise<Facts> => yard.factsOf(child, options);
const factsOfPid = (pid: number, options = NONE): Promise<Facts> => yard.factsOfPid(pid, options);

/** A copy of a small program that answers with what it is told: it is up once it has. */
async function program(name = "agent"): Promise<{ child: Child; path: string }> {
  const path = await yard.copy("/bin/cat", name);
  const child = yard.start(path, []);
  child.tell("ready");
  return { child, path };
}

describe.skipIf(!hasPython)("what is measured of a process", () => {
  it("a program: its image, its ids, its surroundings", async () => {
    const { child, path } = await program();
    const { proc, manifest, stillTrue } = await factsOf(child);
    expect(proc).toMatchObject({
      pid: child.pid,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      exe: { path, d: await digest(path) },
      args: [],
      ptraced: false,
      no_new_privs: false,
      key: { store: "proxy", exportable: false },
    });
    expect(proc.parents[0]).toEqual({ pid: process.pid, exe: await digest(process.execPath) });
    expect(proc.caps_eff).toMatch(/^[0-9a-f]{16}$/);
    expect(proc.ns?.mnt).toBeGreaterThan(0);
    expect(manifest).toBeUndefined();
    expect(await stillTrue()).toBe(true);
    await child.end();
    expect(await stillTrue()).toBe(false);
  });

  it("T13: the image that runs, not what lies at its path now", async () => {
    const { child, path } = await program();
    const before = await digest(path);
    await copyFile("/bin/echo", `${path}.new`);
    await rename(`${path}.new`, path);
    const { proc } = await factsOf(child);
    expect([proc.exe.d, (await digest(path)) === before]).toEqual([before, false]);
  });

  it("a script, by an absolute path, a relative one and through a link", async () => {
    const script = await yard.file("agent.py", AGENT_PY);
    const folder = dirname(script);
    await symlink("agent.py", join(folder, "linked.py"));
    await mkdir(join(folder, "sub"));
    const wanted = await digest(script);
    for (const [name, cwd] of [
      [script, "/"],
      ["agent.py", folder],
      ["../agent.py", join(folder, "sub")],
      ["linked.py", folder],
    ] as const) {
      const { proc } = await factsOf(yard.start(PYTHON, [name], { cwd }));
      expect(proc.args).toEqual([
        {
          path: join(cwd, name === script ? "" : name).replace(/^\/$/, script),
          d: wanted,
          basis: "argv",
        },
      ]);
    }
  });

  it("a script that names its interpreter in its first line", async () => {
    const script = await yard.file("agent", `#!/bin/sh\n${AGENT_SH}`);
    const { proc } = await factsOf(yard.start(script, []));
    expect(proc.args).toEqual([{ path: script, d: await digest(script), basis: "argv" }]);
  });

  it("a copy of an interpreter under another name, by its digest", async () => {
    const python = await yard.copy(PYTHON, "agent");
    const script = await yard.file("evil.py", AGENT_PY);
    const { proc } = await factsOf(yard.start(python, [script]));
    expect(proc.args.map(({ d }) => d)).toEqual([await digest(script)]);
    const child = yard.start(python, ["-c", "print('ready', flush=True); input()"]);
    expect(await codeOf(factsOf(child))).toBe("script_unmeasurable");
  });

  it("a script edited on disk gives another digest to the next process", async () => {
    const script = await yard.file("agent.sh", AGENT_SH);
    const first = await factsOf(yard.start("/bin/sh", [script]));
    await writeFile(script, `${AGENT_SH}# edited\n`);
    const second = await factsOf(yard.start("/bin/sh", [script]));
    expect(first.proc.args[0]?.d).not.toBe(second.proc.args[0]?.d);
    expect(second.proc.args[0]?.d).toBe(await digest(script));
  });

  it("that it is traced", async () => {
    const traced = await yard.file("agent.py", "import signal\nsignal.pause()\n");
    const tracer = await yard.file(
      "tracer.py",
      `
import ctypes, os
r, w = os.pipe2(os.O_CLOEXEC)
pid = os.fork()
if pid == 0: os.execv("${PYTHON}", ["python3", "${traced}"])
os.close(w)
os.read(r, 1)  # ends with the exec
EXITKILL = ctypes.c_void_p(0x100000)
seized = ctypes.CDLL(None).ptrace(0x4206, pid, None, EXITKILL)
print(pid if seized == 0 else 0, flush=True)
input()
`,
    );
    const pid = Number(await yard.start(PYTHON, [tracer]).line());
    expect(pid).toBeGreaterThan(0); // Yama forbids tracing of strangers only, never of one's own children
    const { proc } = await factsOfPid(pid);
    expect(proc.ptraced).toBe(true);
  });
});

describe.skipIf(!hasPython)("what is refused before anything is asked", () => {
  const SCRIPT = "SCRIPT";
  const CODE = "print('ready', flush=True); input()";
  const rows: readonly {
    name: string;
    command: readonly string[];
    env?: Record<string, string>;
    options?: readonly string[];
    code: string;
  }[] = [
    { name: "a plain script", command: [PYTHON, SCRIPT], code: "accepted" },
    { name: "code in an argument", command: [PYTHON, "-c", CODE], code: "script_unmeasurable" },
    {
      name: "a listed -c",
      command: [PYTHON, "-c", CODE],
      options: [`-c ${CODE}`],
      code: "script_unmeasurable",
    },
    { name: "an unlisted option", command: [PYTHON, "-u", SCRIPT], code: "loader_forbidden" },
    { name: "a listed option", command: [PYTHON, "-u", SCRIPT], options: ["-u"], code: "accepted" },
    {
      name: "a listed option with its value",
      command: [PYTHON, "-W", "ignore", SCRIPT],
      options: ["-W ignore"],
      code: "accepted",
    },
    {
      name: "a listed option with another value",
      command: [PYTHON, "-W", "error", SCRIPT],
      options: ["-W ignore"],
      code: "loader_forbidden",
    },
    {
      name: "a listed option, its value not",
      command: [PYTHON, "-W", "ignore", SCRIPT],
      options: ["-W"],
      code: "loader_forbidden",
    },
    {
      name: "PYTHONPATH",
      command: [PYTHON, SCRIPT],
      env: { PYTHONPATH: "/nowhere" },
      code: "loader_forbidden",
    },
    {
      name: "LD_PRELOAD",
      command: [PYTHON, SCRIPT],
      env: { LD_PRELOAD: "" },
      code: "loader_forbidden",
    },
    {
      name: "NODE_OPTIONS",
      command: [PYTHON, SCRIPT],
      env: { NODE_OPTIONS: "--no-warnings" },
      code: "loader_forbidden",
    },
    {
      name: "another variable",
      command: [PYTHON, SCRIPT],
      env: { AGENT_MODE: "1" },
      code: "accepted",
    },
  ];
  it.each(rows)("$name: $code", async ({ command, env = {}, options = [], code }) => {
    const script = await yard.file("agent.py", AGENT_PY);
    const [name = "", ...args] = command.map((word) => (word === SCRIPT ? script : word));
    const child = yard.start(name, args, { env });
    expect(await codeOf(factsOf(child, { interpreterOptions: options }))).toBe(code);
  });

  it("node with -e, and node with an unlisted --require", async () => {
    const code = "console.log('ready'); process.stdin.resume()";
    const child = yard.start(process.execPath, ["-e", code]);
    expect(await codeOf(factsOf(child))).toBe("script_unmeasurable");
    const preload = await yard.file("preload.cjs", "");
    const script = await yard.file("agent.mjs", code);
    const second = yard.start(process.execPath, ["--require", preload, script]);
    expect(await codeOf(factsOf(second))).toBe("loader_forbidden");
    const listed = { interpreterOptions: [`--require ${preload}`] };
    const peer = processHandle(second.pid);
    expect((await collectFacts(peer, listed)).proc.args[0]?.d).toBe(await digest(script));
    peer.close();
  });

  it("a script on standard input", async () => {
    const child = yard.start("/bin/sh", []);
    child.tell("echo ready; read line");
    expect(await codeOf(factsOf(child))).toBe("script_unmeasurable");
  });

  it("a script that is gone, a folder, or a pipe that would make the proxy wait", async () => {
    const gone = await yard.file("agent.py", `import os\nos.remove(__file__)\n${AGENT_PY}`);
    expect(await codeOf(factsOf(yard.start(PYTHON, [gone])))).toBe("script_unmeasurable");
    const folder = await yard.folder();
    await writeFile(join(folder, "__main__.py"), AGENT_PY);
    expect(await codeOf(factsOf(yard.start(PYTHON, [folder])))).toBe("script_unmeasurable");
    const swaps = `import os\nos.remove(__file__); os.mkfifo(__file__)\n${AGENT_PY}`;
    const pipe = await yard.file("agent.py", swaps);
    expect(await codeOf(factsOf(yard.start(PYTHON, [pipe])))).toBe("script_unmeasurable");
  });

  it("a script newer than its process", async () => {
    const script = await yard.file("agent.py", AGENT_PY);
    const child = yard.start(PYTHON, [script]);
    expect(await child.line()).toBe("ready");
    await utimes(script, FUTURE, FUTURE);
    expect(await codeOf(factsOfPid(child.pid))).toBe("program_changed");
  });

  it("a process that ended, and one whose pid is held by another peer's name", async () => {
    const { child } = await program();
    await child.line();
    const peer = processHandle(child.pid);
    const other = processHandle(process.pid);
    expect(
      await codeOf(collectFacts({ ...shape(peer), startTime: other.startTime - 1 }, NONE)),
    ).toBe("process_gone");
    expect(await codeOf(collectFacts({ ...shape(peer), uid: peer.uid + 1 }, NONE))).toBe(
      "program_changed",
    );
    await child.end();
    expect(await codeOf(collectFacts(peer, NONE))).toBe("process_gone");
    peer.close();
    other.close();
  });

  it("a process that the proxy may not read", async () => {
    if (process.getuid?.() === 0) {
      process.seteuid?.(OTHER_UID);
      try {
        expect(await codeOf(factsOfPid(process.ppid))).toBe("process_unreadable");
      } finally {
        process.seteuid?.(0);
      }
    } else expect(await codeOf(factsOfPid(1))).toBe("process_unreadable");
  });
});

function shape(peer: ReturnType<typeof processHandle>): ReturnType<typeof processHandle> {
  const { pid, uid, gid, startTime } = peer;
  return {
    pid,
    uid,
    gid,
    startTime,
    isAlive: () => peer.isAlive(),
    keep: () => peer.keep(),
    close: () => undefined,
  };
}

describe.skipIf(!hasPython || !isRoot)("processes in other places (root only)", () => {
  it("T13: a script is looked for inside the root directory of its process, links included", async () => {
    const root = await yard.folder();
    for (const file of [
      "/bin/dash",
      "/lib/x86_64-linux-gnu/libc.so.6",
      "/lib64/ld-linux-x86-64.so.2",
    ]) {
      if (!existsSync(file)) return;
      await mkdir(join(root, dirname(file)), { recursive: true });
      await copyFile(file, join(root, file));
    }
    await mkdir(join(root, "app"));
    await writeFile(join(root, "app/agent.sh"), AGENT_SH);
    await writeFile(join(root, "app/start.sh"), "cd /app\nexec /bin/dash agent.sh\n");
    await symlink("/app/agent.sh", join(root, "app/link.sh")); // on the host, nothing is there
    const wanted = await digest(join(root, "app/agent.sh"));
    for (const [name, path] of [
      ["link.sh", "/app/link.sh"],
      ["start.sh", "/app/agent.sh"],
    ] as const) {
      const child = yard.start("/usr/sbin/chroot", [root, "/bin/dash", `/app/${name}`]);
      const { proc } = await factsOf(child);
      expect(proc.args).toEqual([{ path, d: wanted, basis: "argv" }]);
    }
  });

  it("a process of another user", async () => {
    const script = await yard.file("agent.py", AGENT_PY);
    await chmod(dirname(script), 0o755);
    const { proc } = await factsOf(yard.start(PYTHON, [script], { uid: OTHER_UID, cwd: "/" }));
    expect(proc).toMatchObject({ uid: OTHER_UID, gid: OTHER_UID, caps_eff: "0000000000000000" });
  });

  it("refuses a process that can take another user back", async () => {
    const script = await yard.file(
      "agent.py",
      `import os\nos.setresuid(0, ${OTHER_UID}, 0)\n${AGENT_PY}`,
    );
    await chmod(dirname(script), 0o755);
    expect(await codeOf(factsOf(yard.start(PYTHON, [script])))).toBe("peer_unexpected");
  });
});
