import { chmod, chown, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseName, Refusal } from "@countersign/core";
import type { Entry } from "@countersign/core";
import type { Log } from "@countersign/node";
import { collectFacts } from "../facts/process.ts";
import type { Facts } from "../facts/process.ts";
import type { Peer } from "../facts/peer.ts";
import type { Sources } from "../facts/surroundings.ts";
import type { Door, DoorEntry, Listen, Listening } from "./door.ts";
import { MAX_PATH_BYTES, prepareFolder } from "./run.ts";

/**
 * The door of an entry whose agent is started by somebody else, such as a service manager: open while the entry is. A
 * unit door serves the processes of one service of the system manager, which start no other way.
 */
export class FixedDoor implements Door {
  readonly entry: DoorEntry;
  readonly path: string;
  readonly uid: number;
  readonly #unit: string | undefined;
  readonly #mode: number;
  readonly #sources: Sources;
  #listening: Listening | undefined;
  #ending: Promise<void> | undefined;

  constructor(entry: Entry, path: string, sources: Sources = {}) {
    this.entry = {
      id: entry.id,
      interpreterOptions: entry.interpreterOptions,
      ...(entry.manifest === undefined ? {} : { manifest: entry.manifest }),
    };
    this.path = path;
    this.uid = entry.uid;
    this.#unit = entry.unit;
    this.#sources = sources;
    this.#mode = Number.parseInt(entry.doorMode ?? "0600", 8);
  }

  /** A proxy that is not root cannot give the socket away: `admit` alone then judges who comes. */
  async open(listen: Listen): Promise<void> {
    try {
      this.#listening = await listen(this);
      const own = process.getuid?.();
      if (own === 0 && this.uid !== 0) await chown(this.path, this.uid, -1);
      await chmod(this.path, own === 0 || own === this.uid ? this.#mode : 0o666);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #check(peer: Peer): void {
    if (this.#ending !== undefined) throw new Refusal("peer_unexpected", "the door is closed");
    if (peer.uid !== this.uid)
      throw new Refusal("peer_unexpected", "the peer is of another user than the entry");
  }

  /** The kernel's word, which `stillTrue` asks for again. */
  #checkUnit({ unit }: Facts["proc"]): void {
    if (this.#unit !== undefined && unit !== this.#unit)
      throw new Refusal(
        "peer_unexpected",
        "the peer is not of the unit that the entry names",
        `Start it as its unit: systemctl start ${this.#unit}.`,
      );
  }

  async admit(peer: Peer): Promise<Facts> {
    this.#check(peer);
    const facts = await collectFacts(peer, this.entry, this.#sources);
    this.#check(peer); // measuring takes a while
    this.#checkUnit(facts.proc);
    return {
      ...facts,
      stillTrue: () => (this.#ending === undefined ? facts.stillTrue() : Promise.resolve(false)),
    };
  }

  close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    try {
      await this.#listening?.close();
    } finally {
      await rm(this.path, { force: true });
    }
  }
}

export interface FixedDoorsOptions {
  /** The proxy's runtime directory; the sockets lie in `door` below it, each by the name of its entry. */
  readonly dir: string;
  readonly listen: Listen;
  /** What ends with a door. */
  readonly onClosed: (door: FixedDoor) => void;
  /** Whom to ask about peers beside the kernel. */
  readonly sources?: Sources;
  readonly log: Log;
}

/** What a door is made of: another value is another door. */
const shapeOf = (entry: Entry): string =>
  JSON.stringify([entry.uid, entry.unit, entry.doorMode, entry.interpreterOptions, entry.manifest]);

/** The fixed and unit doors of this proxy: one for each entry that has one, as the server's state says. */
export class FixedDoors {
  readonly #folder: string;
  readonly #options: FixedDoorsOptions;
  readonly #doors: Map<string, { readonly door: FixedDoor; readonly shape: string }> = new Map();
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(folder: string, options: FixedDoorsOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Makes the folder and removes what a proxy before left there. @throws Refusal `configuration_invalid` */
  static async create(options: FixedDoorsOptions): Promise<FixedDoors> {
    const folder = join(options.dir, "door");
    await prepareFolder(folder);
    return new FixedDoors(folder, options);
  }

  get doors(): readonly FixedDoor[] {
    return [...this.#doors.values()].map(({ door }) => door);
  }

  /** Opens and closes doors until they are those of these entries; one call after another. */
  follow(entries: readonly Entry[]): Promise<void> {
    const next = async (): Promise<void> => {
      await this.#follow(this.#isClosed ? [] : entries); // a state may come while the proxy ends
    };
    this.#work = this.#work.then(next, next);
    return this.#work;
  }

  /** Closes all doors, for good. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.follow([]);
  }

  async #follow(entries: readonly Entry[]): Promise<void> {
    const wanted = new Map(
      entries.filter(({ door }) => door !== "run").map((entry) => [entry.id, entry]),
    );
    for (const [id, { door, shape }] of [...this.#doors]) {
      const entry = wanted.get(id);
      if (entry !== undefined && shapeOf(entry) === shape) continue;
      this.#doors.delete(id);
      this.#options.onClosed(door);
      await door.close().catch(() => undefined); // the socket is gone either way
      this.#options.log.info("door.closed", { entry: id });
    }
    for (const [id, entry] of wanted) if (!this.#doors.has(id)) await this.#open(entry);
  }

  /** One door that cannot be opened keeps no other shut; the next state tries again. */
  async #open(entry: Entry): Promise<void> {
    const { listen, log } = this.#options;
    const name = parseName(entry.id);
    const path = join(this.#folder, `${name.kind === "entry" ? name.name : ""}.sock`);
    try {
      if (name.kind !== "entry" || Buffer.byteLength(path) > MAX_PATH_BYTES)
        throw new Refusal("configuration_invalid", `${path} is too long a path for a socket`);
      const door = new FixedDoor(entry, path, this.#options.sources);
      await door.open(listen);
      this.#doors.set(entry.id, { door, shape: shapeOf(entry) });
      log.info("door.opened", { entry: entry.id, uid: entry.uid, path });
    } catch (error) {
      log.error("door.failed", { entry: entry.id, error });
    }
  }
}
