import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Refusal, utf8 } from "@countersign/core";
import { LIST_TIMEOUT_MS, runTool, SIGN_TIMEOUT_MS } from "./tool.ts";
import type { ToolRun } from "./tool.ts";

const PIN = "847362";
/** Programs of the system. */
const SYSTEM = { script: "script", mkfifo: "mkfifo" } as const;
const hasScript = spawnSync(SYSTEM.script, ["--version"], { input: "" }).status === 0;

describe("pkcs11-tool as a child", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "countersign-tool-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A program of that name, which is found before any other. */
  function standIn(body: string): NodeJS.ProcessEnv {
    const path = join(folder, "pkcs11-tool");
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
    return { PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` };
  }
  const run = (env: NodeJS.ProcessEnv, more: Partial<ToolRun> = {}): ReturnType<typeof runTool> =>
    runTool({ args: [], env, timeoutMs: LIST_TIMEOUT_MS, pin: { from: "nowhere" }, ...more });
  const refusalOf = async (asked: Promise<unknown>): Promise<Refusal> => {
    const problem = await asked.catch((error: unknown) => error);
    if (problem instanceof Refusal) return problem;
    throw new Error(`not refused: ${String(problem)}`);
  };

  it("says what it said, and how it ended", async () => {
    const env = standIn('echo "out $1"; echo err >&2; exit 3');
    expect(await run(env, { args: ["--a b"] })).toEqual({
      code: 3,
      out: "out --a b\n",
      err: "err\n",
    });
  });

  it("speaks English to us, whatever the user reads", async () => {
    const env = { ...standIn('echo "$LC_ALL"'), LC_ALL: "de_DE.UTF-8" };
    expect((await run(env)).out).toBe("C\n");
  });

  it.skipIf(!hasScript)(
    "gets a PIN by a pipe alone: it stands in no argument, no environment and nothing said",
    async () => {
      const seen = join(folder, "seen");
      const env = standIn(
        `cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ > ${seen}
         [ -t 1 ] || exit 9
         read -r first; read -r second; printf '%s' "$first $second" > ${seen}.pins`,
      );
      const asked = { from: "pipe", pin: utf8(PIN) } as const;
      const answer = await run(env, { args: ["--label", "it's; a $label"], pin: asked });
      expect(answer).toEqual({ code: 0, out: "", err: "" });
      expect(readFileSync(`${seen}.pins`, "utf8")).toBe(`${PIN} ${PIN}`);
      const said = readFileSync(seen, "latin1");
      expect(said).toContain("it's; a $label");
      expect(said).not.toContain(PIN);
    },
  );

  it.skipIf(!hasScript)("tells how a tool ended that asked at its own terminal", async () => {
    const asked = { from: "pipe", pin: utf8(PIN) } as const;
    expect(await run(standIn("exit 7"), { pin: asked })).toMatchObject({ code: 7 });
  });

  it.each(["nowhere", "pipe"] as const)(
    "is left alone when it does not end: PIN from %s",
    async (from) => {
      const stuck = join(folder, "stuck");
      spawnSync(SYSTEM.mkfifo, [stuck]);
      // it opens what nobody ever writes to
      const env = standIn(`read -r never < ${stuck}`);
      const pin = from === "pipe" ? { from, pin: utf8(PIN) } : { from };
      const refusal = await refusalOf(run(env, { timeoutMs: 50, pin }));
      expect([refusal.code, refusal.message]).toEqual([
        "token_refused",
        "token_refused: the token did not answer within 0.05 s",
      ]);
      rmSync(stuck);
    },
  );

  it("is named with what to install where it is missing", async () => {
    const refusal = await refusalOf(run({ PATH: join(folder, "nothing") }));
    expect([refusal.code, refusal.next]).toEqual(["not_found", expect.stringContaining("opensc")]);
  });

  it("waits longer for a person than for a listing", () => {
    expect(SIGN_TIMEOUT_MS).toBeGreaterThan(LIST_TIMEOUT_MS);
  });
});
