import { accessSync, constants, readFileSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Yard } from "./family.testing.ts";
import { isRoot } from "./family.testing.ts";

/** Where the unified hierarchy is mounted, if this test may make groups there. */
function writableMount(): string | undefined {
  try {
    const line = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .find((one) => one.split(" ")[2] === "cgroup2");
    const mount = line?.split(" ")[1];
    // the host's own root: seen from a cgroup namespace of its own, all paths begin elsewhere
    if (mount === undefined || !isRoot) return undefined;
    accessSync(mount, constants.W_OK);
    return mount;
  } catch {
    return undefined;
  }
}

const MOUNT = writableMount();
export const canMakeGroups: boolean = MOUNT !== undefined;
if (!canMakeGroups)
  process.stderr.write(
    "no cgroups can be made here (root and cgroup v2): their tests are skipped\n",
  );

/** The directory of a group, made with those above it; taken away when the yard is cleared. */
export async function makeGroup(yard: Yard, path: string): Promise<string> {
  const group = join(MOUNT ?? "", path);
  const first = await mkdir(group, { recursive: true });
  yard.after(async () => {
    if (first === undefined) return;
    await rmdir(group);
    // a test beside this one may use those above it, or have taken them away
    for (let at = dirname(group); at.length >= first.length; at = dirname(at))
      if (
        !(await rmdir(at).then(
          () => true,
          () => false,
        ))
      )
        break;
  });
  return group;
}

/** Moves a process into a group. */
export async function moveTo(group: string, pid: number): Promise<void> {
  await writeFile(join(group, "cgroup.procs"), String(pid));
}
