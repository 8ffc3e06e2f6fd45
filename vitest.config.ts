import { defineConfig } from "vitest/config";

const conditions = ["source", "node", "import", "module", "default"];

/** In memory like its neighbours, but ten thousand requests are no matter of seconds. */
const FLOOD = "test/whole/flood.test.ts";

/** Two projects: `unit` (no sockets beyond loopback, seconds) and `whole` (real processes, outside peers). */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    maxWorkers: 2,
    setupFiles: ["test/seed.ts"],
    // A bound against hanging, as the others below: the default of a second is a measure of speed.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [
            "packages/*/src/**/*.test.ts",
            "test/conformance/**/*.test.ts",
            "test/fuzz/**/*.test.ts",
            "test/whole/**/*.test.ts",
          ],
          exclude: [FLOOD],
          // Nothing here mocks or works at import: a module once loaded serves every file, four times as fast.
          isolate: false,
          // A bound against hanging, not a measure of speed: machines are shared.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          globalSetup: ["test/demo-run.ts"],
          include: [
            "test/e2e/**/*.test.ts",
            "test/cli/**/*.test.ts",
            "test/strangers/**/*.test.ts",
            "test/console/**/*.test.ts",
            FLOOD,
          ],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
