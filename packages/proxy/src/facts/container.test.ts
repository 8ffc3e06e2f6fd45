import { afterEach, describe, expect, it } from "vitest";
import { base64url, Refusal, utf8 } from "@countersign/core";
import { openTarget } from "@countersign/node";
import { askByApi, readContainer } from "./container.ts";
import type { ContainerWord } from "./container.ts";
import { codeOf, Yard } from "./family.testing.ts";
import { inspected, serveRuntime } from "./runtime.testing.ts";

const ID = "0f".repeat(32);
const OTHER = "1e".repeat(32);
const WORD: ContainerWord = {
  pid: 4711,
  image: `sha-256:${base64url(new Uint8Array(32).fill(0xab))}`,
  isRootReadOnly: true,
  command: ["/usr/bin/python3", "/app/agent.py"],
};

function read(change: object): unknown {
  try {
    return readContainer(utf8(JSON.stringify(inspected(ID, change))), ID);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe("readContainer", () => {
  it.each<[string, object, unknown]>([
    ["a container", {}, WORD],
    [
      "one whose root can be written",
      { HostConfig: { ReadonlyRootfs: false } },
      { ...WORD, isRootReadOnly: false },
    ],
    ["one without arguments", { Args: [] }, { ...WORD, command: ["/usr/bin/python3"] }],
    ["one that has ended", { State: { Running: false, Pid: 0 } }, undefined],
    ["members that nobody knows", { More: [null, 0.5, { "a b": {} }] }, WORD],
  ])("reads %s", (_, change, want) => {
    expect(read(change)).toEqual(want);
  });

  it.each<[string, object]>([
    ["another container", { Id: OTHER }],
    ["no id", { Id: undefined }],
    ["no state", { State: null }],
    ["a state that is no answer", { State: { Running: "true", Pid: 4711 } }],
    ["no process", { State: { Running: true, Pid: 0 } }],
    ["an image by name", { Image: "mailer:latest" }],
    ["an image of another hash", { Image: `sha512:${"ab".repeat(64)}` }],
    ["a digest that is cut off", { Image: "sha256:abab" }],
    ["nothing about its root", { HostConfig: {} }],
    ["no program", { Path: "" }],
    ["arguments that are no list", { Args: "/app/agent.py" }],
    ["an argument that is no text", { Args: [1] }],
    ["too many arguments", { Args: Array.from({ length: 257 }, () => "x") }],
  ])("refuses %s", (_, change) => {
    expect(read(change)).toBe("malformed_json");
  });
});

describe("askByApi", () => {
  const yard = new Yard();
  afterEach(() => yard.clear());

  it("asks for the container of that id", async () => {
    const ask = await serveRuntime(yard, { [ID]: inspected(ID) });
    expect([await ask(ID), await ask(OTHER), await ask(ID)]).toEqual([WORD, undefined, WORD]);
  });

  it.each<[string, object | string]>([
    ["no JSON", "hello"],
    ["a member twice", `{"Id":"${ID}","Id":"${ID}"}`],
    ["another container", inspected(OTHER)],
    ["too much", "x".repeat(2 ** 20 + 1)],
    ["an error", "broken"],
    ["half an answer", "cut"],
  ])("is not answered by %s: indeterminate", async (_, answer) => {
    const ask = await serveRuntime(yard, { [ID]: answer });
    expect(await codeOf(ask(ID))).toBe("indeterminate");
  });

  it("is not answered where nobody listens: indeterminate", async () => {
    const target = openTarget({ unix: "/nonexistent/runtime.sock" });
    expect(await codeOf(askByApi(target)(ID))).toBe("indeterminate");
    target.close();
  });
});
