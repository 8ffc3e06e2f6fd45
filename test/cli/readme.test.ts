import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");
const blocks = (language: string): readonly string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, "g"))].map(
    ([, body]) => body ?? "",
  );

const lines = blocks("sh").flatMap((block) => block.trim().split("\n"));
const commands = lines
  .filter((line) => line.startsWith("npx countersign "))
  .map((line) => (line.split("#")[0] ?? "").trim().replace("npx ", ""));

describe("the README", () => {
  it.each(["agent", "relying-party"])("shows examples/%s.mjs as it is", (name) => {
    expect(blocks("js")).toContain(readFileSync(`${root}examples/${name}.mjs`, "utf8"));
  });

  it("names the two commands of the manifest", () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
      scripts: Record<string, string>;
    };
    expect(lines).toContain("npm ci && npm run demo");
    expect(lines).toContain("npm run demo -- --console"); // test/console/demo.test.ts does what it says
    expect(lines).toContain("npm ci && npm test");
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(["demo", "test", "build"]));
  });

  it("has commands to show", () => {
    expect(commands.length).toBeGreaterThan(4);
  });

  it.each(commands)("%s: every word of it is known to the command line", (command) => {
    const words = command.split(/\s+/).slice(1);
    const end = words.indexOf("--");
    const own = end < 0 ? words : words.slice(0, end);
    const verb = own
      .filter((word) => !word.startsWith("-"))
      .slice(0, own[0] === "dev" || own[0] === "run" ? 1 : 2);
    const help = execFileSync(
      process.execPath,
      [`${root}packages/cli/dist/main.js`, ...verb, "--help"],
      { encoding: "utf8" },
    );
    for (const option of own.filter((word) => word.startsWith("--")))
      expect(help).toContain(option);
  });
});
