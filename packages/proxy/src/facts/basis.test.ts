import { describe, expect, it } from "vitest";
import { isStartedByUnit } from "./basis.ts";
import type { Started } from "./basis.ts";
import type { UnitPlace } from "./cgroup.ts";
import type { UnitWord } from "./systemd.ts";

const PATH = "/system.slice/mailer.service";
const ARGV = ["/usr/bin/node", "/srv/agent.mjs"];
const PROCESS: Started = {
  pid: 4711,
  uid: 1001,
  command: ARGV,
  capsPermitted: 0n,
  hasOwnUserNamespace: false,
};
const WORD: UnitWord = {
  mainPid: 4711,
  isMainPidOwn: true,
  controlGroup: PATH,
  command: { file: "/usr/bin/node", argv: ARGV },
  files: [],
};
const PLACE: UnitPlace = { unit: "mailer.service", path: PATH, isInSystemSlice: true };
const { command: _none, ...VAGUE } = WORD;

interface Change {
  readonly word?: Partial<UnitWord>;
  readonly place?: Partial<UnitPlace>;
  readonly process?: Partial<Started>;
}

describe("isStartedByUnit", () => {
  it.each<[string, Change, boolean]>([
    ["as systemd says", {}, true],
    ["in a group that the unit made", { place: { path: `${PATH}/job` } }, true],
    ["a program that is no interpreter", { process: { command: undefined } }, true],
    ["with the right to low ports", { process: { capsPermitted: 1n << 10n } }, true],
    ["a child of the main process", { process: { pid: 4712 } }, false],
    ["no main process", { word: { mainPid: 0 } }, false],
    ["a main process that the service may have named", { word: { isMainPidOwn: false } }, false],
    ["another group than systemd's", { word: { controlGroup: "/a.slice/mailer.service" } }, false],
    ["no group", { word: { controlGroup: "" } }, false],
    ["another script", { process: { command: ["/usr/bin/node", "/tmp/evil.mjs"] } }, false],
    ["an argument more", { process: { command: [...ARGV, "-x"] } }, false],
    ["an argument less", { process: { command: ARGV.slice(0, 1) } }, false],
    ["arguments that are cut elsewhere", { process: { command: [ARGV.join(" ")] } }, false],
    ["a way to mount", { process: { capsPermitted: 1n << 21n } }, false],
    ["a way to write others' files", { process: { capsPermitted: 1n << 1n } }, false],
    ["a user namespace of its own", { process: { hasOwnUserNamespace: true } }, false],
  ])("%s: %#", (_, change, is) => {
    const word = { ...WORD, ...change.word };
    const process = { ...PROCESS, ...change.process };
    expect(isStartedByUnit(word, { ...PLACE, ...change.place }, process)).toBe(is);
  });

  it("by a command that is not one fixed command: no", () => {
    expect(isStartedByUnit(VAGUE, PLACE, PROCESS)).toBe(false);
  });
});
