import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
/** Of a command that ends by itself; a daemon runs for as long as its story takes. */
const TIMEOUT_MS = 30_000;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** The environment of a person who has nothing running: no data of a real one is ever touched. */
function environment(home: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: home, XDG_STATE_HOME: join(home, "state"), ...more };
}

/** A folder of its own that is gone afterwards, and the built command line with that folder as home. */
export class Sandbox {
  readonly home: string = mkdtempSync(join(tmpdir(), "countersign-cli-"));

  path(...parts: readonly string[]): string {
    return join(this.home, ...parts);
  }

  /** Starts the built command line; the caller ends it. */
  start(
    args: readonly string[],
    options: RunOptions & { readonly timeoutMs?: number } = {},
  ): ReturnType<typeof spawn> {
    return spawn(process.execPath, [MAIN, ...args], {
      env: environment(this.home, options.env),
      cwd: this.home,
      timeout: options.timeoutMs,
    });
  }

  /** Runs the built command line to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = this.start(args, { ...options, timeoutMs: TIMEOUT_MS });
    const output = { stdout: "", stderr: "" };
    child.stdout?.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
    child.stdin?.on("error", () => undefined); // it may end without reading
    child.stdin?.end(options.stdin ?? "");
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, ...output }));
    });
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}
