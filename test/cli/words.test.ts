import { execFileSync } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { Sandbox } from "./countersign.ts";

const box = new Sandbox();
afterAll(() => box.remove());

const NOUNS = ["dev", "run", "agent", "owner", "credential", "verify", "halt", "lift", "log"];
const MORE = ["doctor", "server", "proxy", "completion"];

describe("help", () => {
  it.each(["", ...NOUNS, ...MORE])("of countersign %s stands on standard output", async (noun) => {
    const { code, stdout, stderr } = await box.run([...(noun === "" ? [] : [noun]), "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: countersign ${noun}`));
  });

  it("of a verb holds an example", async () => {
    const { code, stdout } = await box.run(["server", "init", "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Example:\n {2}countersign server init --trust-domain/);
  });

  it("shows everything when nothing is said", async () => {
    const { code, stdout } = await box.run([]);
    expect(code).toBe(0);
    for (const noun of [...NOUNS, ...MORE]) expect(stdout).toContain(`\n  ${noun} `);
  });

  it("shows the version", async () => {
    const { stdout } = await box.run(["--version"]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

/** What is typed wrongly: exit 2, nothing on standard output. */
const WRONG: readonly (readonly [string, RegExp])[] = [
  ["frob", /unknown command 'frob'/],
  ["server frob", /unknown command 'frob'/],
  ["server", /Usage: countersign server/],
  ["halt frob x", /unknown command 'frob'/],
  ["halt agent", /missing required argument 'target'/],
  ["log show --frob", /unknown option '--frob'/],
  ["verify --trust t", /missing required argument 'path'/],
  ["verify x", /required option '--trust <file>'/],
  ["verify x --trust y --proof much", /Allowed choices are none, claimed, verified, logged/],
  ["server init", /required option '--trust-domain <name>'/],
  ["proxy enroll", /required option '--token-file <file>'/],
  ["proxy enroll sEcReT --token-file f", /too many arguments/],
  ["completion powershell", /Allowed choices are bash, zsh, fish/],
];

describe("words that are not there", () => {
  it.each(WRONG)("countersign %s: exit 2", async (line, words) => {
    const { code, stdout, stderr } = await box.run(line.split(" "));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain("sEcReT");
  });
});

/** What is refused: exit 1, with what to do next. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ["server status", "unreachable", /countersign dev/],
  ["proxy status", "unreachable", /--data DIR/],
  ["halt everything", "unreachable", /Start a server/],
  ["lift", "unreachable", /Start a server/],
  ["log verify", "unreachable", /Start a server/],
  ["agent register a --audience https://a/ --quorum 2", "malformed_request", /--party bob/],
  ["agent register a --audience https://a/ --owner a --party b", "malformed_request", /--quorum/],
  ["agent register a --audience https://a/ --owner a --quorum 2", "malformed_request", /of 1 own/],
  [
    "agent register a --audience https://a/ --owner a --party b --quorum 1",
    "malformed_request",
    /--quorum 1 of 2 owners/,
  ],
  ["verify nowhere --trust t", "not_found", /--out/],
  ["credential inspect nowhere", "not_found", /file/],
  ["credential inspect -", "malformed_request", /bundle/],
  ["proxy enroll --token-file nowhere --data d", "not_found", /file/],
  ["proxy enroll --token-file - --data d", "join_token_invalid", /countersign server join-token/],
  ["server run --data d", "configuration_invalid", /server init --trust-domain NAME --data/],
  ["proxy run --data d", "configuration_invalid", /countersign proxy enroll/],
];

describe("refusals", () => {
  it.each(REFUSED)("countersign %s: %s", async (line, reason, next) => {
    const { code, stdout, stderr } = await box.run(line.split(" "), { stdin: "words" });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`[${reason}]`);
    expect(stderr).toMatch(next);
  });

  it("are one JSON document with --json, naming the three places", async () => {
    const { code, stderr } = await box.run(["--json", "server", "status", "--data", "d"]);
    const problem = JSON.parse(stderr) as Record<string, string>;
    expect({ code, reason: problem["reason"] }).toEqual({ code: 1, reason: "unreachable" });
    expect(problem["detail"]).toContain(
      `d/run, ${box.path("state", "countersign", "run")}, /run/countersign`,
    );
  });
});

describe("tab completion in bash", () => {
  const complete = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await box.run(["completion", "bash"]);
    const typed = words.map((word) => `'${word}'`).join(" ");
    const ask = `COMP_WORDS=(countersign ${typed}); COMP_CWORD=${words.length}; _countersign; echo "\${COMPREPLY[*]}"`;
    return execFileSync("bash", ["-c", `${stdout}\n${ask}`], { encoding: "utf8" }).trim();
  };

  it.each([
    [["ser"], "server"],
    [["server", "jo"], "join-token"],
    [["server", "join-token", "--re"], "--replace"],
    [["--data", "server", "do"], "doctor"],
    [["verify", "some-folder", "--tr"], "--trust"],
    [["halt", "ever"], "everything"],
    [["agent", "register", "mailer", "--door", "unit", "--un"], "--unit"],
    [["run", "--agent", "a", "--", "--ag"], ""],
  ] as const)("%j: %s", async (words, wanted) => {
    expect(await complete(...words)).toBe(wanted);
  });
});
