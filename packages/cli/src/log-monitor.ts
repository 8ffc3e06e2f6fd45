import {
  equalBytes,
  fromUtf8,
  hex,
  openCheckpoint,
  parseNote,
  parseVkey,
  readTreeHead,
  Refusal,
  tiledTree,
  utf8,
  verifyConsistency,
} from "@countersign/core";
import type { Checkpoint, Crypto } from "@countersign/core";
import { createPrivateFile, pause, readPrivateFile, writePrivateFile } from "@countersign/node";
import type { Timers } from "@countersign/node";
import type { LogClient } from "./log-client.ts";

/** What a log must never do. */
export type Alarm = "fork" | "shrinkage" | "unproved" | "another key" | "another log";

const WORDS: Readonly<Record<Alarm, string>> = {
  fork: "two checkpoints of one size have different roots: the log shows others another history",
  shrinkage: "the log is smaller than it was: entries were taken away, or an old copy was put back",
  unproved: "the log does not show that it only appended to what was seen before",
  "another key": "the checkpoint is not signed by the key of this log",
  "another log": "the checkpoint is of another log than the one that is followed",
};

/** What one look at a log found. */
export type Look =
  | { readonly is: "first" | "same" | "grown"; readonly checkpoint: Checkpoint }
  | {
      readonly is: "alarm";
      readonly alarm: Alarm;
      /** What it means, in words. */
      readonly why: string;
      /** The checkpoint that was served. */
      readonly found: string;
      /** The one that was seen before. */
      readonly known?: string;
    };

function alarmOf(alarm: Alarm, found: string, known: Checkpoint | undefined): Look {
  const seen = known === undefined ? {} : { known: known.text };
  return { is: "alarm", alarm, why: WORDS[alarm], found, ...seen };
}

/** Whether the tiles lead from what is known to what was found. @throws Refusal `unreachable` */
async function isContinued(
  c: Crypto,
  client: LogClient,
  known: Checkpoint | undefined,
  found: Checkpoint,
): Promise<boolean> {
  const tree = tiledTree(c, found.size, (tile) => client.tile(tile));
  try {
    if (known === undefined) return equalBytes(await tree.root(), found.root);
    verifyConsistency(c, {
      from: known.size,
      to: found.size,
      fromRoot: known.root,
      toRoot: found.root,
      proof: await tree.consistencyProof(known.size),
    });
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.code === "log_proof_invalid") return false;
    throw error;
  }
}

/**
 * Looks at a log once and judges what it shows against what it showed before.
 * @throws Refusal `unreachable` where no checkpoint, or not every tile, is served: that alone is no misdeed
 */
export async function lookAt(
  c: Crypto,
  client: LogClient,
  vkey: string,
  known: Checkpoint | undefined,
): Promise<Look> {
  const text = await client.checkpoint();
  let origin: string;
  try {
    origin = readTreeHead(parseNote(text).text).origin;
  } catch {
    throw new Refusal("unreachable", "what is served there is no checkpoint");
  }
  if (origin !== parseVkey(c, vkey).name) return alarmOf("another log", text, known);
  let found: Checkpoint;
  try {
    found = await openCheckpoint(c, text, vkey);
  } catch {
    return alarmOf("another key", text, known);
  }
  if (known !== undefined && found.size < known.size) return alarmOf("shrinkage", text, known);
  if (known?.size === found.size)
    return equalBytes(known.root, found.root)
      ? { is: "same", checkpoint: found }
      : alarmOf("fork", text, known);
  if (!(await isContinued(c, client, known, found))) return alarmOf("unproved", text, known);
  return { is: known === undefined ? "first" : "grown", checkpoint: found };
}

/** The newest checkpoint that was found to be true, in a private file. */
export interface MonitorState {
  read(): Promise<string | undefined>;
  write(checkpoint: string): Promise<void>;
  /** Keeps both checkpoints of an alarm side by side, never over others. @returns the paths */
  keep(found: string, known: string | undefined): Promise<readonly string[]>;
}

export function monitorState(c: Crypto, path: string): MonitorState {
  return {
    read: async () => {
      const octets = await readPrivateFile(path);
      return octets === undefined ? undefined : fromUtf8(octets);
    },
    write: (checkpoint) => writePrivateFile(path, checkpoint),
    keep: async (found, known) => {
      const base = `${path}.alarm-${hex(c.sha256(utf8(found))).slice(0, 8)}`;
      const files: (readonly [path: string, text: string])[] = [[`${base}.found`, found]];
      if (known !== undefined) files.unshift([`${base}.known`, known]);
      for (const [name, text] of files) await createPrivateFile(name, text);
      return files.map(([name]) => name);
    },
  };
}

export interface MonitorOptions {
  readonly c: Crypto;
  readonly client: LogClient;
  readonly vkey: string;
  readonly state: MonitorState;
  readonly timers: Timers;
  readonly intervalMs: number;
  /** Looks once, and throws where it cannot. */
  readonly isOnce: boolean;
  /** Told of every look but those that found nothing new. */
  readonly told: (look: Look) => void;
  /** Told when a look failed; it is repeated after the interval. */
  readonly failed: (refusal: Refusal) => void;
  readonly signal?: AbortSignal;
}

/** What the monitor ended with. */
export interface Monitored {
  readonly look?: Look;
  /** Where the checkpoints of an alarm are kept. */
  readonly kept: readonly string[];
}

async function knownOf({ c, state, vkey }: MonitorOptions): Promise<Checkpoint | undefined> {
  const text = await state.read();
  if (text === undefined) return undefined;
  try {
    return await openCheckpoint(c, text, vkey);
  } catch {
    throw new Refusal(
      "configuration_invalid",
      "the state is of another log or key",
      "If that log was replaced on purpose, follow the new one with another --state FILE.",
    );
  }
}

async function step(options: MonitorOptions): Promise<Monitored> {
  const { c, client, vkey, state } = options;
  const look = await lookAt(c, client, vkey, await knownOf(options));
  if (look.is === "alarm") return { look, kept: await state.keep(look.found, look.known) };
  if (look.is !== "same") await state.write(look.checkpoint.text); // before anybody hears of it
  return { look, kept: [] };
}

/**
 * Follows a log until it does what a log must never do, or the signal. What was seen outlives the process.
 * @throws Refusal `configuration_invalid`, `private_mode`; with `isOnce` also what a look throws
 */
export async function monitorLog(options: MonitorOptions): Promise<Monitored> {
  const { timers, intervalMs, isOnce, told, failed, signal } = options;
  parseVkey(options.c, options.vkey);
  for (;;) {
    try {
      const done = await step(options);
      if (done.look !== undefined && done.look.is !== "same") told(done.look);
      if (isOnce || done.look?.is === "alarm") return done;
    } catch (error) {
      const isTemporary = error instanceof Refusal && error.code === "unreachable";
      if (isOnce || !isTemporary) throw error;
      failed(error);
    }
    await pause(timers, intervalMs, signal);
    if (signal?.aborted === true) return { kept: [] };
  }
}
