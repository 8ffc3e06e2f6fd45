// On what the files of a unit's process rest: real processes in real cgroups, and the word of a systemd that is ours.
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { appraise } from "@countersign/core";
import type { Appraisal } from "@countersign/core";
import { generateSigner, pause, systemTimers } from "@countersign/node";
import { canMakeGroups, makeGroup, moveTo } from "./cgroups.testing.ts";
import { codeOf, hasPython, digest, OTHER_UID, PYTHON, Yard } from "./family.testing.ts";
import { processHandle } from "./peer.ts";
import { collectFacts } from "./process.ts";
import type { Facts } from "./process.ts";
import type { UnitWord } from "./systemd.ts";

/** Says that it is ready; told another command line, it writes it over its own and says so again. */
const AGENT = `
import sys
def field(n): return int(open("/proc/self/stat").read().rpartition(")")[2].split()[n - 3])
print("ready", flush=True)
for line in sys.stdin:
    start, end = field(48), field(49)
    said = b"".join(word.encode() + b"\\0" for word in line.split())
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start); memory.write(said + b"\\0" * (end - start - len(said)))
    print("ready", flush=True)
`;
/** Three ticks of tolerance, and the files' clock may be a tick behind. */
const FORGIVEN_MS = 100;
const UNIT = `countersign-test-${process.pid}.service`;

const yard = new Yard();
afterEach(() => yard.clear());

/** A folder that only root can change, down from the root directory. */
async function rootsFolder(): Promise<string> {
  const folder = await mkdtemp("/run/countersign-test-");
  yard.after(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  return folder;
}

interface Stage {
  readonly folder: string;
  readonly script: string;
  /** Another script, as good as the agent's: root's, and there since before the start. */
  readonly other: string;
  readonly unitFile: string;
  readonly word: UnitWord;
  /** Facts of the agent, with what systemd says; another command line is written over its own first. */
  facts(word?: UnitWord, said?: string): Promise<Facts>;
}

async function stage(
  options: { slice?: string; named?: string; manifest?: (folder: string) => string } = {},
): Promise<Stage> {
  const folder = await rootsFolder();
  const at = (name: string): string => join(folder, name);
  const [script, other, unitFile] = [at("agent.py"), at("other.py"), at(UNIT)];
  await writeFile(script, AGENT);
  await writeFile(other, "# another one\n");
  await writeFile(unitFile, "[Service]\n");
  await writeFile(at("prompt"), "be kind");
  const d = await digest(at("prompt"));
  const manifest = { typ: "agent-manifest/1", files: [], prompt: { path: "prompt", d } };
  await writeFile(at("manifest.json"), JSON.stringify(manifest));
  const path = `/${options.slice ?? "system.slice"}/${UNIT}`;
  const group = await makeGroup(yard, path);
  const argv = [PYTHON, options.named ?? script];
  const agent = yard.start(PYTHON, argv.slice(1), { uid: OTHER_UID, cwd: folder });
  await agent.line();
  await moveTo(group, agent.pid);
  const peer = processHandle(agent.pid);
  yard.after(() => Promise.resolve(peer.close()));
  const word = {
    mainPid: agent.pid,
    isMainPidOwn: true,
    controlGroup: path,
    command: { file: PYTHON, argv },
    files: [unitFile],
  };
  return {
    folder,
    script,
    other,
    unitFile,
    word,
    facts: async (said, over) => {
      if (over !== undefined) {
        agent.tell(over);
        await agent.line();
      }
      const named = options.manifest?.(folder);
      const entry = { interpreterOptions: [], ...(named === undefined ? {} : { manifest: named }) };
      return collectFacts(peer, entry, { askUnit: () => Promise.resolve(said) });
    },
  };
}

/** What the appraisal says of the executables, and whether `hardened` refuses for that. */
function executablesOf({ proc }: Facts): { laptop: number | undefined; refuses: boolean } {
  const measured = new Set([proc.exe.d, ...proc.args.map(({ d }) => d)]);
  const entry = { facts: [], pins: [], insecureSameUid: false, uid: OTHER_UID };
  const judge = (policy: "laptop" | "hardened"): Appraisal =>
    appraise(
      {
        ...{ eatNonce: "", aud: "", iat: 1, key: generateSigner().key, req: proc.exe.d },
        submods: { host: { countersign_os: { kernel: "" } }, agent: { countersign_proc: proc } },
      },
      entry,
      measured,
      policy,
      0,
    );
  const laptop = judge("laptop");
  expect(laptop.verdict).toBe("ok");
  return {
    laptop: laptop.agent.ear_trustworthiness_vector.executables,
    refuses: judge("hardened").reasons.some((reason) => reason.includes("the program states")),
  };
}

const basis = ({ proc }: Facts): string | undefined => proc.args[0]?.basis;

describe.skipIf(!canMakeGroups || !hasPython)("basis unit (root and cgroup v2 only)", () => {
  it("is that of a script which systemd names and the agent's user cannot change", async () => {
    const { facts, word, script } = await stage();
    const found = await facts(word);
    expect(found.proc.args).toEqual([{ path: script, d: await digest(script), basis: "unit" }]);
    expect(await found.stillTrue()).toBe(true);
  });

  it.each<[string, (word: UnitWord) => UnitWord | undefined]>([
    ["silent", () => undefined],
    ["of another process", (word) => ({ ...word, mainPid: word.mainPid + 1 })],
    ["of another command", (word) => ({ ...word, command: { file: PYTHON, argv: [PYTHON] } })],
    [
      "of another interpreter",
      (word) => ({
        ...word,
        command: { file: "/bin/sh", argv: word.command?.argv ?? [] },
      }),
    ],
    [
      "of an interpreter that is not there",
      (word) => ({
        ...word,
        command: { file: "/nonexistent", argv: word.command?.argv ?? [] },
      }),
    ],
    ["without unit file", (word) => ({ ...word, files: [""] })],
    [
      "with a drop-in where the user writes",
      (word) => ({ ...word, files: [...word.files, "/tmp"] }),
    ],
  ])("is not when systemd is %s", async (_, change) => {
    const { facts, word } = await stage();
    expect(basis(await facts(change(word)))).toBe("argv");
  });

  it.each<[string, (at: Stage) => Promise<unknown>]>([
    ["can write its folder", ({ folder }) => chmod(folder, 0o775)],
    ["owns its folder", ({ folder }) => chown(folder, OTHER_UID, 0)],
    ["can write the unit file", ({ unitFile }) => chmod(unitFile, 0o666)],
  ])("is not when the agent's user %s", async (_, change) => {
    const at = await stage();
    await change(at);
    expect(basis(await at.facts(at.word))).toBe("argv");
  });

  it("is not that of a script named from the working directory, which the agent chooses", async () => {
    const { facts, word } = await stage({ named: "agent.py" });
    expect(basis(await facts(word))).toBe("argv");
  });

  it("T13: is not that of another script which an overwritten command line names", async () => {
    const { facts, word, other } = await stage();
    expect(executablesOf(await facts(word))).toEqual({ laptop: -2, refuses: false });
    const claimed = await facts(word, `${PYTHON} ${other}`);
    expect(claimed.proc.args).toEqual([{ path: other, d: await digest(other), basis: "argv" }]);
    expect(executablesOf(claimed)).toEqual({ laptop: 32, refuses: true }); // PASSES under laptop
  });

  it("T13: a script swapped after the start is refused", async () => {
    const { facts, word, script } = await stage();
    await pause(systemTimers, FORGIVEN_MS); // a script written while its process began cannot be told from one before
    await writeFile(script, `${AGENT}# better\n`);
    expect(await codeOf(facts(word))).toBe("program_changed");
  });

  it("is that of a manifest all of whose files the agent's user cannot change, and of no other", async () => {
    const bases = async (at: Stage): Promise<unknown> =>
      (await at.facts(at.word)).manifest?.map((one) => one.basis);
    // from where the agent chooses
    expect(await bases(await stage({ manifest: () => "manifest.json" }))).toEqual(["argv", "argv"]);
    const named = await stage({ manifest: (folder) => join(folder, "manifest.json") });
    expect(await bases(named)).toEqual(["unit", "unit"]);
    await chown(join(named.folder, "prompt"), OTHER_UID, 0);
    expect(await bases(named)).toEqual(["argv", "argv"]);
  });

  it("confirms a unit of another slice, whose name alone says nothing", async () => {
    const slice = `countersign-test-${process.pid}.slice`;
    const { facts, word } = await stage({ slice });
    expect((await facts(word)).proc).toMatchObject({ unit: UNIT, args: [{ basis: "unit" }] });
    for (const said of [undefined, { ...word, controlGroup: `/system.slice/${UNIT}` }])
      expect((await facts(said)).proc.unit).toBeUndefined();
  });
});
