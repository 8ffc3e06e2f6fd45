import { join } from "node:path";
import {
  base64url,
  cosign,
  fromUtf8,
  judgeSubmission,
  openSubmission,
  parseAddCheckpoint,
  parseNote,
  parseVkey,
  readTreeHead,
  Refusal,
  TLOG_SIZE_TYPE,
  utf8,
} from "@countersign/core";
import type { AddCheckpoint, Checkpoint, Crypto, Signer, TreeHead } from "@countersign/core";
import { application, readPrivateFile, writePrivateFile } from "@countersign/node";
import type { Clock, Handler, Log } from "@countersign/node";

/**
 * What a witness remembers of each log: the newest checkpoint that it has cosigned. `write` replaces it wholly or not
 * at all and is durable when it resolves. One process at a time; nobody retries here.
 */
export interface WitnessState {
  read(origin: string): Promise<string | undefined>;
  write(origin: string, checkpoint: string): Promise<void>;
}

/** One file a log, mode 0600. */
export function witnessFiles(c: Crypto, folder: string): WitnessState {
  const path = (origin: string): string =>
    join(folder, `${base64url(c.sha256(utf8(origin)))}.checkpoint`);
  return {
    read: async (origin) => {
      const octets = await readPrivateFile(path(origin));
      return octets === undefined ? undefined : fromUtf8(octets);
    },
    write: (origin, checkpoint) => writePrivateFile(path(origin), checkpoint),
  };
}

export interface WitnessOptions {
  readonly c: Crypto;
  /** Name of the witness's key. */
  readonly name: string;
  /** Ed25519; signs cosignatures and nothing else. */
  readonly signer: Signer;
  /** Verifier keys by origin. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
  readonly state: WitnessState;
  readonly clock: Clock;
  readonly log: Log;
}

/** The logs that these verifier keys are of. @throws Refusal `checkpoint_invalid` */
export function logsOf(
  c: Crypto,
  vkeys: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const logs = new Map<string, readonly string[]>();
  for (const vkey of vkeys) {
    const { name } = parseVkey(c, vkey);
    logs.set(name, [...(logs.get(name) ?? []), vkey]);
  }
  return logs;
}

/** Runs what concerns one log one after the other: asking, deciding and remembering are one step. */
class Turns {
  readonly #last: Map<string, Promise<unknown>> = new Map();

  take<T>(name: string, run: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(name) ?? Promise.resolve()).then(run, run);
    this.#last.set(name, turn);
    return turn;
  }
}

function words(status: number, text: string, type = "text/plain; charset=utf-8"): Response {
  const headers = { "content-type": type, "cache-control": "no-store" };
  return new Response(text, { status, headers });
}

/**
 * What was cosigned last. A file that cannot be read is not taken for none: the log could then start over.
 * @throws Refusal `indeterminate`
 */
async function latestOf(state: WitnessState, origin: string): Promise<TreeHead | undefined> {
  const text = await state.read(origin);
  if (text === undefined) return undefined;
  const head = readTreeHead(parseNote(text).text);
  if (head.origin !== origin) throw new Refusal("indeterminate", "the state is of another log");
  return head;
}

/** Decides, remembers, signs: in this order, so that a witness that dies has never signed what it does not know. */
async function admit(
  o: WitnessOptions,
  request: AddCheckpoint,
  checkpoint: Checkpoint,
): Promise<Response> {
  const { origin, size } = checkpoint;
  const ruling = judgeSubmission(o.c, request, checkpoint, await latestOf(o.state, origin));
  if (ruling.do === "conflict") {
    o.log.warn("witness.conflict", { origin, old: request.oldSize, size, known: ruling.size });
    return words(409, `${ruling.size}\n`, TLOG_SIZE_TYPE);
  }
  if (ruling.do === "refuse") {
    // signed by the log and not consistent: it may be proof of what the log did
    o.log.error("witness.inconsistent", { origin, size, checkpoint: request.checkpoint });
    return words(ruling.status, `${ruling.why}\n`);
  }
  await o.state.write(origin, request.checkpoint);
  const line = await cosign(o.c, request.checkpoint, o.name, o.clock(), o.signer);
  o.log.info("witness.cosigned", { origin, size });
  return words(200, line);
}

async function requestOf(request: Request): Promise<AddCheckpoint | undefined> {
  try {
    return parseAddCheckpoint(fromUtf8(new Uint8Array(await request.arrayBuffer())));
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** A witness (C2SP tlog-witness): cosigns what its logs show to be consistent with all that they showed before. */
export function witnessApp(o: WitnessOptions): Handler<object> {
  const turns = new Turns();
  return application(
    {
      "POST /add-checkpoint": async (request) => {
        const asked = await requestOf(request);
        if (asked === undefined) return words(400, "no request to add a checkpoint\n");
        const opened = await openSubmission(o.c, asked, o.logs);
        if (opened.do === "refuse") return words(opened.status, `${opened.why}\n`);
        const { checkpoint } = opened;
        return turns.take(checkpoint.origin, () => admit(o, asked, checkpoint));
      },
    },
    o.log,
  );
}
