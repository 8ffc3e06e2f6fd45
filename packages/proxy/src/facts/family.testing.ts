import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { base64url, Refusal } from "@countersign/core";
import type { RefusalCode } from "@countersign/core";
import { peerOfSocket, processHandle } from "./peer.ts";
import type { Peer } from "./peer.ts";
import { collectFacts } from "./process.ts";
import type { CollectOptions, Facts } from "./process.ts";

export const PYTHON = "/usr/bin/python3";
export const hasPython: boolean = process.platform === "linux" && existsSync(PYTHON);
export const isRoot: boolean = process.getuid?.() === 0;
export const OTHER_UID = 12345;

/** A child that says lines and is told lines; `ended` resolves when it has been waited for. */
export interface Child {
  readonly pid: number;
  line(): Promise<string>;
  tell(line: string): void;
  end(): Promise<void>;
  readonly ended: Promise<unknown>;
}

/** What a test leaves behind; emptied in the reverse order. */
export class Yard {
  readonly #undo: (() => Promise<unknown>)[] = [];

  after(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  async clear(): Promise<void> {
    for (const undo of this.#undo.splice(0).toReversed()) await undo();
  }

  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), "facts-"));
    this.after(() => rm(path, { recursive: true }));
    return path;
  }

  /** A file of its own folder, with that name. */
  async file(name: string, text: string, mode = 0o755): Promise<string> {
    const path = join(await this.folder(), name);
    await writeFile(path, text, { mode });
    return path;
  }

  async copy(from: string, name: string): Promise<string> {
    const path = join(await this.folder(), name);
    await copyFile(from, path);
    return path;
  }

  start(
    command: string,
    args: readonly string[],
    options: { env?: Record<string, string>; cwd?: string; uid?: number } = {},
  ): Child {
    const child: ChildProcessWithoutNullStreams = spawn(command, args, {
      env: { PATH: "/usr/bin:/bin", ...options.env },
      stdio: "pipe",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    });
    child.stdin.on("error", () => undefined);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const closed = once(child, "close");
    const ended = once(child, "exit"); // not "close": a child of its own may hold the pipes
    let complaint = "";
    child.stderr.on("data", (data: Buffer) => {
      complaint += data.toString();
    });
    const end = async (): Promise<void> => {
      child.kill("SIGKILL");
      await ended;
    };
    this.after(end);
    return {
      pid: child.pid ?? 0,
      ended,
      end,
      tell: (line) => child.stdin.write(`${line}\n`),
      line: async () => {
        const next = await lines.next();
        if (next.done === true) {
          await closed; // with the whole complaint
          throw new Error(`the child ended: ${complaint}`);
        }
        return next.value;
      },
    };
  }

  /** The facts of a child that says that it is ready. */
  async factsOf(child: Child, options: CollectOptions): Promise<Facts> {
    const line = await child.line();
    if (line !== "ready") throw new Error(`the child said ${line}`);
    return this.factsOfPid(child.pid, options);
  }

  factsOfPid(pid: number, options: CollectOptions): Promise<Facts> {
    const peer = processHandle(pid);
    this.after(() => Promise.resolve(peer.close()));
    return collectFacts(peer, options);
  }

  /** A socket on which each connection is met by its peer, seen at accept, and the first line that it sends. */
  async meeting(path?: string): Promise<Meeting> {
    const where = path ?? join(await this.folder(), "s");
    const meeting = new Meeting(where);
    await meeting.listen();
    this.after(() => meeting.close());
    return meeting;
  }
}

export interface Met {
  readonly peer: Peer | Refusal;
  readonly socket: Socket;
  readonly said: string;
}

export class Meeting {
  readonly path: string;
  readonly #server: Server;
  readonly #waiting: ((met: Met) => void)[] = [];
  readonly #met: Met[] = [];
  readonly #sockets: Set<Socket> = new Set();

  constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      const peer = met(socket);
      let said = "";
      socket.on("data", (data) => {
        const wasWhole = said.includes("\n");
        said += data.toString();
        if (!wasWhole && said.includes("\n")) this.#arrive({ peer, socket, said: said.trim() });
      });
    });
  }

  #arrive(one: Met): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#met.push(one);
    else waiting(one);
  }

  async listen(): Promise<void> {
    this.#server.listen(this.path);
    await once(this.#server, "listening");
  }

  next(): Promise<Met> {
    const here = this.#met.shift();
    if (here !== undefined) return Promise.resolve(here);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next connection, whose peer must have been seen. */
  async nextPeer(): Promise<{ peer: Peer; socket: Socket; said: string }> {
    const { peer, socket, said } = await this.next();
    if (peer instanceof Refusal) throw peer;
    return { peer, socket, said };
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function met(socket: Socket): Peer | Refusal {
  try {
    return peerOfSocket(socket);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** The code with which it refuses; "accepted" otherwise. */
export async function codeOf(what: Promise<unknown>): Promise<RefusalCode | "accepted"> {
  try {
    await what;
    return "accepted";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

/** What the digest of a file ought to be. */
export async function digest(path: string): Promise<string> {
  return `sha-256:${base64url(
    createHash("sha256")
      .update(await readFile(path))
      .digest(),
  )}`;
}
