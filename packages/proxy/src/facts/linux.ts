import { createRequire } from "node:module";
import type * as Koffi from "koffi";
import { Refusal } from "@countersign/core";

/** The few kernel calls that Node does not have. Buffers are read and written in the host's byte order. */
export interface LinuxCalls {
  /** 0, or the errno. The value is written into `value`, whose length is the size asked for. */
  getsockopt(fd: number, name: number, value: Uint8Array): number;
  /** Whether the process behind the pidfd has not ended yet. */
  isRunning(pidfd: number): boolean;
  /** A new pidfd, or the negative errno. */
  pidfdOpen(pid: number): number;
  /** A second descriptor, closed on exec, or the negative errno. */
  duplicate(fd: number): number;
  /**
   * Finds a path as a process sees it whose root directory is `rootFd`: absolute links and `..` stay inside, magic
   * links are refused. A new O_PATH descriptor, which opens nothing and so waits for nothing, or the negative errno.
   * Runs off the main thread.
   */
  findInRoot(rootFd: number, path: string): Promise<number>;
  /** Nanoseconds of the wall clock at the boot of this host. */
  bootTimeNs(): bigint;
  /** 0, or the errno. */
  setUndumpable(): number;
}

const SOL_SOCKET = 1;
const POLLIN = 1;
const SYS_PIDFD_OPEN = 434; // the same number on every architecture, as all calls since Linux 5.1
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_IN_ROOT = 0x10n;
export const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000n;
const F_DUPFD_CLOEXEC = 1030;
const CLOCK_REALTIME = 0;
const CLOCK_BOOTTIME = 7;
const PR_SET_DUMPABLE = 4;

let calls: LinuxCalls | undefined;

/**
 * The kernel's calls, bound at the first use.
 * @throws Refusal `configuration_invalid` on a platform that is not Linux, or without the native binding
 */
export function linux(): LinuxCalls {
  calls ??= bind();
  return calls;
}

function loadKoffi(): typeof Koffi {
  if (process.platform !== "linux")
    throw new Refusal("configuration_invalid", "peers can be identified on Linux only");
  try {
    // loaded late: an import would fail the whole program where there is no binary for the platform
    return createRequire(import.meta.url)("koffi") as typeof Koffi; // require has no types
  } catch {
    throw new Refusal("configuration_invalid", "the native binding koffi does not load here");
  }
}

function bind(): LinuxCalls {
  const koffi = loadKoffi();
  const libc = koffi.load(null);
  const getsockopt = libc.func("int getsockopt(int, int, int, void *value, void *length)");
  const poll = libc.func("int poll(void *fds, unsigned long count, int timeout)");
  const syscall3 = libc.func("syscall", "long", ["long", "int", "uint"]);
  const syscall5 = libc.func("syscall", "long", ["long", "int", "str", "void *", "size_t"]);
  const fcntl = libc.func("fcntl", "int", ["int", "int", "int"]);
  const clockGettime = libc.func("int clock_gettime(int id, void *time)");
  const prctl = libc.func("prctl", "int", ["int", "ulong", "ulong", "ulong", "ulong"]);
  // koffi's functions answer `any`: each use below states what the C prototype says
  const answer = (value: number): number => (value < 0 ? -koffi.errno() : value);
  const clock = (id: number): bigint => {
    const time = Buffer.alloc(16);
    clockGettime(id, time);
    return readInt64(time, 0) * 1_000_000_000n + readInt64(time, 8);
  };
  return {
    getsockopt(fd, name, value) {
      const length = Buffer.from(new Uint32Array([value.length]).buffer);
      return -answer(Number(getsockopt(fd, SOL_SOCKET, name, value, length)));
    },
    isRunning(pidfd) {
      const wanted = Buffer.alloc(8);
      new Int32Array(wanted.buffer, wanted.byteOffset, 1)[0] = pidfd;
      new Int16Array(wanted.buffer, wanted.byteOffset + 4, 1)[0] = POLLIN;
      // readable once every thread has ended; an error is no sign of life
      return Number(poll(wanted, 1, 0)) === 0;
    },
    pidfdOpen: (pid) => answer(Number(syscall3(SYS_PIDFD_OPEN, pid, 0))),
    duplicate: (fd) => answer(Number(fcntl(fd, F_DUPFD_CLOEXEC, 0))),
    findInRoot(rootFd, path) {
      const how = new BigUint64Array([
        BigInt(O_PATH) | O_CLOEXEC,
        0n,
        RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
      ]);
      return new Promise((resolve, reject) => {
        syscall5.async(
          SYS_OPENAT2,
          rootFd,
          path,
          how,
          how.byteLength, // also keeps `how` alive until the call is made
          (error: unknown, fd: unknown) => {
            if (error === null || error === undefined) resolve(answer(Number(fd)));
            else reject(new Error("the kernel call was not made"));
          },
        );
      });
    },
    bootTimeNs: () => clock(CLOCK_REALTIME) - clock(CLOCK_BOOTTIME),
    setUndumpable: () => -answer(Number(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))),
  };
}

function readInt64(buffer: Buffer, offset: number): bigint {
  return new BigInt64Array(buffer.buffer, buffer.byteOffset + offset, 1)[0] ?? 0n;
}
