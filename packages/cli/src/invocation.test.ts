import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { invocationWords } from "./invocation.ts";

let root = "";
const at = (...path: readonly string[]): string => join(root, ...path);

/** A checkout with the program linked as npm does it, a folder beside it, and programs of the same name. */
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "cs-invocation-"));
  for (const folder of ["checkout/node_modules/.bin", "checkout/docs", "empty", "path", "other"])
    mkdirSync(at(folder), { recursive: true });
  writeFileSync(at("checkout/own.mjs"), "");
  writeFileSync(at("checkout/main.js"), "");
  writeFileSync(at("other/countersign"), "");
  for (const file of ["checkout/own.mjs", "other/countersign"]) chmodSync(at(file), 0o755);
  chmodSync(at("checkout/main.js"), 0o644);
  for (const folder of ["checkout/node_modules/.bin", "path"])
    symlinkSync(at("checkout/own.mjs"), at(folder, "countersign"));
});
afterAll(() => rmSync(root, { recursive: true }));

const BIN = "checkout/node_modules/.bin/countersign";

describe("what starts this program again", () => {
  it.each<readonly [string, Partial<Record<"file" | "cwd" | "path" | "npm", string>>, string]>([
    ["npx in the checkout", { npm: "exec" }, "npx countersign"],
    ["npx below it", { npm: "exec", cwd: "checkout/docs" }, "npx countersign"],
    ["npx elsewhere, which would fetch a stranger's", { npm: "exec", cwd: "empty" }, `~/${BIN}`],
    ["on the path", { path: "path" }, "countersign"],
    ["behind another of that name", { path: "other:~/path" }, `~/${BIN}`],
    ["under npm, whose path no shell has", { path: "path", npm: "run-script" }, `~/${BIN}`],
    ["by its file", {}, `~/${BIN}`],
    ["by a file for Node", { file: "checkout/main.js" }, "node ~/checkout/main.js"],
  ])("%s", (_, { file = BIN, cwd = "checkout", path = "empty", npm }, wanted) => {
    const words = invocationWords({
      file: at(file),
      executable: at("checkout/own.mjs"),
      cwd: at(cwd),
      env: { PATH: at(path).replace("~", root), npm_command: npm },
    });
    expect(words.join(" ").replace(root, "~")).toBe(wanted);
  });
});
