import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where a listener is, and how its connection opens. */
export type Dial =
  | { readonly unix: string }
  | {
      readonly url: URL;
      readonly cert?: string;
      readonly key?: string;
      /** Address of this machine that is called from, without TLS; default: any. */
      readonly from?: string;
    };

/** What came back on one connection until it was closed, or until the answer was whole. */
export interface Reply {
  /** 0 when no HTTP came back. */
  readonly status: number;
  readonly type: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** `reason` of a problem document that is whole and agrees with its status; else what is wrong. */
  readonly word: string;
}

const DEADLINE_MS = 60_000;

function open(dial: Dial): Socket {
  if ("unix" in dial) return connect(dial.unix);
  const { hostname: host, port, protocol } = dial.url;
  if (protocol === "http:") {
    const { from } = dial;
    const local = from === undefined ? {} : { localAddress: from };
    return connect({ port: Number(port), host, ...local });
  }
  const { cert, key } = dial;
  const identity = cert === undefined || key === undefined ? {} : { cert, key };
  // whoever answers is only insulted
  return connectTls({ host, port: Number(port), rejectUnauthorized: false, ...identity });
}

function wordOf(status: number, type: string, body: Reply["body"]): string {
  if (status < 400) return String(status);
  const { reason, next, title, type: urn, ...rest } = body;
  if (type !== "application/problem+json") return `${status} as ${type || "nothing"}`;
  const isWhole = [reason, next, title].every((text) => typeof text === "string" && text !== "");
  if (!isWhole || urn !== `urn:countersign:refusal:${String(reason)}`) return "no whole problem";
  if (Object.keys(rest).join() !== "status" || rest["status"] !== status) return "two statuses";
  return String(reason);
}

function lengthOf(head: string): number | undefined {
  const length = /^content-length: *(\d+)$/im.exec(head)?.[1];
  return length === undefined ? undefined : Number(length);
}

/** The text of a body that came in chunks, as far as it came. */
function unchunked(text: string): string {
  let rest = text;
  let whole = "";
  for (;;) {
    const found = /^([0-9a-f]+)\r\n/i.exec(rest);
    const size = Number.parseInt(found?.[1] ?? "0", 16);
    if (found === null || size === 0) return whole;
    whole += rest.slice(found[0].length, found[0].length + size);
    rest = rest.slice(found[0].length + size + 2);
  }
}

function replyOf(got: string): Reply {
  const at = got.indexOf("\r\n\r\n");
  const head = at < 0 ? got : got.slice(0, at);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  const type = /^content-type: *(.+?) *$/im.exec(head)?.[1] ?? "";
  const rest = at < 0 ? "" : got.slice(at + 4);
  const text = /^transfer-encoding: *chunked$/im.test(head) ? unchunked(rest) : rest;
  let body: Reply["body"] = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) body = { ...parsed };
  } catch {
    // no JSON: the word says so
  }
  return { status, type, body, word: status === 0 ? "closed" : wordOf(status, type, body) };
}

/**
 * Sends these octets on a connection of its own and reads one answer.
 * @throws Error when neither answer nor end came in a minute
 */
export function exchange(dial: Dial, ...parts: readonly (string | Uint8Array)[]): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = open(dial);
    let got = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer: ${got.slice(0, 80)}`));
    }, DEADLINE_MS);
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(replyOf(got));
    };
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
      if (got.startsWith("HTTP/1.1 1")) got = got.slice(got.indexOf("\r\n\r\n") + 4); // what follows is the answer
      const at = got.indexOf("\r\n\r\n");
      const length = at < 0 ? undefined : lengthOf(got.slice(0, at));
      if (length !== undefined && got.length >= at + 4 + length) end();
      else if (at >= 0 && got.endsWith("\r\n0\r\n\r\n")) end();
    });
    socket.on("error", () => undefined); // `close` follows
    socket.on("close", end);
    for (const part of parts) socket.write(part);
  });
}

/** A request as octets; `headers` stand as they are given, one line each. */
export function requestOf(
  what: string,
  {
    headers = [],
    body = "",
    host = "localhost",
  }: { headers?: readonly string[]; body?: string | Uint8Array; host?: string } = {},
): readonly (string | Uint8Array)[] {
  const lines = [`${what} HTTP/1.1`, `host: ${host}`, ...headers];
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  if (length > 0) lines.push(`content-length: ${length}`);
  return [`${lines.join("\r\n")}\r\n\r\n`, ...(length === 0 ? [] : [body])];
}
