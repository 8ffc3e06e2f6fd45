import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ROOT } from "../e2e/countersign.ts";

/** Makes Node say that it is another. */
const claiming = (version: string): string =>
  `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`;

const { engines } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
  engines: { node: string };
};

describe.each([
  ["the command line", ["packages/cli/bin/countersign.mjs", "--version"], 0],
  ["the scripts of the workspace", ["scripts/demo.mjs", "--minutes", "0"], 2],
])("the oldest Node, for %s", (_, [file = "", ...args], codeAfterwards) => {
  it.each([
    ["18.20.8", false],
    ["20.18.3", false],
    ["20.19.0", true],
    ["22.0.0", true],
    ["24.21.0", true],
  ])("%s: taken, %j", (version, isTaken) => {
    const { status, stderr } = spawnSync(
      process.execPath,
      ["--import", claiming(version), ROOT + file, ...args],
      { encoding: "utf8" },
    );
    const words = `needs Node ${engines.node}, and this is ${version} (${process.execPath}). Install a newer one`;
    expect({ status, isRefused: stderr.includes(words) }).toEqual(
      isTaken ? { status: codeAfterwards, isRefused: false } : { status: 1, isRefused: true },
    );
  });
});
