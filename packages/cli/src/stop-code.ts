import { createInterface } from "node:readline/promises";
import { readStopCode, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { callJson, openTarget } from "@countersign/node";
import { findSocket } from "./sockets.ts";
import type { Cli } from "./terminal.ts";

const MAX_TYPED = 256;

/** The first line of standard input. */
async function lineFrom(cli: Cli): Promise<string> {
  let text = "";
  for await (const chunk of cli.stdin) {
    text += String(chunk);
    if (text.includes("\n") || text.length > MAX_TYPED) break;
  }
  return text.split("\n")[0]?.slice(0, MAX_TYPED) ?? "";
}

async function typed(cli: Cli): Promise<string> {
  if (!cli.isTerminal) return lineFrom(cli);
  const prompt = createInterface({ input: cli.stdin, output: cli.stderr });
  try {
    return await prompt.question("One of the newest printed codes > ");
  } finally {
    prompt.close();
  }
}

/**
 * A printed code, from the terminal or the first line of standard input: never from an argument, which others can read.
 * @throws Refusal `stop_code_invalid` for what cannot be one
 */
async function askCode(cli: Cli): Promise<string> {
  const code = readStopCode((await typed(cli)).trim());
  if (code !== undefined) return code;
  throw new Refusal(
    "stop_code_invalid",
    "four groups of four characters are expected",
    "Type one of the codes that countersign owner stop-codes has printed, or give it on standard input.",
  );
}

/** What a code is used for, as it is posted. */
export type CodeUse =
  | { readonly do: "stop" }
  | { readonly do: "remove_key"; readonly jkt: string }
  | { readonly do: "cancel_recovery" };

/**
 * Asks for a code and uses it: over the admin socket of this machine, or at the public address of a server elsewhere.
 * @throws Refusal `stop_code_invalid`, `not_found`, `rate_limited`, `unreachable`
 */
export async function useCode(
  cli: Cli,
  use: CodeUse,
  server: string | undefined,
): Promise<JsonObject> {
  const target =
    server === undefined ? localTarget(cli) : openTarget({ url: server, ca: "system" });
  const path = server === undefined ? "/v1/owner/stop-codes/use" : "/v1/stop-codes/use";
  try {
    const json = { code: await askCode(cli), ...use };
    return (await callJson(target, { method: "POST", path, json })).value;
  } finally {
    target.close();
  }
}

function localTarget(cli: Cli): ReturnType<typeof openTarget> {
  try {
    return openTarget({ unix: findSocket(cli, "server.sock") });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(
      "unreachable",
      "no server on this machine",
      "Name the server's public address: --server https://id.example.org",
    );
  }
}
