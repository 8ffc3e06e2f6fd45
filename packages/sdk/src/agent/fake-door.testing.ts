import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { problemOf, Refusal } from "@countersign/core";
import type { RefusalCode } from "@countersign/core";
import { evidenceOf, requestHeaders } from "../../../core/src/verify/request.testing.ts";
import type { Story } from "../../../core/src/verify/story.testing.ts";

/** What the door is asked. */
export interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
}

/** One answer in place of the true one. `hold` never answers; `cut` ends the connection in its place. */
export type Scripted =
  | { readonly status: number; readonly value: object }
  | { readonly refuse: RefusalCode; readonly next?: string }
  | { readonly octets: string; readonly status: number; readonly type: string }
  | "hold"
  | "cut";

/** A proxy's door that holds the credential of a story and proves with its key. */
export interface FakeDoor {
  readonly socket: string;
  readonly asked: Asked[];
  /** Answers to the next calls of a path, before the true ones. */
  readonly script: Map<string, Scripted[]>;
  /** Sends to everybody who follows the events. */
  readonly emit: (text: string) => void;
  /** Ends every stream of events. */
  readonly drop: () => void;
  /** Resolves when so many streams were opened since the door is there. */
  readonly followers: (count: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>; // the client under test writes objects
}

async function proofFor(story: Story, body: Record<string, unknown>): Promise<object> {
  const { aud, txn, headers, evidence } = body;
  const lines = await requestHeaders(story, String(aud), {
    evidence: evidence === true ? evidenceOf(story.bundle) : null,
    ...(typeof txn === "string" ? { txnToken: txn } : {}),
    context: (headers ?? {}) as Record<string, string>, // as above
  });
  const value = (name: string): string | undefined => lines.find(([field]) => field === name)?.[1];
  return {
    wit: value("Workload-Identity-Token"),
    wpt: value("Authorization")?.slice("WPT ".length),
    evidence: value("agent-owner-evidence"),
    expires_at: story.now + 30,
  };
}

export function credentialOf(story: Story): {
  id: string;
  wit: string;
  wic: string[];
  expires_at: number;
} {
  return { id: story.agent, wit: story.presented.wit, wic: ["PEM"], expires_at: story.now + 600 };
}

function send(response: ServerResponse, answer: Exclude<Scripted, string>): void {
  if ("octets" in answer) {
    response.writeHead(answer.status, { "content-type": answer.type }).end(answer.octets);
    return;
  }
  if ("refuse" in answer) {
    const problem = problemOf(new Refusal(answer.refuse, undefined, answer.next));
    response
      .writeHead(problem.status, { "content-type": "application/problem+json" })
      .end(JSON.stringify(problem));
    return;
  }
  response
    .writeHead(answer.status, { "content-type": "application/json" })
    .end(JSON.stringify(answer.value));
}

async function trueAnswer(
  story: Story,
  path: string,
  body: Record<string, unknown>,
): Promise<object> {
  if (path === "/v1/credential") return credentialOf(story);
  if (path === "/v1/proof") return proofFor(story, body);
  return { entry: "spiffe://example.org/agent/mailer", state: "held", agent: story.agent };
}

export async function openFakeDoor(story: Story): Promise<FakeDoor> {
  const folder = mkdtempSync(join(tmpdir(), "countersign-sdk-"));
  const socket = join(folder, "door.sock");
  const asked: Asked[] = [];
  const script = new Map<string, Scripted[]>();
  const streams = new Set<ServerResponse>();
  let opened = 0;
  const waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  const follow = (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n");
    streams.add(response);
    opened += 1;
    for (const { count, resolve } of waiters) if (opened >= count) resolve();
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = request.url ?? "";
    const path = target.replace(/\?.*/, "");
    const body = await bodyOf(request);
    if (path === "/v1/events") {
      follow(response);
      return;
    }
    asked.push({ path: target, body });
    const next = script.get(path)?.shift();
    if (next === "hold") return;
    if (next === "cut") {
      response.destroy();
      return;
    }
    send(response, next ?? { status: 200, value: await trueAnswer(story, path, body) });
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    asked,
    script,
    emit: (text) => {
      for (const stream of streams) stream.write(text);
    },
    drop: () => {
      for (const stream of streams) stream.end();
      streams.clear();
    },
    followers: (count) =>
      new Promise((resolve) => {
        if (opened >= count) resolve();
        else waiters.push({ count, resolve });
      }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}
