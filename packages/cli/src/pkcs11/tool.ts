import { spawn } from "node:child_process";
import type { ChildProcess, StdioOptions } from "node:child_process";
import { Refusal } from "@countersign/core";
import { shellLine } from "../sign-lines.ts";

/** OpenSC's command line for PKCS#11 modules. The module is loaded by that process, never by ours. */
export const TOOL = "pkcs11-tool";

/** Longest wait where nobody is asked for anything. */
export const LIST_TIMEOUT_MS = 30_000;
/** Longest wait for a signature: a person types a PIN, or touches the token. */
export const SIGN_TIMEOUT_MS = 120_000;
const MAX_OUTPUT_BYTES = 1_048_576;

/** Where a PIN comes from: nowhere; typed at the terminal that the tool shares with us; or handed to the tool by a pipe. */
export type PinWay =
  | { readonly from: "nowhere" }
  | { readonly from: "terminal" }
  | { readonly from: "pipe"; readonly pin: Uint8Array };

export interface ToolRun {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly pin: PinWay;
}

/** What the tool has said, with its exit code. */
export interface ToolAnswer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly stdio: StdioOptions;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * How the tool is started. It asks for a PIN only where its standard output is a terminal, and reads it from standard
 * input. With a person, its questions go to our standard error, which is a terminal: our output stays the command's
 * result. Without one, `script` makes a terminal for its output, and the PIN comes by a pipe that nobody else holds.
 */
function launchOf({ args, env, pin }: ToolRun): Launch {
  const plain = { ...env, LC_ALL: "C" };
  if (pin.from === "nowhere")
    return { file: TOOL, args, stdio: ["ignore", "pipe", "pipe"], env: plain };
  if (pin.from === "terminal")
    return { file: TOOL, args, stdio: ["inherit", 2, "pipe"], env: plain };
  return {
    file: "script",
    args: ["-qec", `exec ${shellLine(TOOL, ...args)} <&3 3<&-`, "/dev/null"],
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...plain, SHELL: "/bin/sh" },
  };
}

function missing(file: string): Refusal {
  const install =
    file === TOOL
      ? "Install OpenSC: apt install opensc, dnf install opensc, or brew install opensc."
      : "Install util-linux, which has it, or run this in a terminal.";
  return new Refusal("not_found", `${file} is not installed`, install);
}

/**
 * Runs the tool to its end.
 * @throws Refusal `not_found` where it is not installed; `token_refused` when it does not end in time: it is ended then
 */
export function runTool(run: ToolRun): Promise<ToolAnswer> {
  const { file, args, stdio, env } = launchOf(run);
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], { stdio, env });
    const texts = { out: "", err: "" };
    const heeded = heedInterrupts(run);
    const timer = setTimeout(() => {
      letGo(child);
      heeded();
      reject(late(run));
    }, run.timeoutMs);
    for (const name of ["out", "err"] as const)
      child[name === "out" ? "stdout" : "stderr"]
        ?.setEncoding("utf8")
        .on("data", (text: string) => {
          if (texts[name].length < MAX_OUTPUT_BYTES) texts[name] += text;
        });
    if (run.pin.from === "pipe") handOver(child.stdio[3], run.pin.pin);
    child.on("error", (error) => {
      clearTimeout(timer);
      heeded();
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      reject(isMissing ? missing(file) : new Refusal("token_refused", `${file}: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      heeded();
      if (signal === null) resolve({ code: code ?? 1, ...texts });
      else reject(new Refusal("token_refused", "it was interrupted", "Nothing was signed."));
    });
  });
}

/** Ends it, and waits no longer: a driver may hold it where no signal reaches it. */
function letGo(child: ChildProcess): void {
  child.kill("SIGKILL");
  for (const stream of child.stdio) stream?.destroy();
  child.unref();
}

/**
 * At a terminal an interrupt ends the tool, and reaches us too: we stay, to clear away and say so. The tool hides what is
 * typed while it asks, and cannot undo that then: the platform does, when we end.
 */
function heedInterrupts({ pin }: ToolRun): () => void {
  if (pin.from !== "terminal") return () => undefined;
  const stay = (): void => undefined;
  process.on("SIGINT", stay);
  return () => void process.off("SIGINT", stay);
}

function late({ timeoutMs }: ToolRun): Refusal {
  return new Refusal(
    "token_refused",
    `the token did not answer within ${timeoutMs / 1000} s`,
    "Nothing was signed. Take the token out and put it in again, then run the command again.",
  );
}

/** A PIN for the login and, where the key asks for it at each use, for that; the tool ends at the first one that is wrong. */
function handOver(pipe: unknown, pin: Uint8Array): void {
  const writable = pipe as NodeJS.WritableStream; // made above as a pipe
  writable.on("error", () => undefined); // the tool ended before it asked
  const lines = Buffer.concat([pin, Buffer.from("\n"), pin, Buffer.from("\n")]);
  writable.end(lines, () => lines.fill(0));
}
