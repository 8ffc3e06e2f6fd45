import { PassThrough } from "node:stream";
import type { Cli } from "./terminal.ts";

/** A command line without a terminal, whose output is kept. */
export function fakeCli(): Cli & { readonly output: () => string } {
  const stdout = new PassThrough();
  const output: string[] = [];
  stdout.on("data", (chunk: Buffer) => output.push(chunk.toString()));
  return {
    isJson: false,
    data: undefined,
    stdout,
    stderr: new PassThrough(),
    stdin: process.stdin,
    isTerminal: false,
    columns: 80,
    rows: 24,
    paint: (_colour, text) => text,
    paintErr: (_colour, text) => text,
    home: "/home/nobody",
    env: { all: {} },
    version: "0.0.0",
    typedAs: ["countersign"],
    output: () => output.join(""),
  };
}
