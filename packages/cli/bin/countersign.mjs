#!/usr/bin/env node
// Apart from dist, so that installing links it before the first build.
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write("countersign is not built yet: npm run build\n");
  process.exitCode = 1;
}
