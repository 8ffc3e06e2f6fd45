import { readdirSync, rmSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { demoRun } from "../demo-run.ts";
import type { DemoRun } from "../demo-run.ts";
import { demoBase, Home, processesNaming, ROOT, until } from "./countersign.ts";

const HELD = [
  /ready after .*: [0-9a-f]{10}\.dev\.invalid/,
  /services on this machine pin the key [\w-]{43}/,
  /a caller without any token: refused, wpt_missing/,
  /it waits, and shows the code [0-9A-Z]{5}-[0-9A-Z]{5}/,
  /the owner's screen shows the code [0-9A-Z]{5}-[0-9A-Z]{5} too/,
  /approved: spiffe:\/\/.*\/agent\/hello\/[0-9a-f]{16}/,
  /it answers: 200 hello spiffe:.*, approved by urn:agent-owner:/,
  /each renewal is another credential, counted/,
  /the agent noticed nothing: \d+ calls, all answered 200/,
  /approved: spiffe:\/\/.*\/agent\/courier\/[0-9a-f]{16}/,
  /18 files, verified link by link/,
  /the courier's own request is answered/,
  /the same proof again: refused, replayed/,
  /the token with a proof by another key: refused, invalid_signature/,
  /a stranger at the door: refused, peer_unexpected/,
  /a proof for another address: refused, outside_ceiling/,
  /a token without an owner: refused, owner_missing/,
  /the owner is asked, because: .*script [\w-]{8} → [\w-]{8}/,
  /the changed script: refused, approval_denied/,
  /the script as it was starts again, inside its approval: nobody is asked/,
  /until now it gets its proofs/,
  /stopped/,
  /a proof, .* after the answer: refused, halted/,
  /a new credential, by the server, .* after it: refused, halted/,
  /the log says so: credential\.refused, halted/,
  /the other agent of this owner goes on/,
];

describe("npm run demo", () => {
  let run: DemoRun;
  beforeAll(async () => {
    run = await demoRun();
  });

  it("ends with 0 and the count of what held", () => {
    expect(run).toMatchObject({ code: 0 });
    expect(run.output).toContain(`${HELD.length} of ${HELD.length} checks held`);
  });

  it("says every step, in order", () => {
    const held = run.output.split("\n").filter((line) => line.startsWith("  ✓ "));
    expect(held).toHaveLength(HELD.length);
    for (const [i, line] of held.entries()) expect(line).toMatch(HELD[i] ?? /^$/);
    expect(run.output).not.toContain("✗");
    expect(run.output.match(/credential \d+ came \d\.\d s after credential \d+/g)).toHaveLength(2);
  });

  it("writes no colours where no terminal shows them", () => {
    expect(run.output).not.toContain("\u001b");
  });

  it("writes the files for strangers", () => {
    expect(readdirSync(run.folder).toSorted()).toEqual([
      ...["CHECK.md", "allowed_signers", "bundle.json", "chain.pem", "checkpoint.txt"],
      ...["evidence.jwt", "jwks.json", "leaf.tlog-proof", "proxy.jwk", "record.json"],
      ...["record.salt", "relying-party.json", "root.pem", "statement.json"],
      ...["statement.sshsig", "trust-bundle.json", "wic.pem", "wit.jwt", "wpt.jwt"],
    ]);
  });
});

describe("npm run demo, interrupted", () => {
  it("ends everything that it started", async () => {
    const home = await Home.create();
    const base = demoBase();
    try {
      const tmp = { TMPDIR: base };
      const demo = home.spawn(
        process.execPath,
        [`${ROOT}scripts/demo.mjs`, "--out", home.file("o")],
        tmp,
      );
      await demo.when("owner's turn", ({ out }) => out.find((line) => line.includes("the code")));
      const folder = await until("folder of the demo", () =>
        readdirSync(base).find((name) => name.startsWith("countersign-demo-")),
      );
      expect(processesNaming(folder).length).toBeGreaterThan(2);
      demo.signal("SIGINT");
      expect((await demo.ended).code).toBe(130);
      expect(processesNaming(folder)).toEqual([]);
      expect(readdirSync(base)).not.toContain(folder);
    } finally {
      await home.close();
      rmSync(base, { recursive: true });
    }
  });
});
