import { parseName, Refusal } from "@countersign/core";
import type { Digest, Entry, ProxyState } from "@countersign/core";
import type { Door } from "../doors/door.ts";
import type { Peer } from "../facts/peer.ts";
import type { Facts } from "../facts/process.ts";
import type { ProxyWorld } from "../world.ts";
import { endMissing } from "./approval.ts";
import { SeenKeys } from "./own-key.ts";
import { programOf } from "./request.ts";
import { Session } from "./session.ts";
import type { SessionEvent } from "./session.ts";
import { stopOf } from "./stops.ts";

const MAX_PROGRAMS_PER_DOOR = 8;

/** Hears what happens at one door. */
export type DoorListener = (event: SessionEvent) => void;

/** All sessions of this proxy, by door and program; the only place that makes or ends them. */
export class Agents {
  readonly #world: ProxyWorld;
  readonly #sessions: Map<Door, Map<string, Session>> = new Map();
  readonly #listeners: Map<Door, Set<DoorListener>> = new Map();
  readonly #lastEvidence: Map<string, { readonly evidence: string; readonly jti: string }> =
    new Map();
  readonly #keys: SeenKeys = new SeenKeys();
  #standing: Map<string, ReadonlySet<Digest>> = new Map();

  constructor(world: ProxyWorld) {
    this.#world = world;
  }

  /** The entry as the server has it now. @throws Refusal `unreachable`, `entry_unknown` */
  entry(idOrName: string): Entry {
    const { state, isConnected } = this.#world.server();
    if (state === undefined) throw new Refusal("unreachable", "the server was not heard yet");
    const found = state.entries.find((entry) => {
      const name = parseName(entry.id);
      return entry.id === idOrName || (name.kind === "entry" && name.name === idOrName);
    });
    if (found !== undefined) return found;
    // it may have been registered since the server was heard last
    if (!isConnected)
      throw new Refusal("unreachable", "no such entry was known when the server was heard last");
    throw new Refusal("entry_unknown");
  }

  /** The session of the program that asks; a new program gets its own. @throws Refusal `rate_limited` */
  session(door: Door, peer: Peer, facts: Facts, note?: string): Session {
    const programs = this.#sessions.get(door) ?? new Map<string, Session>();
    this.#sessions.set(door, programs);
    const program = programOf(facts);
    const known = programs.get(program);
    if (known !== undefined) {
      known.adopt(peer, note);
      return known;
    }
    if (programs.size >= MAX_PROGRAMS_PER_DOOR)
      throw new Refusal("rate_limited", "too many programs at this door");
    const made = new Session(this.#world, {
      door,
      program,
      peer,
      entryNow: () => this.entry(door.entry.id),
      emit: (session, event) => this.#emit(session, event),
      keys: this.#keys,
    });
    if (note !== undefined) made.adopt(peer, note);
    programs.set(program, made);
    return made;
  }

  /** The session of this very program, if there is one. */
  existing(door: Door, facts: Facts): Session | undefined {
    return this.#sessions.get(door)?.get(programOf(facts));
  }

  /** Whether a stop covers this door, for programs that have no session: the proxy may have been started anew. */
  isStopped(door: Door): boolean {
    const { state } = this.#world.server();
    if (state === undefined) return false;
    const { id, owner, parties } = this.entry(door.entry.id);
    const proxy = this.#world.identity().id;
    return stopOf(state, { entry: id, owner, owners: parties?.owners, proxy }) !== undefined;
  }

  sessionsOf(door: Door): readonly Session[] {
    return [...(this.#sessions.get(door)?.values() ?? [])];
  }

  /** The sessions of an entry, at whichever door. */
  sessionsAt(entry: string): readonly Session[] {
    return [...this.#sessions].flatMap(([door, programs]) =>
      door.entry.id === entry ? [...programs.values()] : [],
    );
  }

  listen(door: Door, listener: DoorListener): () => void {
    const listeners = this.#listeners.get(door) ?? new Set<DoorListener>();
    this.#listeners.set(door, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Evidence of the last issue of an entry, for auditors. */
  lastEvidence(entry: string): { readonly evidence: string; readonly jti: string } | undefined {
    return this.#lastEvidence.get(entry);
  }

  /** The whole state came: stops end sessions, approvals wake those that wait. */
  async onState(state: ProxyState): Promise<void> {
    const sessions = [...this.#sessions.values()].flatMap((programs) => [...programs.values()]);
    const endorsed = sessions.flatMap(({ door, statements }) =>
      statements.map((cs) => ({ entry: door.entry.id, cs })),
    );
    for (const session of sessions) session.onState(state); // drops what is ended
    await this.#endReplaced(state, endorsed);
  }

  /** A door closed: its sessions end and their keys are gone. */
  closeDoor(door: Door): void {
    for (const session of this.#sessions.get(door)?.values() ?? []) session.close();
    this.#sessions.delete(door);
    this.#listeners.delete(door);
  }

  close(): void {
    for (const door of [...this.#sessions.keys()]) this.closeDoor(door);
  }

  #emit(session: Session, event: SessionEvent): void {
    const { held } = session;
    if (event.event === "credential" && held !== undefined)
      this.#lastEvidence.set(session.door.entry.id, { evidence: held.evidence, jti: held.jti });
    this.#world.log.info(`agent.${event.event}`, { entry: session.door.entry.id, ...event });
    for (const listener of this.#listeners.get(session.door) ?? []) listener(event);
  }

  /** Looks at an entry's memory only when its standing approvals changed: it is a file. */
  async #endReplaced(
    state: ProxyState,
    endorsed: readonly { readonly entry: string; readonly cs: Digest }[],
  ): Promise<void> {
    const now = new Map(
      state.entries.map((entry) => [
        entry.id,
        new Set(
          state.approvals
            .filter((item) => item.agent.startsWith(`${entry.id}/`))
            .map((item) => item.cs),
        ),
      ]),
    );
    for (const [entry, standing] of now) {
      const before = this.#standing.get(entry);
      if (before?.size === standing.size && [...standing].every((cs) => before.has(cs))) continue;
      const ofEntry = endorsed.flatMap((item) => (item.entry === entry ? [item.cs] : []));
      await endMissing(this.#world, entry, standing, ofEntry);
    }
    this.#standing = now;
  }
}
