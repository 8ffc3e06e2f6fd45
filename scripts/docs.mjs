// Documents that name a file of this tree must name one that exists: links, and paths in back quotes. The threat model
// must have a row for every threat, the table of binding checks one for every check, and each row tests that exist by their
// titles.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { verifyPage } from "./demo/check-md.mjs";
import { ROOT, run } from "./run.mjs";

const LINK = /\]\((?!https?:|#)(?<path>[^)#\s]+)/g;
const QUOTED = /`(?<path>(?:packages|test|scripts|docs|\.ci)\/[\w./-]*[\w-])`/g;
const THREATS = "docs/THREATS.md";
const LAST_THREAT = 56;
const BINDINGS = "test/conformance/README.md";
const LAST_BINDING = 16;
const TESTED = /`(?<path>[\w./-]+\.test(?:ing)?\.ts)`(?<titles>(?:\s*(?:,\s*)?“[^”]+”)*)/g;

const { output } = await run("git", ["ls-files", "*.md"]);
let faults = 0;
const fault = (words) => {
  console.error(words);
  faults += 1;
};

for (const document of output.trim().split("\n")) {
  const text = readFileSync(join(ROOT, document), "utf8");
  const named = [
    ...[...text.matchAll(LINK)].map(({ groups }) => join(dirname(document), groups.path)),
    ...[...text.matchAll(QUOTED)].map(({ groups }) => groups.path),
  ];
  for (const path of named.filter((one) => !existsSync(join(ROOT, one))))
    fault(`${document} names ${path}, which is not there`);
}

/** Titles of tests that a row names, each with its file. A title may be broken over two lines. */
function testsIn(row) {
  return [...row.matchAll(TESTED)].map(({ groups: { path, titles } }) => ({
    path,
    titles: [...titles.matchAll(/“([^”]+)”/g)].map(([, title]) => title.replaceAll(/\s+/g, " ")),
  }));
}

/** Whether a title, or a row's name, begins like this. */
const hasTitle = (source, title) => ['"', "'", "`"].some((quote) => source.includes(quote + title));

/** Every test that a row names is there, by its title. */
function checkRow(document, name, row) {
  const tests = testsIn(row);
  if (tests.length === 0) fault(`${document}: ${name} names no test`);
  for (const { path, titles } of tests) {
    if (titles.length === 0) fault(`${document}: ${name} names no title in ${path}`);
    const source = existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), "utf8") : "";
    for (const title of titles.filter((one) => !hasTitle(source, one)))
      fault(`${document}: ${name} names “${title}”, which is no test of ${path}`);
  }
}

/** Numbers of threats whose features do not exist: `T32 (…), T38 to T44`. */
function unbuilt(text) {
  const [, list = ""] = /_Not built:_([^]*?)(?:\n\n|$(?![^]))/.exec(text) ?? [];
  return [...list.matchAll(/T(\d+)(?: to T(\d+))?/g)].flatMap(([, from, to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_none, i) => Number(from) + i),
  );
}

const threats = readFileSync(join(ROOT, THREATS), "utf8");
/** Rows by their names: a threat that came later has the number of its kin and a letter. */
const rows = new Map();
for (const [row, name] of threats.matchAll(/^\*\*(T\d+[a-z]?) [^]*?(?=^\*\*T|^## |$(?![^]))/gm)) {
  if (rows.has(name)) fault(`${THREATS} has two rows ${name}`);
  rows.set(name, row);
  checkRow(THREATS, name, row);
}
const later = unbuilt(threats);
for (let number = 1; number <= LAST_THREAT; number += 1)
  if (!rows.has(`T${number}`) && !later.includes(number)) fault(`${THREATS} has no row T${number}`);

const bindings = readFileSync(join(ROOT, BINDINGS), "utf8");
for (let number = 1; number <= LAST_BINDING; number += 1) {
  const [row] = new RegExp(`^\\| B-${number} .*$`, "m").exec(bindings) ?? [];
  if (row === undefined) fault(`${BINDINGS} has no row B-${number}`);
  else checkRow(BINDINGS, `B-${number}`, row);
}

const METHODS = "docs/owner-signatures.md";
for (const row of readFileSync(join(ROOT, METHODS), "utf8").match(/^\| .*\.test\.ts.*$/gm) ?? [])
  checkRow(METHODS, row.split("|")[1].trim(), row);

const PAGE = "docs/verify-without-us.md";
if (process.argv.includes("--write")) writeFileSync(join(ROOT, PAGE), verifyPage());
if (readFileSync(join(ROOT, PAGE), "utf8") !== verifyPage())
  fault(`${PAGE} is not of its source: npm run docs -- --write`);
process.exitCode = faults === 0 ? 0 : 1;
