import { defineConfig } from "vite";

/** Static files with relative names that hold their hash; nothing inline, so that the page's policy can forbid it. */
// oxlint-disable-next-line import/no-default-export -- as vite reads it
export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  build: {
    outDir: "dist/site",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
});
