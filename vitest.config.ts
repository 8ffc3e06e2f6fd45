import { defineConfig } from "vitest/config";

const conditions = ["source", "node", "import", "module", "default"];

/** Two projects: `unit` (no sockets beyond loopback, seconds) and `whole` (real processes, outside peers). */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "test/conformance/**/*.test.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "whole",
          include: [
            "test/e2e/**/*.test.ts",
            "test/cli/**/*.test.ts",
            "test/strangers/**/*.test.ts",
          ],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
