import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Refusal, utf8 } from "@countersign/core";
import { Yard } from "./family.testing.ts";
import { askByBusctl, objectPath, readUnitWord } from "./systemd.ts";

const UNIT = "mailer.service";
const command = (...argv: readonly string[]): unknown[] => [
  argv[0],
  argv,
  ...[false, 1795430000000000, 5, 0, 0, 4711, 0, 0],
];
const SERVICE = {
  MainPID: ["u", 4711],
  Type: ["s", "simple"],
  NotifyAccess: ["s", "none"],
  ControlGroup: ["s", `/system.slice/${UNIT}`],
  ExecStart: ["a(sasbttttuii)", [command("/usr/bin/node", "/srv/agent.mjs")]],
  EnvironmentFiles: ["a(sb)", [["/etc/default/mailer", true]]],
} as const;
const ABOUT = {
  Id: ["s", UNIT],
  FragmentPath: ["s", `/etc/systemd/system/${UNIT}`],
  DropInPaths: ["as", ["/etc/systemd/system/mailer.service.d/a.conf"]],
} as const;
const WORD = {
  mainPid: 4711,
  isMainPidOwn: true,
  controlGroup: `/system.slice/${UNIT}`,
  command: { file: "/usr/bin/node", argv: ["/usr/bin/node", "/srv/agent.mjs"] },
  files: [
    `/etc/systemd/system/${UNIT}`,
    "/etc/systemd/system/mailer.service.d/a.conf",
    "/etc/default/mailer",
  ],
};

type Properties = Readonly<Record<string, readonly [string, unknown]>>;
const printed = (properties: Properties): string =>
  Object.values(properties)
    .map(([type, data]) => `${JSON.stringify({ type, data })}\n`)
    .join("");

function read(service: object, about: object): unknown {
  const lines = [
    { ...SERVICE, ...service },
    { ...ABOUT, ...about },
  ].map((one) => printed(one));
  return outcome(lines[0] ?? "", lines[1] ?? "");
}

function outcome(service: string, about: string): unknown {
  try {
    return readUnitWord(UNIT, utf8(service), utf8(about));
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe("readUnitWord", () => {
  const exec = (...commands: readonly unknown[]): object => ({
    ExecStart: ["a(sasbttttuii)", commands],
  });
  it.each<[string, object, object]>([
    ["a service", {}, WORD],
    ["a service that runs no more", { MainPID: ["u", 0] }, { ...WORD, mainPid: 0 }],
    [
      "one that may name its main process",
      { NotifyAccess: ["s", "main"] },
      { isMainPidOwn: false },
    ],
    ["one that says when it is ready", { Type: ["s", "notify"] }, { isMainPidOwn: false }],
    ["one that forks", { Type: ["s", "forking"] }, { isMainPidOwn: false }],
    [
      "no files of variables",
      { EnvironmentFiles: ["a(sb)", []] },
      { files: WORD.files.slice(0, 2) },
    ],
    ["several commands", exec(command("/bin/a"), command("/bin/b")), { command: undefined }],
    ["no command", exec(), { command: undefined }],
    ["a variable in the command", exec(command("/bin/a", "${B}")), { command: undefined }],
  ])("reads %s", (_, change, want) => {
    expect({ command: undefined, ...(read(change, {}) as object) }).toMatchObject(want);
  });

  it.each<[string, object, object]>([
    ["a number for a text", { ControlGroup: ["s", 1] }, {}],
    ["a text for a number", { MainPID: ["u", "4711"] }, {}],
    ["another type", { MainPID: ["t", 4711] }, {}],
    ["a number that is none of ours", { MainPID: ["u", 1.5] }, {}],
    ["arguments that are no list", exec(["/bin/a", "/bin/a"]), {}],
    ["an argument that is no text", exec(["/bin/a", [1]]), {}],
    ["a command that is no list", exec("/bin/a"), {}],
    ["a file that is no pair", { EnvironmentFiles: ["a(sb)", ["/etc/x"]] }, {}],
    ["another unit", {}, { Id: ["s", "other.service"] }],
    ["drop-ins that are no list", {}, { DropInPaths: ["as", "x"] }],
    ["no value", { Type: ["s", undefined] }, {}],
  ])("refuses %s", (_, service, about) => {
    expect(read(service, about)).toBe("malformed_json");
  });

  it("refuses a line less, a line more, and what is no JSON", () => {
    const [service, about] = [printed(SERVICE), printed(ABOUT)];
    expect(outcome(service, about)).toEqual(WORD);
    expect(outcome(service.slice(0, service.indexOf("\n") + 1), about)).toBe("malformed_json");
    expect(outcome(`${service}{}\n`, about)).toBe("malformed_json");
    expect(outcome("", about)).toBe("malformed_json");
    expect(outcome(service, about.replace("{", "("))).toBe("malformed_json");
  });
});

describe("objectPath", () => {
  it.each([
    ["mailer.service", "mailer_2eservice"],
    ["1a@b-c.service", "_31a_40b_2dc_2eservice"],
    ["a\\x2d_:.service", "a_5cx2d_5f_3a_2eservice"],
  ])("of %s", (unit, label) => {
    expect(objectPath(unit)).toBe(`/org/freedesktop/systemd1/unit/${label}`);
  });

  it("is another one for each unit, of allowed characters only", () => {
    const unit = fc.stringMatching(/^[A-Za-z0-9:_.\\@-]{1,20}$/);
    fc.assert(
      fc.property(unit, unit, (one, other) => {
        expect(objectPath(one)).toMatch(/^[A-Za-z0-9_/]+$/);
        expect(objectPath(one) === objectPath(other)).toBe(one === other);
      }),
    );
  });
});

describe("askByBusctl", () => {
  const yard = new Yard();
  afterEach(() => yard.clear());
  const OF = { pid: 4711, startTime: 7 };

  /** A program that answers in busctl's place, and notes each call in a file beside it. */
  const stand = async (body: string): Promise<string> =>
    yard.file("busctl", `#!/bin/sh\necho "$*" >>"$0.calls"\n${body}\n`);
  const answers = (mainPid: number): string => {
    const service = printed({ ...SERVICE, MainPID: ["u", mainPid] });
    return `case "$*" in *systemd1.Service*) cat <<'E'\n${service}E\n;; *) cat <<'E'\n${printed(ABOUT)}E\n;; esac`;
  };
  const calls = async (program: string): Promise<readonly string[]> => {
    return (await readFile(`${program}.calls`, "utf8")).trim().split("\n");
  };

  it("asks the system's bus for properties, and remembers what was said of a process that runs", async () => {
    const program = await stand(answers(4711));
    const ask = askByBusctl({ program });
    expect([await ask(UNIT, OF), await ask(UNIT, OF)]).toEqual([WORD, WORD]);
    const [first = "", ...more] = await calls(program);
    expect(more).toHaveLength(1);
    expect(first).toMatch(
      /^--system --json=short --timeout=2 get-property org\.freedesktop\.systemd1 /,
    );
    await ask(UNIT, { ...OF, startTime: 8 });
    expect(await calls(program)).toHaveLength(4);
  });

  it("remembers nothing of a process that is not the main one", async () => {
    const program = await stand(answers(1));
    const ask = askByBusctl({ program });
    expect([await ask(UNIT, OF), await ask(UNIT, OF)]).toMatchObject([
      { mainPid: 1 },
      { mainPid: 1 },
    ]);
    expect(await calls(program)).toHaveLength(4);
  });

  it.each([
    ["fails", "exit 1"],
    ["fails after an answer", `${answers(4711)}; exit 1`],
    ["says nothing", "exit 0"],
    ["says too much", "yes"],
    ["takes too long", "exec sleep 60"],
  ])("says nothing when it %s", async (_, body) => {
    expect(await askByBusctl({ program: await stand(body) })(UNIT, OF)).toBeUndefined();
  });

  it("says nothing where there is no such program", async () => {
    expect(await askByBusctl({ program: "/nonexistent/busctl" })(UNIT, OF)).toBeUndefined();
  });
});
