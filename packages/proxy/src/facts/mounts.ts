import type { FileHandle } from "node:fs/promises";
import { readFile } from "node:fs/promises";
import { readProcFile } from "./read.ts";

const MAX_MOUNTS_BYTES = 256 * 1024;

/** One mount as a process sees it (proc_pid_mountinfo(5)). */
export interface Mount {
  /** Seen from the root directory of the process. */
  readonly point: string;
  readonly isReadOnly: boolean;
}

/** The mount of that number. Pure. */
export function findMount(mountinfo: string, id: number): Mount | undefined {
  const line = mountinfo.split("\n").find((one) => one.startsWith(`${id} `));
  const [, , , , point, options] = line?.split(" ") ?? [];
  if (point === undefined || options === undefined) return undefined;
  return { point, isReadOnly: options.split(",").includes("ro") };
}

/** The number in `mnt_id:` of `/proc/PID/fdinfo/FD`. Pure. */
export function parseMountId(fdinfo: string): number | undefined {
  const digits = /^mnt_id:\s*([0-9]{1,10})$/m.exec(fdinfo)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Number of the mount on which an open file lies. */
export async function mountIdOf(handle: FileHandle): Promise<number | undefined> {
  return parseMountId(await readFile(`/proc/self/fdinfo/${handle.fd}`, "latin1"));
}

/** The mount of that number, as a process sees it now. @throws Refusal `process_gone`, `process_unreadable` */
export async function mountSeen(pid: number, id: number | undefined): Promise<Mount | undefined> {
  const { data, whole } = await readProcFile(pid, "mountinfo", MAX_MOUNTS_BYTES);
  if (!whole || id === undefined) return undefined;
  return findMount(Buffer.from(data).toString("utf8"), id);
}
