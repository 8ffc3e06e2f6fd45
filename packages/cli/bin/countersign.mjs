#!/usr/bin/env node
// Apart from dist, so that installing links it before the first build, and an old Node can still read it.
import { existsSync } from "node:fs";

const LEAST = { major: 20, minor: 19 }; // as `engines` says

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const main = new URL("../dist/main.js", import.meta.url);
if (major < LEAST.major || (major === LEAST.major && minor < LEAST.minor)) {
  process.stderr.write(
    `countersign needs Node >=${LEAST.major}.${LEAST.minor}, and this is ${process.versions.node} (${process.execPath}). Install a newer one, then try again.\n`,
  );
  process.exitCode = 1;
} else if (existsSync(main)) await import(main.href);
else {
  process.stderr.write("countersign is not built yet: npm run build\n");
  process.exitCode = 1;
}
