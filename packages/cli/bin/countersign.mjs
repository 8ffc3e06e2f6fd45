#!/usr/bin/env node
// Apart from dist, so that installing links it before the first build.
await import("../dist/main.js");
