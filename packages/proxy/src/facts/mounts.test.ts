import { open } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { findMount, mountIdOf, mountSeen, parseMountId } from "./mounts.ts";

const MOUNTS = `2 1 0:9 / / ro,relatime - overlay overlay rw,lowerdir=/l
21 2 0:5 / /proc rw,nosuid - proc proc rw
22 2 8:1 /data /app\\040x rw,relatime shared:1 master:2 - ext4 /dev/sda1 ro
212 2 0:7 / /tmp rw,size=65536k,prologue - tmpfs tmpfs rw
`;

describe("mounts", () => {
  it.each([
    ["a root that is read-only", 2, { point: "/", isReadOnly: true }],
    ["one that is not, of a device that is", 22, { point: "/app\\040x", isReadOnly: false }],
    ["an option that only begins like it", 212, { point: "/tmp", isReadOnly: false }],
    ["a number that is there as a prefix only", 1, undefined],
    ["a number that is not there", 3, undefined],
  ])("%s", (_, id, want) => {
    expect(findMount(MOUNTS, id)).toEqual(want);
  });

  it.each(["2", "2 1 0:9 /", ""])("none in %j", (text) => {
    expect(findMount(text, 2)).toBeUndefined();
  });

  it.each([
    ["pos:\t0\nflags:\t0100000\nmnt_id:\t42\nino:\t7\n", 42],
    ["pos:\t0\nxmnt_id:\t42\n", undefined],
    ["mnt_id:\t4x\n", undefined],
    ["", undefined],
  ])("the number in %j", (text, id) => {
    expect(parseMountId(text)).toBe(id);
  });

  it("are those of this process for its own files", async () => {
    const handle = await open("/proc/self/status");
    const id = await mountIdOf(handle);
    await handle.close();
    expect(await mountSeen(process.pid, id)).toMatchObject({ point: "/proc" });
    expect(await mountSeen(process.pid, undefined)).toBeUndefined();
  });
});
