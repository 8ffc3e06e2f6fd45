import { describe, expect, it } from "vitest";
import { bannerLines, typed } from "./dev-banner.ts";
import type { Serving } from "./dev-banner.ts";
import { fakeCli } from "./cli.testing.ts";

const SERVING: Serving = {
  data: "/home/me/.local/state/countersign",
  trustDomain: "0123456789.dev.invalid",
  trustFile: "/home/me/.local/state/countersign/relying-party.json",
  publicUrl: "http://127.0.0.1:5000",
  consoleUrl: "http://localhost:5001",
  invitation: undefined,
  stops: [],
};
const INVITATION = {
  url: "http://localhost:5001/#/enrol",
  code: "9DD6X-2QK7M",
  made_at: 1_795_430_000,
  expires_at: 1_795_430_600,
};

const said = (serving: Serving): readonly string[] => bannerLines(fakeCli(), serving);

describe("what countersign dev says", () => {
  it.each([
    ["somebody has a key", {}],
    ["nobody has one", { invitation: INVITATION }],
  ])("three things to do, where %s", (_, more) => {
    const things = said({ ...SERVING, ...more }).filter((line) => /^ {2}\d {2}/.test(line));
    expect(things.map((line) => line.slice(2, 19).trimEnd())).toEqual([
      "1  your console",
      "2  first agent",
      "3  stop it all",
    ]);
  });

  it.each([
    ["the console, where somebody has a key", {}, /^ {2}1 .* http:\/\/localhost:5001\/$/m],
    [
      "link and code of the first passkey",
      { invitation: INVITATION },
      /open http:\/\/localhost:5001\/#\/enrol {3}code 9DD6X-2QK7M\n.* within 10 min$/m,
    ],
    [
      "the key of who has no browser",
      { invitation: INVITATION },
      /without a browser.*\n {19}countersign owner enrol me --key ~\/\.ssh\/id_ed25519$/m,
    ],
    ["no console", { consoleUrl: undefined }, /^ {2}1 .* off: owners sign in the terminal$/m],
  ])("%s", (_, more, wanted) => {
    expect(said({ ...SERVING, ...more }).join("\n")).toMatch(wanted);
  });

  it.each([
    ["nothing is stopped", [], undefined],
    ["everything is", [{ id: "q83v", since: 0 }], "countersign lift q83v "],
    ["by an id like an option", [{ id: "-83v", since: 0 }], "countersign lift -- -83v "],
    [
      "twice",
      [
        { id: "a", since: 0 },
        { id: "b", since: 9 },
      ],
      "countersign lift ",
    ],
  ])("where %s", (_, stops, wanted) => {
    const text = said({ ...SERVING, stops }).join("\n");
    if (wanted === undefined) expect(text).not.toContain("stopped");
    else {
      expect(text).toContain("everything here is stopped since 1970-01-01 00:00:00 UTC");
      expect(text).toContain(`To lift it: ${wanted}  (owners`);
    }
  });

  it.each([
    ["as it stands on the path", {}, "countersign halt everything"],
    [
      "through npx in a checkout",
      { typedAs: ["npx", "countersign"] },
      "npx countersign halt everything",
    ],
    [
      "by a file with a space in its path",
      { typedAs: ["/home/my self/countersign"] },
      "'/home/my self/countersign' halt everything",
    ],
    [
      "on the data that was named",
      { data: "/tmp/my try" },
      "countersign --data '/tmp/my try' halt everything",
    ],
  ])("commands %s", (_, more, wanted) => {
    expect(typed({ ...fakeCli(), ...more }, "halt", "everything")).toBe(wanted);
  });

  it.each([
    ["here", {}, undefined],
    [
      "where the terminal came over SSH",
      { SSH_CONNECTION: "192.0.2.1 50000 192.0.2.2 22" },
      "5001",
    ],
  ])("how a browser elsewhere comes to the console: %s", (_, all, port) => {
    const bring = /ssh -N -L (\d+):localhost:\1 THIS-HOST$/m;
    for (const invitation of [undefined, INVITATION]) {
      const lines = bannerLines({ ...fakeCli(), env: { all } }, { ...SERVING, invitation });
      expect(bring.exec(lines.join("\n"))?.[1]).toBe(port);
    }
  });

  it("says how the commands in messages are typed, where that differs", () => {
    const line = /where a message says countersign, type here: (.+)$/m;
    expect(said(SERVING).join("\n")).not.toMatch(line);
    const cli = { ...fakeCli(), typedAs: ["npx", "countersign"] };
    expect(line.exec(bannerLines(cli, SERVING).join("\n"))?.[1]).toBe("npx countersign");
  });
});
