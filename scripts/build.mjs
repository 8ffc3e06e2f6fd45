// `npm run build`: types and programs by the compiler, then the console's pages. Silent where all is well.
import { fileURLToPath } from "node:url";
import { run } from "./run.mjs";

/**
 * @param {{ show?: boolean }} options as `run` takes them
 * @returns {Promise<{ code: number, output: string }>} of the first step that fails, or of the last
 */
export async function build(options = {}) {
  const compiled = await run("tsc", ["-b"], options);
  if (compiled.code !== 0) return compiled;
  const config = ["--config", "packages/console/vite.config.mjs"];
  return run("vite", ["build", "--logLevel", "warn", ...config], options);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = (await build({ show: true })).code;
