import { defineConfig } from "vite";

/**
 * The worker that shows notices: one file under a name that stays, which imports nothing. Where it lies is how far it reaches
 * (docs/decisions/0013-push-worker.md). Built after the pages, into their folder.
 */
// oxlint-disable-next-line import/no-default-export -- as vite reads it
export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  build: {
    outDir: "dist/site/push",
    emptyOutDir: true,
    target: "es2022",
    lib: {
      entry: "src/push/worker.ts",
      formats: ["iife"],
      name: "countersignPush",
      fileName: () => "worker.js",
    },
  },
});
