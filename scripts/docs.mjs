// Documents that name a file of this tree must name one that exists: links, and paths in back quotes.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT, run } from "./run.mjs";

const LINK = /\]\((?!https?:|#)(?<path>[^)#\s]+)/g;
const QUOTED = /`(?<path>(?:packages|test|scripts|docs|\.ci)\/[\w./-]*[\w-])`/g;

const { output } = await run("git", ["ls-files", "*.md"]);
let missing = 0;
for (const document of output.trim().split("\n")) {
  const text = readFileSync(join(ROOT, document), "utf8");
  const named = [
    ...[...text.matchAll(LINK)].map(({ groups }) => join(dirname(document), groups.path)),
    ...[...text.matchAll(QUOTED)].map(({ groups }) => groups.path),
  ];
  for (const path of named.filter((one) => !existsSync(join(ROOT, one)))) {
    console.error(`${document} names ${path}, which is not there`);
    missing += 1;
  }
}
process.exitCode = missing === 0 ? 0 : 1;
