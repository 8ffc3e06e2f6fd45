import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { parseJsonObject, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { problemIn } from "./problem.ts";

/** One call to the proxy. */
export interface DoorCall {
  readonly method: "GET" | "POST";
  /** Path and query, from `/` on. */
  readonly path: string;
  readonly json?: object;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface DoorAnswer {
  readonly status: number;
  readonly value: JsonObject;
}

/** A Unix socket that speaks HTTP: the agent's way to its proxy. */
export interface Door {
  /**
   * Nothing is retried here.
   * @throws Refusal the proxy's own; `unreachable` where nobody answers; whatever the signal was aborted with
   */
  readonly call: (call: DoorCall) => Promise<DoorAnswer>;
  /**
   * Opens the stream of events. Its connection does not keep the process alive.
   * @throws Refusal as `call`
   */
  readonly open: (path: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
}

const MAX_ANSWER_BYTES = 262_144;
const MAX_ANSWER_DEPTH = 16;

function unreachable(error: unknown, socketPath: string): Refusal {
  const code = error instanceof Error && "code" in error ? String(error.code) : "no answer";
  return new Refusal(
    "unreachable",
    `${socketPath}: ${code}`,
    "Check that the proxy runs, and start the program with countersign run --agent NAME -- COMMAND.",
  );
}

async function readAll(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of incoming) {
    const octets = chunk as Uint8Array; // no encoding is set, so each is a Buffer
    byteCount += octets.length;
    if (byteCount > MAX_ANSWER_BYTES) throw new Refusal("too_large", "answer of the proxy");
    chunks.push(octets);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** @throws Refusal that the answer holds, for any that is not a success */
async function readAnswer(incoming: IncomingMessage): Promise<DoorAnswer> {
  const status = incoming.statusCode ?? 0;
  const body = await readAll(incoming);
  if (status < 200 || status > 299)
    throw (
      problemIn(body, incoming.headers["content-type"]) ??
      new Refusal("unreachable", `the proxy answered ${status}`)
    );
  return {
    status,
    value: parseJsonObject(body, { maxBytes: MAX_ANSWER_BYTES, maxDepth: MAX_ANSWER_DEPTH }),
  };
}

function send(
  socketPath: string,
  call: Omit<DoorCall, "timeoutMs">,
  accept: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const body = call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json));
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      socketPath,
      host: "localhost",
      method: call.method,
      path: call.path,
      headers: {
        accept,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": body.length }),
      },
      // the proxy asks the kernel about every connection: none is kept for another call
      agent: false,
      signal,
    });
    outgoing.on("error", (error) => reject(error));
    outgoing.on("response", resolve);
    outgoing.end(body);
  });
}

/** The door at a socket. Opens nothing by itself. */
export function openDoor(socketPath: string): Door {
  return {
    call: async (call) => {
      const deadline = AbortSignal.timeout(call.timeoutMs);
      const signal =
        call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline]);
      try {
        return await readAnswer(await send(socketPath, call, "application/json", signal));
      } catch (error) {
        call.signal?.throwIfAborted();
        throw error instanceof Refusal ? error : unreachable(error, socketPath);
      }
    },
    open: async (path, signal) => {
      const accept = "text/event-stream";
      const incoming = await send(socketPath, { method: "GET", path }, accept, signal).catch(
        (error: unknown) => {
          throw unreachable(error, socketPath);
        },
      );
      incoming.socket.unref();
      if (incoming.statusCode === 200) return incoming as AsyncIterable<Uint8Array>; // no encoding is set
      await readAnswer(incoming);
      throw new Refusal("unreachable", "no stream of events");
    },
  };
}
