import { base64url, parseCertificate, Refusal } from "@countersign/core";
import type {
  RunFact,
  Bytes,
  Digest,
  ProxyState,
  Random,
  Seconds,
  Seen,
  Signer,
} from "@countersign/core";
import { nodeCrypto, silentLog } from "@countersign/node";
import type { Log, Timers } from "@countersign/node";
import type { Door } from "./doors/door.ts";
import type { Facts } from "./facts/process.ts";
import type { Peer } from "./facts/peer.ts";
import { Anchors } from "./keys/anchors.ts";
import type { Identity } from "./keys/identity.ts";
import type { Uplink } from "./uplink/server.ts";
import type { ProxyWorld, ServerView } from "./world.ts";

/** A digest that stands for a number. */
export const d = (n: number): Digest => `sha-256:${base64url(new Uint8Array(32).fill(n))}`;

/** A process that exists only here. */
export class StandIn implements Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number = 1001;
  readonly startTime: number = 1;
  #isHeld = true;

  constructor(pid = 4711, uid = 1001) {
    this.pid = pid;
    this.uid = uid;
  }

  isAlive(): boolean {
    return this.#isHeld;
  }

  keep(): Peer {
    return new StandIn(this.pid, this.uid);
  }

  close(): void {
    this.#isHeld = false;
  }
}

/** What is measured of a program whose script has the digest of this number. */
export function factsOf(script: number, stillTrue: () => boolean = () => true): Facts {
  return {
    proc: {
      pid: 4711,
      start: 1,
      uid: 1001,
      gid: 1001,
      groups: [],
      exe: { path: "/usr/bin/node", d: d(1), dev: "8:1", ino: 1 },
      args: [{ path: "/app/agent.mjs", d: d(script), basis: "argv" }],
      ptraced: false,
      parents: [],
      key: { store: "proxy", exportable: false },
    },
    stillTrue: () => Promise.resolve(stillTrue()),
  };
}

/** A door behind which each process runs the program that the test says. */
export class StandInDoor implements Door {
  readonly entry: Door["entry"];
  readonly path = "/run/countersign/run/x.sock";
  /** Script by pid; another process runs script 2. */
  readonly scripts: Map<number, number> = new Map();
  /** Whether the processes are still what they were when the answer leaves. */
  isStillTrue = true;
  /** The run whose door it is; default none. */
  run: RunFact | undefined;
  /** Whether somebody sits at a terminal of it. */
  hasTerminal = false;
  admitted = 0;

  constructor(entry: string) {
    this.entry = { id: entry, interpreterOptions: [] };
  }

  admit(peer: Peer): Promise<Facts> {
    this.admitted += 1;
    if (!peer.isAlive()) return Promise.reject(new Refusal("process_gone"));
    const facts = factsOf(this.scripts.get(peer.pid) ?? 2, () => this.isStillTrue);
    const { run, hasTerminal } = this;
    return Promise.resolve(run === undefined ? facts : { ...facts, run, hasTerminal });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The identity of a proxy whose key and certificate lie in memory. */
export function identityOf(id: string, signer: Signer, certificate: Bytes): Identity {
  return { id, signer, certificate: parseCertificate(certificate), cert: "", key: "", root: "" };
}

/** What a test gives of a proxy's world; the rest stands still. */
export interface WorldParts {
  /** Where the anchors lie; mode 0700. */
  readonly folder: string;
  readonly identity: Identity;
  readonly clock: () => Seconds;
  readonly timers: Timers;
  readonly random: Random;
  uplink(): Uplink;
  server(): ServerView;
  readonly log?: Log;
  /** Default: any time of the server's is right. */
  readonly adoptTime?: (serverNow: Seconds) => void;
}

export function makeWorld(parts: WorldParts): ProxyWorld {
  return {
    c: nodeCrypto,
    random: parts.random,
    clock: parts.clock,
    timers: parts.timers,
    log: parts.log ?? silentLog,
    anchors: new Anchors(parts.folder),
    version: "0.0.0",
    identity: () => parts.identity,
    useLink: (act) => act({ identity: parts.identity, uplink: parts.uplink() }),
    server: () => parts.server(),
    hostFacts: () => Promise.resolve({ os: { kernel: "6.1" } }),
    adoptTime: parts.adoptTime ?? (() => undefined),
  };
}

/** A server that was heard and says this. */
export function viewOf(state: ProxyState, now: Seconds, seen?: Seen): ServerView {
  return { state, isConnected: true, heardAt: now, seen, pages: undefined };
}
