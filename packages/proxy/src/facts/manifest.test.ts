import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { codeOf, digest, hasPython, PYTHON, Yard } from "./family.testing.ts";

const AGENT_PY = "print('ready', flush=True)\ninput()\n";

const yard = new Yard();
afterEach(() => yard.clear());

describe.skipIf(!hasPython)("a manifest that the entry names", () => {
  async function agent(
    change: (manifest: Record<string, unknown>) => void = () => undefined,
  ): Promise<{ path: string; script: string; prompt: string }> {
    const script = await yard.file("agent.py", AGENT_PY);
    const prompt = join(dirname(script), "prompt.txt");
    await writeFile(prompt, "be kind");
    const manifest: Record<string, unknown> = {
      typ: "agent-manifest/1",
      files: [{ path: "agent.py", d: await digest(script) }],
      prompt: { path: prompt, d: await digest(prompt) },
    };
    change(manifest);
    const path = join(dirname(script), "manifest.json");
    await writeFile(path, JSON.stringify(manifest));
    return { path, script, prompt };
  }

  it("is measured with every file of it, also for code that has no script", async () => {
    const { path, prompt, script } = await agent();
    const options = { interpreterOptions: ["-m agent"], manifest: path };
    const child = yard.start(PYTHON, ["-m", "agent"], { cwd: dirname(script) });
    const { proc, manifest } = await yard.factsOf(child, options);
    expect(proc.args).toEqual([]);
    expect(manifest).toEqual([
      { n: "manifest", d: await digest(path), basis: "argv" },
      { n: "prompt", d: await digest(prompt), basis: "argv" },
    ]);
    expect(await codeOf(yard.factsOfPid(child.pid, { ...options, interpreterOptions: [] }))).toBe(
      "loader_forbidden",
    );
    await writeFile(prompt, "be cruel");
    expect(await codeOf(yard.factsOfPid(child.pid, options))).toBe("program_changed");
  });

  it.each<[string, (manifest: Record<string, unknown>) => void, string]>([
    ["as it is", () => undefined, "accepted"],
    ["of another type", (m) => (m["typ"] = "agent-manifest/2"), "facts_missing"],
    ["with an unknown member", (m) => (m["extra"] = 1), "facts_missing"],
    ["without files", (m) => delete m["files"], "facts_missing"],
    [
      "with a file that has an unknown member",
      (m) => (m["files"] = [{ path: "a", d: "b", e: 1 }]),
      "facts_missing",
    ],
    [
      "with a digest that is none",
      (m) => (m["files"] = [{ path: "agent.py", d: "sha-256:x" }]),
      "facts_missing",
    ],
    [
      "with a file that is not there",
      (m) => (m["files"] = [{ path: "x", d: `sha-256:${"A".repeat(43)}` }]),
      "program_changed",
    ],
    [
      "with a file of another digest",
      (m) => (m["files"] = [{ path: "agent.py", d: `sha-256:${"A".repeat(43)}` }]),
      "program_changed",
    ],
    [
      "with too many files",
      (m) =>
        (m["files"] = Array.from({ length: 257 }, () => ({
          path: "agent.py",
          d: `sha-256:${"A".repeat(43)}`,
        }))),
      "facts_missing",
    ],
    [
      "longer than is read",
      (m) => (m["files"] = [{ path: "a".repeat(300_000), d: "" }]),
      "facts_missing",
    ],
  ])("%s", async (_, change, code) => {
    const { path, script } = await agent(change);
    const child = yard.start(PYTHON, [script]);
    expect(await codeOf(yard.factsOf(child, { interpreterOptions: [], manifest: path }))).toBe(
      code,
    );
  });

  it("that is not there", async () => {
    const script = await yard.file("agent.py", AGENT_PY);
    const child = yard.start(PYTHON, [script]);
    expect(
      await codeOf(yard.factsOf(child, { interpreterOptions: [], manifest: "/nowhere.json" })),
    ).toBe("facts_missing");
  });
});
