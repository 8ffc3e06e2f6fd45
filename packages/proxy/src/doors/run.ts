import { chmod, chown, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { Refusal } from "@countersign/core";
import type { Bytes, RunFact } from "@countersign/core";
import { nodeRandom } from "@countersign/node";
import { checkDescends } from "../facts/ancestry.ts";
import { collectFacts } from "../facts/process.ts";
import type { Facts } from "../facts/process.ts";
import type { Peer } from "../facts/peer.ts";
import type { Sources } from "../facts/surroundings.ts";
import type { Door, DoorEntry, Listen, Listening } from "./door.ts";
import { checkName, NAME_LENGTH, nameOf } from "./name.ts";

/** Why a run door closed. */
export type DoorEnd = "caller_ended" | "closed";

/** The door of one `countersign run`: it lives as long as the process that asked for it. */
export interface RunDoor extends Door {
  readonly uid: number;
  readonly closed: Promise<DoorEnd>;
}

export interface RunDoorsOptions {
  /** The proxy's runtime directory; the sockets lie in `run` below it. */
  readonly dir: string;
  readonly listen: Listen;
  /** Of the doors' names; the same for the next proxy here, so that it can open them again. Default: for this one only. */
  readonly secret?: Bytes;
  /** Whom to ask about peers beside the kernel. */
  readonly sources?: Sources;
}

/** A socket's address holds 108 bytes on Linux, 104 elsewhere. */
export const MAX_PATH_BYTES = 99;
const MAX_DOORS = 1024;
const MAX_DOORS_PER_UID = 64;
/** How often callers are looked at; `admit` looks by itself, so this only tidies up. */
const WATCH_MS = 200;

/** What a door is opened for. */
interface OpenRun {
  readonly entry: DoorEntry;
  readonly callerPeer: Peer;
  readonly uid: number;
  readonly since: number;
  readonly again?: string;
  readonly hasTerminal?: boolean;
}

class OpenDoor implements RunDoor {
  readonly entry: DoorEntry;
  readonly path: string;
  readonly uid: number;
  readonly closed: Promise<DoorEnd>;
  readonly #caller: Peer;
  readonly #sources: Sources;
  readonly #since: number;
  readonly #hasTerminal: boolean;
  #listening: Listening | undefined;
  #resolveClosed: (end: DoorEnd) => void = () => undefined;
  #ending: Promise<void> | undefined;

  constructor(run: OpenRun, path: string, sources: Sources) {
    this.entry = run.entry;
    this.path = path;
    this.uid = run.callerPeer.uid;
    this.#caller = run.callerPeer.keep();
    this.#sources = sources;
    this.#since = run.since;
    this.#hasTerminal = run.hasTerminal === true;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** Serves the socket, for its own user alone where we may give it away; `admit` judges the uid in any case. */
  async open(listen: Listen): Promise<void> {
    try {
      this.#listening = await listen(this);
      const own = process.getuid?.();
      if (own === 0 && this.uid !== 0) await chown(this.path, this.uid, -1);
      await chmod(this.path, own === 0 || own === this.uid ? 0o600 : 0o666);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  isCallerAlive(): boolean {
    return this.#caller.isAlive();
  }

  async #check(peer: Peer): Promise<void> {
    if (this.#ending !== undefined || !this.isCallerAlive())
      throw new Refusal("peer_unexpected", "the run of this door has ended");
    if (peer.uid !== this.uid)
      throw new Refusal("peer_unexpected", "the peer is of another user than the run");
    if (peer.pid === this.#caller.pid)
      throw new Refusal("peer_unexpected", "the peer is the caller of the run itself");
    await checkDescends(peer, this.#caller);
  }

  async admit(peer: Peer): Promise<Facts> {
    await this.#check(peer);
    const facts = await collectFacts(peer, this.entry, this.#sources);
    await this.#check(peer); // measuring takes a while
    const run: RunFact = { uid: this.uid, since: this.#since };
    return {
      ...facts,
      run,
      hasTerminal: this.#hasTerminal,
      stillTrue: async () => {
        try {
          await this.#check(peer);
        } catch (error) {
          if (error instanceof Refusal) return false;
          throw error;
        }
        return facts.stillTrue();
      },
    };
  }

  close(): Promise<void> {
    return this.end("closed");
  }

  end(why: DoorEnd): Promise<void> {
    this.#ending ??= this.#end(why);
    return this.#ending;
  }

  async #end(why: DoorEnd): Promise<void> {
    this.#caller.close();
    try {
      await this.#listening?.close();
    } finally {
      await rm(this.path, { force: true });
      this.#resolveClosed(why);
    }
  }
}

/**
 * Makes a folder for doors and removes sockets that a proxy before left there.
 * @throws Refusal `configuration_invalid` when it is not a directory of ours
 */
export async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const there = await lstat(folder);
  if (!there.isDirectory() || there.uid !== process.getuid?.())
    throw new Refusal("configuration_invalid", `${folder} is not a directory of this user`);
  await chmod(folder, 0o711); // connected to by name, not listed
  for (const name of await readdir(folder))
    if (name.endsWith(".sock")) await rm(join(folder, name), { force: true }); // of a run before a crash
}

/** The run doors of this proxy: one per `countersign run`, closed when its caller ends. */
export class RunDoors {
  readonly #folder: string;
  readonly #listen: Listen;
  readonly #secret: Bytes;
  readonly #sources: Sources;
  readonly #doors: Set<OpenDoor> = new Set();
  #watch: NodeJS.Timeout | undefined;

  private constructor(folder: string, options: RunDoorsOptions) {
    this.#folder = folder;
    this.#listen = options.listen;
    this.#secret = options.secret ?? nodeRandom(32);
    this.#sources = options.sources ?? {};
  }

  /**
   * Makes the folder and removes sockets that a proxy before left there; one proxy uses it at a time.
   * @throws Refusal `configuration_invalid` when the folder is not ours or its path is too long
   */
  static async create(options: RunDoorsOptions): Promise<RunDoors> {
    const folder = join(options.dir, "run");
    const longest = join(folder, `${"x".repeat(NAME_LENGTH)}.sock`);
    if (Buffer.byteLength(longest) > MAX_PATH_BYTES)
      throw new Refusal("configuration_invalid", `${folder} is too long a path for sockets`);
    await prepareFolder(folder);
    return new RunDoors(folder, options);
  }

  /**
   * Opens a door for the process that asks, before it starts its child.
   * @param callerPeer the asker; the door holds it by a handle of its own
   * @param uid the user that the entry runs as
   * @param since seconds, as evidence will say it; 0 where it is not known
   * @param hasTerminal whether somebody sits at a terminal of the run, as the asker says; default false
   * @param again path of the door that a proxy before this one, which is gone, had opened for the very same process
   * @throws Refusal `peer_unexpected` when the caller is of another user, `process_gone` when it has ended,
   * `rate_limited` above 64 doors of one user or 1024 in all, `not_found` for a path that was not his
   */
  async open(run: OpenRun): Promise<RunDoor> {
    if (run.callerPeer.uid !== run.uid)
      throw new Refusal("peer_unexpected", "the entry runs as another user than the caller");
    const ofUser = [...this.#doors].filter((door) => door.uid === run.uid).length;
    if (ofUser >= MAX_DOORS_PER_UID || this.#doors.size >= MAX_DOORS)
      throw new Refusal("rate_limited", "too many runs at the same time");
    const path = this.#pathFor(run);
    const door = new OpenDoor(run, path, this.#sources);
    this.#doors.add(door);
    void door.closed.then(() => {
      this.#forget(door);
    });
    await door.open(this.#listen);
    this.#watch ??= setInterval(() => {
      this.#endOrphans();
    }, WATCH_MS).unref();
    return door;
  }

  #pathFor(run: OpenRun): string {
    const { pid, startTime, uid } = run.callerPeer;
    const holder = { pid, startTime, uid, entry: run.entry.id };
    if (run.again === undefined) return join(this.#folder, `${nameOf(this.#secret, holder)}.sock`);
    const name = basename(run.again, ".sock");
    checkName(this.#secret, name, holder);
    const path = join(this.#folder, `${name}.sock`);
    const isFree = [...this.#doors].every((door) => door.path !== path);
    if (path !== run.again || !isFree) throw new Refusal("not_found", "no door of before");
    return path;
  }

  /** Closes all doors. */
  async close(): Promise<void> {
    await Promise.all([...this.#doors].map((door) => door.close()));
  }

  #forget(door: OpenDoor): void {
    this.#doors.delete(door);
    if (this.#doors.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  #endOrphans(): void {
    for (const door of this.#doors)
      if (!door.isCallerAlive()) void door.end("caller_ended").catch(() => undefined); // the socket is gone either way
  }
}
