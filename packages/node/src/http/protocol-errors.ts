import type { Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { problemOf, Refusal } from "@countersign/core";
import type { Problem } from "@countersign/core";

/** How long a caller may go on sending after we have refused, so that it can read the answer. */
const LINGER_MS = 500;
const IN_TIME = "Send the whole request without pause: its headers in 10 s, its body in 30 s.";

/** What the parser of HTTP could not make a request of, or undefined where it was no fault of HTTP. */
function problemFor(code: string | undefined): Problem | undefined {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { ...problemOf(new Refusal("malformed_request", "late", IN_TIME)), status: 408 };
    case "HPE_HEADER_OVERFLOW":
      return { ...problemOf(new Refusal("too_large")), status: 431 };
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return problemOf(new Refusal("too_large"));
    default:
      return code?.startsWith("HPE_") === true
        ? problemOf(new Refusal("malformed_request"))
        : undefined;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Payload Too Large",
  431: "Request Header Fields Too Large",
};

function octetsOf(problem: Problem): string {
  const body = JSON.stringify(problem); // words of the table: ASCII
  return [
    `HTTP/1.1 ${problem.status} ${REASONS[problem.status] ?? "Refused"}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "cache-control: no-store",
    "connection: close",
    "",
    body,
  ].join("\r\n");
}

/** Answers and closes. What the caller sends meanwhile is read away: unread octets would make the kernel reset. */
function refuse(socket: Duplex, problem: Problem): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
  socket.on("error", () => undefined); // `close` follows
  socket.end(octetsOf(problem));
  socket.resume();
}

/**
 * Gives a problem document to what never becomes a request: octets that are no HTTP, too many headers, a request that
 * does not end in time, a tunnel. Node answers these by itself, with nothing but a status.
 * @param answerOn the newest answer on a connection, if there was any
 */
export function refuseProtocolErrors(
  server: Server,
  answerOn: (socket: Duplex) => ServerResponse | undefined,
): void {
  const refused = new WeakSet<Duplex>();
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (refused.has(socket)) return; // the parser says it again with every further octet
    refused.add(socket);
    const problem = problemFor(error.code);
    const answer = answerOn(socket);
    // an answer that has begun would swallow ours; a handshake that failed has no HTTP to speak
    const isBetween = answer === undefined || answer.writableEnded || !answer.headersSent;
    if (problem === undefined || !socket.writable || !isBetween) socket.destroy();
    else refuse(socket, problem);
  });
  server.on("connect", (_incoming, socket) => {
    refuse(socket, problemOf(new Refusal("method_not_allowed")));
  });
}
