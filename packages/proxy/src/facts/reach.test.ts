import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isRoot, OTHER_UID } from "./family.testing.ts";
import { mayChange, outOfReach } from "./reach.ts";

describe("mayChange", () => {
  it.each([
    ["root's file", 0n, 0o644n, false, false],
    ["another user's file", 7n, 0o755n, false, false],
    ["a file of his own", 1001n, 0o400n, false, true],
    ["a file that its group writes, or a list that no bit shows", 0n, 0o664n, false, true],
    ["a file that everybody writes", 0n, 0o646n, false, true],
    ["a directory like /tmp", 0n, 0o41777n, false, true],
    ["root's link, whose bits mean nothing", 0n, 0o777n, true, false],
    ["a link of his own", 1001n, 0o777n, true, true],
  ])("%s", (_, uid, mode, isLink, may) => {
    expect(mayChange({ uid, mode, isLink }, 1001)).toBe(may);
  });
});

describe.skipIf(!isRoot)("outOfReach (root only: elsewhere all files here are our own)", () => {
  let place = "";
  beforeEach(async () => {
    place = await mkdtemp("/run/countersign-test-"); // every folder above it is root's
    await chmod(place, 0o755);
    await mkdir(join(place, "a"));
    await writeFile(join(place, "a/file"), "x");
  });
  afterEach(() => rm(place, { recursive: true }));

  const found = async (path: string, root = ""): Promise<boolean> =>
    (await outOfReach(root, path, OTHER_UID)) !== undefined;

  it("finds what root alone can change, through root's links", async () => {
    await symlink("a", join(place, "relative"));
    await symlink(join(place, "relative/../a/file"), join(place, "absolute"));
    await symlink("../../../../../../etc/../etc/passwd", join(place, "a/up"));
    for (const path of ["a/file", "a", "relative/file", "absolute", "a/up"])
      expect([path, await found(join(place, path))]).toEqual([path, true]);
    expect(await found("/a/file", place)).toBe(true);
  });

  it.each<[string, (at: (path: string) => string) => Promise<unknown>]>([
    ["the file is his", (at) => chown(at("a/file"), OTHER_UID, 0)],
    ["he writes the file", (at) => chmod(at("a/file"), 0o666)],
    ["the folder is his", (at) => chown(at("a"), OTHER_UID, 0)],
    ["a group writes the folder", (at) => chmod(at("a"), 0o775)],
    ["a folder further up is his", (at) => chown(at(""), OTHER_UID, 0)],
    ["there is nothing", (at) => rm(at("a/file"))],
    [
      "the folder is a file",
      async (at) => {
        await rm(at("a"), { recursive: true });
        await writeFile(at("a"), "x");
      },
    ],
    [
      "a link leads through a folder of his",
      async (at) => {
        await mkdir(at("his"));
        await chown(at("his"), OTHER_UID, 0);
        await rm(at("a/file"));
        await symlink(`${at("his")}/../a`, at("a/file"));
      },
    ],
    [
      "a link leads to itself",
      async (at) => {
        await rm(at("a/file"));
        await symlink("file", at("a/file"));
      },
    ],
  ])("finds nothing where %s", async (_, change) => {
    await change((path) => join(place, path));
    expect(await found(join(place, "a/file"))).toBe(false);
  });

  it.each(["a/file", "", "/run/../run", "//run", "/tmp"])("finds nothing at %j", async (path) => {
    expect(await found(path)).toBe(false);
  });
});
