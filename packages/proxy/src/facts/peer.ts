import { closeSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { Refusal } from "@countersign/core";
import { linux } from "./linux.ts";
import { parseStat, parseStatus } from "./proc.ts";

const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const ENOPROTOOPT = 92;
const ESRCH = 3;

/**
 * A process that the kernel named, held by a pidfd so that its number cannot come to mean another one unnoticed.
 * Whoever gets one closes it; a closed one is never alive.
 */
export interface Peer {
  readonly pid: number;
  /** Effective ids: of the socket's peer as they were when it connected. */
  readonly uid: number;
  readonly gid: number;
  /** Clock ticks (1/100 s) from the boot of the host to the fork that made the process. */
  readonly startTime: number;
  /** Whether it runs still; what was read from `/proc` before a "yes" was read from this process. */
  isAlive(): boolean;
  /** The same process with a life of its own: close both. @throws Refusal `process_gone` */
  keep(): Peer;
  close(): void;
}

class HeldProcess implements Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly startTime: number;
  #pidfd: number | undefined;

  constructor(pidfd: number, ids: { pid: number; uid: number; gid: number; startTime: number }) {
    this.#pidfd = pidfd;
    this.pid = ids.pid;
    this.uid = ids.uid;
    this.gid = ids.gid;
    this.startTime = ids.startTime;
  }

  isAlive(): boolean {
    return this.#pidfd !== undefined && linux().isRunning(this.#pidfd);
  }

  keep(): Peer {
    const copy = this.#pidfd === undefined ? -1 : linux().duplicate(this.#pidfd);
    if (copy < 0) throw new Refusal("process_gone", `process ${this.pid} is not held any more`);
    return new HeldProcess(copy, this);
  }

  close(): void {
    const pidfd = this.#pidfd;
    this.#pidfd = undefined; // first, so that a number given out again is never closed by us
    if (pidfd !== undefined) closeSync(pidfd);
  }
}

/** Closes the pidfd unless a peer comes of it. */
function holding(pidfd: number, make: () => Peer): Peer {
  try {
    return make();
  } catch (error) {
    closeSync(pidfd);
    throw error;
  }
}

function readProc(pid: number, name: "stat" | "status"): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    throw new Refusal("process_gone", `process ${pid} cannot be seen`);
  }
}

function held(pidfd: number, pid: number, ids?: { uid: number; gid: number }): Peer {
  return holding(pidfd, () => {
    const startTime = parseStat(readProc(pid, "stat")).startTime;
    const status = ids === undefined ? parseStatus(readProc(pid, "status")) : undefined;
    const uid = ids?.uid ?? status?.uids[1];
    const gid = ids?.gid ?? status?.gids[1];
    // alive after the reading, so the pid meant this process all along
    if (uid === undefined || gid === undefined || !linux().isRunning(pidfd))
      throw new Refusal("process_gone", `process ${pid} ended`);
    return new HeldProcess(pidfd, { pid, uid, gid, startTime });
  });
}

/**
 * Holds a process that we name ourselves; its ids are the effective ones of now.
 * @throws Refusal `process_gone`; `configuration_invalid` off Linux
 */
export function processHandle(pid: number): Peer {
  if (!Number.isInteger(pid) || pid <= 0) throw new Refusal("process_gone", "no such process");
  const pidfd = linux().pidfdOpen(pid);
  if (pidfd < 0) throw new Refusal("process_gone", `process ${pid} cannot be held`);
  return held(pidfd, pid);
}

function peerCredentials(fd: number): { pid: number; uid: number; gid: number } {
  const value = new Int32Array(3);
  const errno = linux().getsockopt(fd, SO_PEERCRED, new Uint8Array(value.buffer));
  const [pid = 0, uid = -1, gid = -1] = value;
  if (errno !== 0) throw new Refusal("peer_unexpected", `no peer credentials (errno ${errno})`);
  // 0: a process of a pid namespace that we cannot see into, or not a Unix socket
  if (pid <= 0) throw new Refusal("peer_unexpected", "the peer is not visible from here");
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/**
 * As `peerOf` on kernels before 6.5, which give no pidfd for a peer: the pid is looked up again. It may have come
 * to mean another process between its connecting and now, so the ids found must at least be those that connected.
 * @throws Refusal `process_gone`, `peer_unexpected`
 */
export function peerByNumber(fd: number): Peer {
  const ids = peerCredentials(fd);
  const found = processHandle(ids.pid);
  if (found.uid === ids.uid && found.gid === ids.gid) return found;
  found.close();
  throw new Refusal("process_gone", "the pid of the peer means another process now");
}

/**
 * Who is at the other end of a connected Unix socket, by the kernel's word: the process that called connect.
 * Synchronous, to be called at accept: the descriptor is gone once the peer has closed.
 * @throws Refusal `process_gone` when it has ended, `peer_unexpected` when it cannot be seen, `configuration_invalid`
 * off Linux
 */
export function peerOf(fd: number): Peer {
  const ids = peerCredentials(fd);
  const value = new Int32Array(1);
  const errno = linux().getsockopt(fd, SO_PEERPIDFD, new Uint8Array(value.buffer));
  if (errno === ENOPROTOOPT) return peerByNumber(fd);
  const pidfd = value[0] ?? -1;
  if (errno !== 0 || pidfd < 0)
    throw new Refusal(
      "process_gone",
      errno === ESRCH ? "the peer ended" : `no handle of the peer (errno ${errno})`,
    );
  return held(pidfd, ids.pid, ids);
}

/** Where Node keeps the descriptor of a socket; undocumented, so it is looked for with care. */
function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown =
    typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof fd !== "number" || fd < 0)
    throw new Refusal("process_gone", "the connection is closed already");
  return fd;
}

/**
 * The peer of an accepted connection; call it synchronously in the `connection` handler. The peer is closed with
 * the socket: whoever needs it longer takes `keep()`.
 * @throws Refusal as `peerOf`
 */
export function peerOfSocket(socket: Socket): Peer {
  const peer = peerOf(descriptorOf(socket));
  socket.once("close", () => {
    peer.close();
  });
  return peer;
}

/**
 * Keeps processes of the same user from reading this one's memory, and from attaching to it.
 * @throws Refusal `configuration_invalid`
 */
export function makeUndumpable(): void {
  const errno = linux().setUndumpable();
  if (errno !== 0) throw new Refusal("configuration_invalid", `prctl failed (errno ${errno})`);
}
