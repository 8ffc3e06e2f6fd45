// A fence counts only once it has been seen to stop something. Each row below is one line of code, planted in a
// copy of the tree, and what must be said about it: the linter's rule, the compiler's code, or knip's finding (dead code, undeclared dependencies).
// Rows with `pass` are the house's own imports: a fence that stops everything is no fence.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, run } from "./run.mjs";

const IMPORT = "eslint(no-restricted-imports)";

/** [file, planted line, who must stop it, what it must say]: one row a line, so that it reads as a table. */
// prettier-ignore
const PLANTS = [
  // core: pure, and nothing but itself
  ["core/src/planted.ts", 'import "node:fs";', "lint", IMPORT],
  ["core/src/planted.ts", 'import * as a1 from "node:fs/promises"; void a1;', "lint", IMPORT],
  ["core/src/planted.ts", 'import * as a2 from "fs"; void a2;', "lint", IMPORT],
  ["core/src/planted.ts", 'void import("node:fs");', "lint", IMPORT],
  ["core/src/planted.ts", 'import * as a3 from "@countersign/node"; void a3;', "lint", IMPORT],
  ["core/src/planted.ts", 'import * as a4 from "hono"; void a4;', "lint", IMPORT],
  ["core/src/planted.ts", 'import * as a5 from "../../node/src/index.ts"; void a5;', "types", "TS"],
  ["core/src/planted.ts", 'import * as a6 from "node:fs"; void a6;', "types", "TS2591"],
  ["core/src/planted.ts", "void document.title;", "types", "TS2584"],
  ["core/src/planted.ts", 'void fetch("https://example.org");', "types", "TS2304"],
  ["core/src/planted.ts", "setTimeout(() => undefined, 1);", "types", "TS2304"],
  ["core/src/planted.ts", "void process.env;", "types", "TS2591"],
  ["core/src/planted.ts", 'void Buffer.from("");', "types", "TS2591"],
  ["core/src/planted.ts", 'console.log("");', "types", "TS2584"],
  ["core/src/planted.ts", "void Date.now();", "lint", "eslint(no-restricted-properties)"],
  ["core/src/planted.ts", "void Math.random();", "lint", "eslint(no-restricted-properties)"],
  ["core/src/planted.ts", 'import * as p1 from "./refusal.ts"; void p1;', "lint", "pass"],
  ["core/src/planted.test.ts", 'import * as b1 from "@countersign/node"; void b1;', "lint", IMPORT],
  ["core/src/planted.test.ts", 'import * as b2 from "../../node/src/index.ts"; void b2;', "lint", IMPORT],
  ["core/src/planted.test.ts", 'import * as b3 from "../../server/src/main.ts"; void b3;', "lint", IMPORT],
  ["core/src/planted.test.ts", 'import * as p2 from "../../node/src/crypto.ts"; void p2;', "lint", "pass"],

  // node: core only
  ["node/src/planted.ts", 'import * as c1 from "@countersign/server/main"; void c1;', "lint", IMPORT],
  ["node/src/planted.ts", 'import * as c2 from "@countersign/core/dist/index.js"; void c2;', "lint", IMPORT],
  ["node/src/index.ts", 'import * as c3 from "@countersign/server/main"; void c3;', "deps", "@countersign/server"],
  ["node/src/planted.ts", 'import * as p3 from "@countersign/core"; void p3;', "lint", "pass"],

  // daemons: core and node, never a sibling, by no way of writing it
  ["server/src/planted.ts", 'import * as d1 from "@countersign/proxy/main"; void d1;', "lint", IMPORT],
  ["server/src/planted.ts", 'import type * as D2 from "@countersign/proxy/main"; void (0 as unknown as D2);', "lint", IMPORT],
  ["server/src/planted.ts", 'export * from "@countersign/sdk/agent";', "lint", IMPORT],
  ["server/src/planted.ts", 'void import("@countersign/proxy/main");', "lint", IMPORT],
  ["server/src/planted.ts", 'import * as d4 from "../../proxy/src/main.ts"; void d4;', "lint", IMPORT],
  ["server/src/planted.ts", 'import * as d5 from "../../proxy/src/main.ts"; void d5;', "types", "TS"],
  ["server/src/planted.ts", 'import * as d6 from "@countersign/core/dist/index.js"; void d6;', "lint", IMPORT],
  ["server/src/planted.ts", 'import * as d7 from "@countersign/core/dist/index.js"; void d7;', "types", "TS2307"],
  ["server/src/main.ts", 'import * as d8 from "commander"; void d8;', "dead", "commander"],
  ["server/src/main.ts", 'import * as d9 from "@countersign/proxy/main"; void d9;', "deps", "@countersign/proxy"],
  ["server/src/planted.ts", 'import * as p4 from "@countersign/core"; void p4;', "lint", "pass"],
  ["server/src/planted.ts", 'import * as p5 from "@countersign/node"; void p5;', "lint", "pass"],
  ["proxy/src/planted.ts", 'import * as e1 from "@countersign/server/main"; void e1;', "lint", IMPORT],
  ["proxy/src/planted.ts", 'import * as e2 from "@countersign/cli"; void e2;', "lint", IMPORT],

  ["gateway/src/planted.ts", 'import * as i1 from "@countersign/server/main"; void i1;', "lint", IMPORT],
  ["gateway/src/planted.ts", 'import * as i2 from "../../proxy/src/main.ts"; void i2;', "lint", IMPORT],
  ["gateway/src/planted.ts", 'import * as i3 from "../../proxy/src/main.ts"; void i3;', "types", "TS"],
  ["gateway/src/main.ts", 'import * as i4 from "@countersign/proxy/main"; void i4;', "deps", "@countersign/proxy"],
  ["gateway/src/planted.ts", 'import * as p9 from "@countersign/node"; void p9;', "lint", "pass"],
  ["server/src/planted.ts", 'import * as i5 from "@countersign/gateway/main"; void i5;', "lint", IMPORT],

  // sdk: core only, and its verifier without Node
  ["sdk/src/agent/planted.ts", 'import * as f1 from "@countersign/node"; void f1;', "lint", IMPORT],
  ["sdk/src/agent/index.ts", 'import * as f2 from "@countersign/node"; void f2;', "deps", "@countersign/node"],
  ["sdk/src/agent/planted.ts", 'import * as p6 from "node:net"; void p6;', "lint", "pass"],
  ["sdk/src/verify/planted.ts", 'import * as f3 from "node:crypto"; void f3;', "lint", IMPORT],
  ["sdk/src/verify/planted.ts", 'import * as f4 from "node:fs/promises"; void f4;', "lint", IMPORT],
  ["sdk/src/verify/planted.ts", 'void import("node:crypto");', "lint", IMPORT],
  ["sdk/src/verify/planted.ts", 'import * as f5 from "../agent/index.ts"; void f5;', "lint", IMPORT],
  ["sdk/src/verify/planted.ts", "void process.version;", "lint", "eslint(no-restricted-globals)"],
  ["sdk/src/verify/planted.ts", 'void globalThis.process.getBuiltinModule("fs");', "lint", "eslint(no-restricted-globals)"],
  ["sdk/src/verify/planted.test.ts", 'import * as f6 from "../../../core/src/refusal.ts"; void f6;', "lint", IMPORT],
  ["sdk/src/verify/planted.test.ts", 'import * as p8 from "../../../core/src/verify/story.testing.ts"; void p8;', "lint", "pass"],

  // console: core only, in a browser, and no HTML from data
  ["console/src/planted.ts", 'import * as h1 from "@countersign/sdk/verify"; void h1;', "lint", IMPORT],
  ["console/src/planted.ts", 'import * as h2 from "node:crypto"; void h2;', "lint", IMPORT],
  ["console/src/planted.ts", 'document.body.innerHTML = "";', "lint", "eslint(no-restricted-properties)"],
  ["console/src/planted.ts", 'document.body.insertAdjacentHTML("beforeend", "");', "lint", "eslint(no-restricted-properties)"],
  ["console/src/planted.ts", 'import * as p9 from "@countersign/core"; void p9;', "lint", "pass"],

  // cli: one file, and only the mains
  ["cli/src/planted.ts", 'void import("@countersign/server/main");', "lint", IMPORT],
  ["cli/src/planted.ts", 'import * as g1 from "@countersign/proxy/main"; void g1;', "lint", IMPORT],
  ["cli/src/planted.ts", 'import * as p7 from "@countersign/sdk/verify"; void p7;', "lint", "pass"],
  ["cli/src/planted.ts", 'import * as g2 from "@countersign/gateway/main"; void g2;', "lint", IMPORT],
  ["cli/src/daemons.ts", 'void import("@countersign/server/dist/app.js");', "lint", IMPORT],
  ["cli/src/daemons.ts", 'void import("@countersign/gateway/dist/app.js");', "lint", IMPORT],
  ["cli/src/daemons.ts", 'void import("@countersign/gateway/main");', "lint", "pass"],
  ["cli/src/daemons.ts", 'void import("@countersign/server/main");', "lint", "pass"],

  // forms
  ["server/src/planted.ts", "void process.env;", "lint", "node(no-process-env)"],
  ["server/src/planted.ts", "Promise.resolve(1);", "lint", "typescript(no-floating-promises)"],
  ["server/src/planted.ts", "void (1 as any);", "lint", "typescript(no-explicit-any)"],
  ["server/src/planted.ts", "void [1][0]!;", "lint", "typescript(no-non-null-assertion)"],
  ["server/src/planted.ts", "export default 1;", "lint", "import(no-default-export)"],
  ["server/src/planted.ts", "enum E { A }", "types", "TS1294"],
  ["cli/src/planted.ts", "export const untold = [1].map(String);", "types", "TS9010"],
  ["proxy/src/orphan.ts", "export const orphan: number = 1;", "dead", "files"],
  ["proxy/src/main.ts", 'import "./planted.ts";', "dead", "pass"],
  ["proxy/src/planted.ts", "export const unused: number = 1;", "dead", "unused"],
];

/** A copy of the tree whose packages see each other, not the checkout. */
function copyOf(folder) {
  const skip = new Set(["node_modules", ".git", "packages"]);
  for (const name of readdirSync(ROOT))
    if (!skip.has(name)) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  cpSync(join(ROOT, "packages"), join(folder, "packages"), { recursive: true });
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@countersign"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules")))
    if (name !== "@countersign" && name !== ".vite")
      symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  for (const name of readdirSync(join(folder, "packages")))
    symlinkSync(join(folder, "packages", name), join(modules, "@countersign", name));
}

/** Adds every planted line to the end of its file; answers where each one stands. */
function plant(folder, tool) {
  return PLANTS.filter((row) => row[2] === tool).map(([path, text, stopper, says]) => {
    const file = `packages/${path}`;
    const before = existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : "";
    writeFileSync(join(folder, file), `${before}${text}\n`);
    return { file, line: before.split("\n").length, text, stopper, says };
  });
}

/** What each tool says, as `{ file, line, text }`. */
const TOOLS = {
  async lint(cwd) {
    const { output } = await run("oxlint", ["-f", "unix", "packages"], { cwd });
    return findings(output, /^(?<file>[^:\n]+):(?<line>\d+):\d+: (?<text>.*)$/gm);
  },
  async types(cwd) {
    const packages = [...new Set(PLANTS.filter((row) => row[2] === "types").map(packageOf))];
    const runs = packages.map((name) =>
      run("tsc", ["-p", `packages/${name}`, "--noEmit", "--pretty", "false"], { cwd }),
    );
    const output = (await Promise.all(runs)).map((one) => one.output).join("\n");
    return findings(output, /^(?<file>[^(\n]+)\((?<line>\d+),\d+\): error (?<text>.*)$/gm);
  },
  async dead(cwd) {
    return unused(await run("knip", ["--reporter", "json"], { cwd }));
  },
  async deps(cwd) {
    // Without --strict knip lets private packages import each other undeclared.
    const args = ["--strict", "--include", "unlisted", "--reporter", "json"];
    return unused(await run("knip", args, { cwd }));
  },
};

const packageOf = ([path]) => path.slice(0, path.indexOf("/"));

function unused({ output }) {
  const { issues } = JSON.parse(output.slice(output.indexOf("{")));
  return issues.flatMap((issue) => [
    ...[...(issue.unlisted ?? []), ...(issue.exports ?? [])].map((found) => ({
      file: issue.file,
      line: found.line,
      text: found.name,
    })),
    ...(issue.files ?? []).map((found) => ({ file: found.name, line: 1, text: "files" })),
  ]);
}

function findings(output, pattern) {
  return [...output.matchAll(pattern)].map(({ groups }) => ({
    file: groups.file,
    line: Number(groups.line),
    text: groups.text,
  }));
}

/** The rows that behaved otherwise than the table says. */
function broken(rows, said) {
  return rows.filter((row) => {
    const here = said.filter((one) => one.file === row.file && one.line === row.line);
    if (row.says === "pass") return here.some((one) => one.text.includes(IMPORT));
    return !here.some((one) => one.text.includes(row.says));
  });
}

async function prove(tool) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `countersign-fences-${tool}-`)));
  folders.add(folder);
  copyOf(folder);
  const rows = plant(folder, tool);
  const said = await TOOLS[tool](folder);
  return broken(rows, said);
}

const folders = new Set();
const clean = () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
};
process.on("exit", clean);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));

if (!existsSync(join(ROOT, "packages/core/dist/index.d.ts"))) {
  console.error("the fences need a build: npm run build");
  process.exit(1);
}
const through = (await Promise.all(Object.keys(TOOLS).map(prove))).flat();
for (const row of through)
  console.error(
    `${row.says === "pass" ? "stopped" : "got through"} (${row.stopper}, ${row.says}): ${row.file}: ${row.text}`,
  );
console.log(`${PLANTS.length - through.length} of ${PLANTS.length} fences hold`);
process.exitCode = through.length === 0 ? 0 : 1;
