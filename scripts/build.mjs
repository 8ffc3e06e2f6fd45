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
  const vite = (name) =>
    run("vite", ["build", "--logLevel", "warn", "--config", `packages/console/${name}`], options);
  const pages = await vite("vite.config.mjs");
  return pages.code === 0 ? vite("vite.worker.config.mjs") : pages;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = (await build({ show: true })).code;
