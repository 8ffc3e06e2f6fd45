// One way to run a tool of this workspace, for the scripts beside this file.
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { refuseOldNode } from "./node-floor.mjs";

refuseOldNode(); // every script comes by here first

/** The root of the checkout. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Runs a command with the workspace's tools on its path and waits for its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, show?: boolean, env?: NodeJS.ProcessEnv }} options `show`: output goes to the terminal, else it is kept
 * @returns {Promise<{ code: number, output: string }>} code 127 when the command cannot be started
 */
export function run(command, args, { cwd = ROOT, show = false, env = {} } = {}) {
  return new Promise((resolve) => {
    const path = [join(ROOT, "node_modules/.bin"), process.env["PATH"]].join(delimiter);
    const child = spawn(command, args, {
      cwd,
      stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
      env: { ...process.env, PATH: path, ...env },
    });
    const end = () => child.kill();
    process.once("exit", end); // who runs it may be ended alone
    child.on("close", () => process.off("exit", end));
    let output = "";
    child.stdout?.on("data", (piece) => (output += piece));
    child.stderr?.on("data", (piece) => (output += piece));
    child.on("error", (error) => resolve({ code: 127, output: `${command}: ${error.message}\n` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
