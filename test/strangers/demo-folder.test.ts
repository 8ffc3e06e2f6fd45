import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LINKS } from "@countersign/core";
import { demoRun } from "../demo-run.ts";
import { peer } from "./peers.ts";
import type { PeerName } from "./peers.ts";

const PROGRAMS = {
  openssl: /^openssl /,
  "ssh-keygen": /^ssh-keygen /,
  python3: /^python3 /,
} as const satisfies Partial<Record<PeerName, RegExp>>;
type ProgramName = keyof typeof PROGRAMS;

/** How many commands of each `CHECK.md` gives. */
const COMMANDS: readonly (readonly [ProgramName, number])[] = [
  ["openssl", 2],
  ["ssh-keygen", 1],
  ["python3", 5],
];

/** What each page's commands are in: the folder's own, or the repository. */
const PAGES: readonly (readonly [string, (folder: string) => string])[] = [
  ["CHECK.md of the demo's folder", (folder) => join(folder, "CHECK.md")],
  [
    "docs/verify-without-us.md, on the demo's folder",
    () => fileURLToPath(new URL("../../docs/verify-without-us.md", import.meta.url)),
  ],
];

describe.each(PAGES)("%s", (_page, pathOf) => {
  let folder = "";
  let original = "";
  let commands: readonly string[] = [];
  beforeAll(async () => {
    original = (await demoRun()).folder;
    folder = mkdtempSync(join(tmpdir(), "countersign-strangers-"));
    const page = readFileSync(pathOf(original), "utf8");
    commands = [...page.matchAll(/```sh\n([^]*?)\n```/g)].map(([, command]) => command ?? "");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const of = (name: ProgramName): readonly string[] =>
    commands.filter((command) => PROGRAMS[name].test(command));

  /** Runs a command of the page in a copy of the folder, as its reader would. */
  function run(command: string, change: (copy: string) => void = () => undefined) {
    const copy = join(folder, "copy");
    rmSync(copy, { recursive: true, force: true });
    cpSync(original, copy, { recursive: true });
    change(copy);
    const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-c", command], {
      cwd: copy,
      encoding: "utf8",
      timeout: 20_000,
      env: { PATH: "/usr/bin:/bin", LANG: "C.UTF-8" },
    });
    return { status, said: stdout + stderr };
  }

  /** Changes one octet: in `name`, the last character of what `find` finds. */
  const changed = (name: string, find: RegExp) => (copy: string) => {
    const path = join(copy, name);
    const text = readFileSync(path, "utf8");
    const found = find.exec(text);
    if (found === null) throw new Error(`nothing to change in ${name}`);
    const at = found.index + found[0].length - 1;
    const other = text[at] === "A" ? "B" : "A";
    writeFileSync(path, text.slice(0, at) + other + text.slice(at + 1));
  };

  it("has its lines, and no other commands than those run here", () => {
    const page = readFileSync(join(original, "CHECK.md"), "utf8");
    expect(page).toMatch(/^now: [0-9]{10}$/m);
    expect(page).toMatch(/^aud: http:\/\/localhost:[0-9]+\/$/m);
    expect(page).toContain("development");
    expect(COMMANDS.map(([name]) => [name, of(name).length])).toEqual(COMMANDS);
    expect(commands).toHaveLength(COMMANDS.reduce((sum, [, count]) => sum + count, 0));
  });

  describe.skipIf(!peer("openssl").present)("OpenSSL", () => {
    it("accepts the certificate", () => {
      expect(run(of("openssl")[0] ?? "")).toEqual({ status: 0, said: "wic.pem: OK\n" });
    });
    it("refuses another one", () => {
      // of the signature, which stands at the end
      const change = changed(
        "wic.pem",
        /[A-Za-z0-9+/](?=[A-Za-z0-9+/]{8}[=A-Za-z0-9+/]*\n-----END)/,
      );
      expect(run(of("openssl")[0] ?? "", change).status).not.toBe(0);
    });
    it("shows the owner in the certificate, and the digest of what was signed", () => {
      const { status, said } = run(of("openssl")[1] ?? "");
      expect(said).toMatch(/UTF8STRING +:urn:agent-owner:[\w.-]+:[\w-]+$/m);
      expect(status).toBe(0);
    });
    it.each([
      ["statement", changed("statement.json", /"max_issue":[0-9]/)],
      [
        "certificate, without the extension",
        (copy: string) => cpSync(join(copy, "chain.pem"), join(copy, "wic.pem")),
      ],
    ])("does not with another %s", (_, change) => {
      expect(run(of("openssl")[1] ?? "", change).status).not.toBe(0);
    });
  });

  describe.skipIf(!peer("ssh-keygen").present)("ssh-keygen", () => {
    it("says Good of the owner's signature", () => {
      const { status, said } = run(of("ssh-keygen")[0] ?? "");
      expect(said).toContain('Good "agent-consent-v1@countersign" signature for owner');
      expect(status).toBe(0);
    });
    it.each([
      ["statement", changed("statement.json", /"max_issue":[0-9]/)],
      ["key", changed("allowed_signers", /AAAAI[A-Za-z0-9+/]{40}/)],
    ])("does not with another %s", (_, change) => {
      expect(run(of("ssh-keygen")[0] ?? "", change).status).not.toBe(0);
    });
  });

  describe.skipIf(!peer("python3").present)("Python", () => {
    it.each([0, 1, 2, 3, 4])("command %i holds", (i) => {
      expect(run(of("python3")[i] ?? "")).toMatchObject({ status: 0 });
    });

    const inSignature = /\.[^.]+\.[\w-]{20}/;
    it.each([
      ["token", 0, changed("wit.jwt", inSignature)],
      ["proof", 0, changed("wpt.jwt", inSignature)],
      ["key of the issuer", 0, changed("jwks.json", /"x":"[\w-]{20}/)],
      ["token", 1, changed("wit.jwt", inSignature)],
      ["statement", 1, changed("statement.json", /"max_issue":[0-9]/)],
      ["pinned key", 1, changed("allowed_signers", /AAAAI[A-Za-z0-9+/]{40}/)],
      ["endorsement", 1, changed("bundle.json", /"end":"[\w-]+\.[\w-]+\.[\w-]{20}/)],
      ["token", 2, changed("wit.jwt", /^[^.]+\.[\w-]{40}/)],
      ["certificate", 2, (copy: string) => cpSync(join(copy, "chain.pem"), join(copy, "wic.pem"))],
      ["statement", 3, changed("statement.json", /"max_issue":[0-9]/)],
      ["checkpoint", 3, changed("checkpoint.txt", /\/log\n[0-9]/)],
      ["record", 3, changed("record.json", /"n":[0-9]/)],
      ["salt", 3, changed("record.salt", /^./)],
      ["token", 3, changed("wit.jwt", inSignature)],
      [
        "certificate",
        3,
        changed("wic.pem", /[A-Za-z0-9+/](?=[A-Za-z0-9+/]{8}[=A-Za-z0-9+/]*\n-----END)/),
      ],
      ["log's key", 3, changed("trust-bundle.json", /"vkey":"[^"]+\+A[\w+/]{20}/)],
      ["evidence", 4, changed("evidence.jwt", inSignature)],
      ["proxy's key", 4, changed("proxy.jwk", /"x":"[\w-]{20}/)],
      ["record", 4, changed("record.json", /"jti":"[\w-]{5}/)],
    ])("another %s: command %i fails", (_, i, change) => {
      expect(run(of("python3")[i] ?? "", change).status).not.toBe(0);
    });
  });
});

it("docs/verify-without-us.md names every link of the verifier", () => {
  const page = readFileSync(PAGES[1]?.[1]("") ?? "", "utf8");
  expect(LINKS.map(({ id }) => id).filter((id) => !page.includes(`\`${id}\``))).toEqual([]);
});
