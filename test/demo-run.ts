import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the one run of the demo leaves what it wrote and said. */
    readonly demoFolder: string;
  }
}

/** One run of `npm run demo -- --out DIR`, by a clean shell. */
export interface DemoRun {
  readonly code: number | null;
  readonly output: string;
  readonly seconds: number;
  /** The folder that it wrote. */
  readonly folder: string;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DEADLINE_MS = 110_000;

let made = "";

/** Global setup: a name for the place of the run. Nothing is made or run yet. */
export function setup(project: TestProject): void {
  made = join(tmpdir(), `countersign-demo-run-${randomUUID().slice(0, 8)}`);
  project.provide("demoFolder", made);
}

/** Global teardown. */
export function teardown(): void {
  rmSync(made, { recursive: true, force: true });
}

function runDemo(folder: string): Promise<DemoRun> {
  const begun = performance.now();
  const env = { PATH: process.env["PATH"], HOME: folder };
  const args = ["scripts/demo.mjs", "--out", folder];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => (output += piece.toString()));
  // it ends what it started when it is asked to end
  const late = setTimeout(() => child.kill("SIGTERM"), DEADLINE_MS);
  return new Promise((resolve) =>
    child.on("close", (code) => {
      clearTimeout(late);
      resolve({ code, output, seconds: (performance.now() - begun) / 1000, folder });
    }),
  );
}

/** The demo, run once for all test files: whoever comes first runs it (files are run one after the other). */
export async function demoRun(): Promise<DemoRun> {
  const base = inject("demoFolder");
  const result = join(base, "result.json");
  mkdirSync(base, { recursive: true, mode: 0o700 });
  if (!existsSync(result)) writeFileSync(result, JSON.stringify(await runDemo(join(base, "out"))));
  return JSON.parse(readFileSync(result, "utf8")) as DemoRun;
}
