import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { demoRun } from "../demo-run.ts";
import { ROOT } from "./countersign.ts";

const MAIN = join(ROOT, "packages/cli/dist/main.js");

describe("countersign verify", () => {
  let folder = "";
  let original = "";
  beforeAll(async () => {
    original = (await demoRun()).folder;
    folder = mkdtempSync(join(tmpdir(), "countersign-verify-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  interface Report {
    readonly verified: boolean;
    readonly gap?: { readonly id: string; readonly reason: string };
    readonly verdict?: { readonly agent: string; readonly proof: string };
  }

  /** Verifies a copy of the demo's folder in which one file was changed. */
  function verify(
    change: (copy: string) => void,
    ...more: readonly string[]
  ): Report & { readonly code: number | null } {
    const copy = join(folder, "copy");
    rmSync(copy, { recursive: true, force: true });
    cpSync(original, copy, { recursive: true });
    change(copy);
    const trust = ["--trust", join(original, "relying-party.json")];
    const args = [MAIN, "verify", copy, ...trust, "--json", ...more];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: "utf8",
      timeout: 20_000,
    });
    if (stdout === "") throw new Error(stderr);
    return { code: status, ...(JSON.parse(stdout) as Report) };
  }

  /** One octet of a file in the middle of which nothing else changes. */
  const flip = (name: string, pick: (text: string) => number) => (copy: string) => {
    const path = join(copy, name);
    const text = readFileSync(path, "utf8");
    const at = pick(text);
    const other = text[at] === "A" ? "B" : "A";
    writeFileSync(path, text.slice(0, at) + other + text.slice(at + 1));
  };
  const middle = (text: string): number => Math.floor(text.length / 2);

  it("verifies the demo's folder up to the log", () => {
    const report = verify(() => undefined);
    expect(report).toMatchObject({ code: 0, verified: true, verdict: { proof: "logged" } });
    expect(report.gap).toBeUndefined();
  });

  it.each([
    ["wit.jwt", flip("wit.jwt", middle), "wit"],
    ["wpt.jwt", flip("wpt.jwt", middle), "wpt"],
    ["statement.json", flip("statement.json", middle), "statement"],
    ["statement.sshsig", flip("statement.sshsig", middle), "sshsig"],
    ["allowed_signers", flip("allowed_signers", (text) => text.indexOf("AAAAI") + 40), "signers"],
    ["record.json", flip("record.json", middle), "record"],
    ["evidence.jwt", flip("evidence.jwt", middle), "evidence"],
    ["leaf.tlog-proof", flip("leaf.tlog-proof", middle), "log"],
    ["checkpoint.txt", flip("checkpoint.txt", middle), "log"],
  ])("one octet of %s changed: it does not verify, and the link is named", (_, change, id) => {
    const report = verify(change);
    expect(report).toMatchObject({ code: 1, verified: false });
    expect(report.verdict).toBeUndefined();
    expect(report.gap?.id).toContain(id);
  });

  it("does not verify for another address, or after its end", () => {
    expect(verify(() => undefined, "--resource", "http://localhost:1/")).toMatchObject({
      gap: { reason: "outside_ceiling" },
    });
    const [, claims = ""] = readFileSync(join(original, "wit.jwt"), "utf8").split(".");
    const { exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { exp: number };
    expect(verify(() => undefined, "--at", String(exp + 61))).toMatchObject({
      code: 1,
      gap: { reason: "expired" },
    });
  });
});
