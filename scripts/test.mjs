// `npm test [-- vitest arguments]`: builds, runs both vitest projects, and ends with one line that counts.
// A missing outside peer is named by test/strangers/peers.ts; where CI is set it fails. What the tests leave in the
// temporary folder, which is the run's own, is a failure too.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { run } from "./run.mjs";

/** Counts tests; a file that failed before its first test counts as one failure. */
function count(report) {
  const { numPassedTests: passed, numPendingTests, numTodoTests } = report;
  const unloadable = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((t) => t.status === "failed"),
  );
  return {
    passed,
    failed: report.numFailedTests + unloadable.length,
    skipped: numPendingTests + numTodoTests,
  };
}

/** A run that is ended ends without leaving anything either. */
function removedAtTheEnd(folder) {
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.once(signal, () => process.exit(130));
}

/** Names what the tests did not remove. @returns how many failures that is: none or one */
function leftIn(folder) {
  const left = readdirSync(folder);
  if (left.length > 0) console.error(`the tests have left behind: ${left.join(", ")}`);
  return left.length > 0 ? 1 : 0;
}

async function main(args) {
  const built = await build({ show: true });
  if (built.code !== 0) return { passed: 0, failed: 1, skipped: 0 };
  const folder = mkdtempSync(join(tmpdir(), "cs-test-")); // short: paths of sockets lie below it
  removedAtTheEnd(folder);
  chmodSync(folder, 0o711); // some tests run programs as another user
  const temporary = join(folder, "t");
  mkdirSync(temporary);
  try {
    const file = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const env = { TMPDIR: temporary };
    const { code } = await run("vitest", ["run", ...reporters, ...args], { show: true, env });
    const counts = count(JSON.parse(readFileSync(file, "utf8")));
    counts.failed += leftIn(temporary);
    // An error outside of any test (an unhandled rejection) fails the run and no test.
    if (code !== 0 && counts.failed === 0) counts.failed = 1;
    return counts;
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const { passed, failed, skipped } = await main(process.argv.slice(2));
if (passed + failed === 0) console.error("no test ran");
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
