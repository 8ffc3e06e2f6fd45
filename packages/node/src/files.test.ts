import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createPrivateFile,
  privateDirectory,
  readPrivateFile,
  writePrivateFile,
  writePublicFile,
} from "./files.ts";
import { codeOf } from "./refusal.testing.ts";

let home = "";
let path = "";
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "cs-"));
  path = join(home, "a");
});
afterEach(() => rm(home, { recursive: true }));

async function modeOf(at: string): Promise<number> {
  return (await lstat(at)).mode & 0o777;
}
const isRoot = process.getuid?.() === 0;

describe("privateDirectory", () => {
  const rows: [string, () => Promise<unknown>, string][] = [
    ["that is not there", async () => undefined, "ok"],
    ["of mode 0700", () => mkdir(path, { mode: 0o700 }), "ok"],
    ["of mode 0500", () => mkdir(path, { mode: 0o500 }), "ok"],
    ["of mode 0755", () => mkdir(path, { mode: 0o755 }), "private_mode"],
    ["of mode 0710", () => mkdir(path, { mode: 0o710 }), "private_mode"],
    ["that is a link", () => symlink(home, path), "private_mode"],
    ["that is a file", () => writeFile(path, ""), "private_mode"],
  ];
  it.each(rows)("%s", async (_name, prepare, code) => {
    await prepare();
    expect(await codeOf(() => privateDirectory(path))).toBe(code);
  });

  it("makes parents as private as itself", async () => {
    await privateDirectory(join(path, "b"));
    expect([await modeOf(path), await modeOf(join(path, "b"))]).toEqual([0o700, 0o700]);
  });

  it.runIf(isRoot)("refuses another owner", async () => {
    await mkdir(path, { mode: 0o700 });
    execFileSync("chown", ["12345", path]);
    expect(await codeOf(() => privateDirectory(path))).toBe("private_mode");
  });
});

describe("readPrivateFile", () => {
  const write =
    (mode: number, size = 4): (() => Promise<void>) =>
    async () => {
      await writeFile(path, "x".repeat(size));
      await chmod(path, mode);
    };
  const rows: [string, () => unknown, string][] = [
    ["of mode 0600", write(0o600), "ok"],
    ["of mode 0400", write(0o400), "ok"],
    ["of mode 0640", write(0o640), "private_mode"],
    ["of mode 0604", write(0o604), "private_mode"],
    ["as large as allowed", write(0o600, 10), "ok"],
    ["larger", write(0o600, 11), "too_large"],
    ["that is a folder", () => mkdir(path, { mode: 0o700 }), "private_mode"],
    [
      "that would never be written to",
      () => execFileSync("sh", ["-c", 'mkfifo -m 600 "$0"', path]),
      "private_mode",
    ],
    [
      "that is a link",
      async () => {
        await writeFile(`${path}.real`, "x", { mode: 0o600 });
        await symlink(`${path}.real`, path);
      },
      "private_mode",
    ],
  ];
  it.each(rows)("%s", async (_name, prepare, code) => {
    await prepare();
    expect(await codeOf(() => readPrivateFile(path, 10))).toBe(code);
  });

  it("is undefined where there is none", async () => {
    expect(await readPrivateFile(path)).toBeUndefined();
  });

  it.runIf(isRoot)("refuses another owner", async () => {
    await write(0o600)();
    execFileSync("chown", ["12345", path]);
    expect(await codeOf(() => readPrivateFile(path))).toBe("private_mode");
  });
});

describe("writing", () => {
  it.each([
    ["private", writePrivateFile, 0o600],
    ["public", writePublicFile, 0o644],
  ])(
    "a %s file: over what was there, with its mode, leaving nothing else",
    async (_n, write, mode) => {
      await writeFile(path, "before", { mode: 0o666 });
      const umask = process.umask(0o077);
      await write(path, "after");
      process.umask(umask);
      expect(await readFile(path, "utf8")).toBe("after");
      expect(await modeOf(path)).toBe(mode);
      expect(await readdir(home)).toEqual(["a"]);
    },
  );

  it.each([
    ["private", writePrivateFile],
    ["public", writePublicFile],
    ["first private", createPrivateFile],
  ])("never a %s file through a link", async (_name, write) => {
    await writeFile(`${path}.real`, "x");
    await symlink(`${path}.real`, path);
    expect(await codeOf(() => write(path, "y"))).toBe("private_mode");
    expect(await readFile(`${path}.real`, "utf8")).toBe("x");
  });

  it("leaves nothing behind when it fails", async () => {
    await mkdir(path);
    expect(await codeOf(() => writePrivateFile(path, "x"))).toBe("private_mode");
    expect(await readdir(home)).toEqual(["a"]);
  });

  it("makes a file once", async () => {
    const made = await Promise.all(["1", "2", "3"].map((text) => createPrivateFile(path, text)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readFile(path, "utf8")).toBe(String(made.indexOf(true) + 1));
    expect(await modeOf(path)).toBe(0o600);
    expect(await readdir(home)).toEqual(["a"]);
  });
});

// nobody, root neither, makes files there
const CLOSED = "/sys/countersign";
describe("a disk that does not take what it is given", () => {
  it.each<readonly [string, () => Promise<unknown>]>([
    ["a folder", () => privateDirectory(CLOSED)],
    ["a private file", () => writePrivateFile(CLOSED, "x")],
    ["a public file", () => writePublicFile(CLOSED, "x")],
    ["a first private file", () => createPrivateFile(CLOSED, "x")],
  ])("%s: refused, with what to do", async (_name, act) => {
    await expect(act()).rejects.toMatchObject({
      code: "indeterminate",
      next: expect.stringContaining("read and write its data directory") as string,
    });
  });
});
