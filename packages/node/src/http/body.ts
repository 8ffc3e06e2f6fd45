import type { IncomingMessage, ServerResponse } from "node:http";
import { problemOf, Refusal } from "@countersign/core";
import type { RefusalCode } from "@countersign/core";

/** How long, and how much, a caller may go on sending after we have refused, so that it can read the answer. */
const LINGER_MS = 500;
const LINGER_BYTES = 1_048_576;

/** Whether a body may be as long as its header says. */
export function isWithin(incoming: IncomingMessage, maxBytes: number): boolean {
  return Number(incoming.headers["content-length"] ?? 0) <= maxBytes;
}

/**
 * Reads a whole body.
 * @returns the octets, or what is wrong: over `maxBytes`, or the caller went away
 */
export function readBody(
  incoming: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | "too_large" | "gone"> {
  if (!isWithin(incoming, maxBytes)) return Promise.resolve("too_large");
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let byteCount = 0;
    const end = (result: Buffer | "too_large" | "gone"): void => {
      incoming.off("data", take);
      incoming.off("end", whole);
      incoming.off("close", gone);
      resolve(result);
    };
    const take = (chunk: Buffer): void => {
      byteCount += chunk.length;
      if (byteCount > maxBytes) {
        incoming.pause();
        end("too_large");
      } else chunks.push(chunk);
    };
    const whole = (): void => end(Buffer.concat(chunks));
    const gone = (): void => end("gone");
    incoming.on("data", take);
    incoming.on("end", whole);
    incoming.on("close", gone);
    incoming.on("error", () => undefined); // `close` follows
  });
}

/**
 * Refuses a request whose body we will not read, and closes. The answer is complete on the wire before the rest of
 * the body has come: closing at once would make the kernel reset the connection and the caller lose the answer.
 */
export function refuseUnread(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  code: RefusalCode,
): void {
  const problem = problemOf(new Refusal(code));
  const body = JSON.stringify(problem);
  outgoing.writeHead(problem.status, {
    "content-type": "application/problem+json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  outgoing.write(body);
  let byteCount = 0;
  const end = (): void => {
    clearTimeout(timer);
    incoming.off("data", count);
    outgoing.end();
  };
  const count = (chunk: Buffer): void => {
    byteCount += chunk.length;
    if (byteCount > LINGER_BYTES) end();
  };
  const timer = setTimeout(end, LINGER_MS);
  incoming.on("data", count);
  incoming.once("end", end);
  incoming.once("close", end);
  incoming.on("error", () => undefined); // `close` follows
  incoming.resume();
}
