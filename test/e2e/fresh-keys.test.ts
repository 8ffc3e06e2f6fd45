import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const dist = (path: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../packages/${path}`, import.meta.url)));

/** So small that memory is collected in the middle of many exports. */
const YOUNG_GENERATION = "--max-semi-space-size=1";
const KEYS = 4000;
/** A bound against hanging, far beyond what it takes. */
const BOUND_MS = 110_000;

it.each<readonly [string, string]>([
  ["node's", `(await import(${dist("node/dist/index.js")})).generateSigner`],
  ["the sdk's", `(await import(${dist("sdk/dist/agent/key.js")})).makeKey`],
])("%s keys are made without end while memory is collected", async (_name, make) => {
  const program = `
    const make = ${make};
    for (let i = 0; i < ${KEYS}; i += 1) make();
    console.log("ended");
  `;
  const args = [YOUNG_GENERATION, "--input-type=module", "-e", program];
  const { stdout } = await run(process.execPath, args, {
    timeout: BOUND_MS,
    killSignal: "SIGKILL",
  });
  expect(stdout).toBe("ended\n");
});
