import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeFolder, trustFileOf } from "../../packages/cli/src/folder.testing.ts";
import { canonicalJson, writeBundle } from "../../packages/core/src/index.ts";
import { TWO_OF_THREE } from "../../packages/core/src/verify/mutations-parties.testing.ts";
import { makeStory } from "../../packages/core/src/verify/story.testing.ts";
import { Sandbox } from "./countersign.ts";

const box = new Sandbox();
afterAll(() => box.remove());

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe("server init", () => {
  const init = (...more: readonly string[]): ReturnType<Sandbox["run"]> =>
    box.run(["server", "init", "--trust-domain", "example.org", ...more]);

  it("makes a server whose folders are closed to others", async () => {
    const { code, stdout } = await init("--data", box.path("a"), "--policy", "hardened");
    expect(code).toBe(0);
    expect(stdout).toContain(`countersign server run --data ${box.path("a")}`);
    expect(mode(box.path("a", "server"))).toBe("700");
    expect(mode(box.path("a", "server", "server.yaml"))).toBe("600");
    expect(readFileSync(box.path("a", "server", "server.yaml"), "utf8")).toBe(
      'trust_domain: "example.org"\npolicy: "hardened"\n',
    );
  });

  it("refuses a second time and changes nothing", async () => {
    const before = readFileSync(box.path("a", "server", "server.yaml"), "utf8");
    const { code, stderr } = await init("--data", box.path("a"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/already[\s\S]*next: Run it: countersign server run/);
    expect(readFileSync(box.path("a", "server", "server.yaml"), "utf8")).toBe(before);
  });

  it.each([
    [["--policy", "kind"], "policy"],
    [["--api-port", "65536"], "api_port"],
    [["--issuer", "http://id.example.org"], "issuer"],
  ] as const)("refuses %j, naming the setting", async (more, setting) => {
    const { code, stderr } = await init("--data", box.path("bad"), ...more);
    expect(code).toBe(1);
    expect(stderr).toContain(`${setting} `);
    expect(existsSync(box.path("bad", "server", "server.yaml"))).toBe(false);
  });

  it("refuses a development trust domain", async () => {
    const { code, stderr } = await box.run([
      "server",
      "init",
      "--trust-domain",
      "x.dev.invalid",
      "--data",
      box.path("bad"),
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain("[configuration_invalid]");
  });

  it("refuses the folder of countersign dev, wherever it is", async () => {
    mkdirSync(box.path("dev"));
    writeFileSync(box.path("dev", "relying-party.json"), "{}");
    for (const folder of [box.path("dev"), box.path("state", "countersign")]) {
      const { code, stderr } = await init("--data", folder);
      expect(code).toBe(1);
      expect(stderr).toContain("belongs to countersign dev");
    }
  });

  it("refuses a data folder that others may enter", async () => {
    mkdirSync(box.path("open", "server"), { recursive: true, mode: 0o755 });
    chmodSync(box.path("open", "server"), 0o755);
    const { code, stderr } = await init("--data", box.path("open"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[private_mode\]/);
  });

  it("prints its settings so that they read back", async () => {
    const { code, stdout } = await box.run(["server", "--print-config", "--data", box.path("a")]);
    expect(code).toBe(0);
    expect(stdout).toContain('policy: "hardened"');
    expect(stdout).toMatch(/# TCP port of that listener.*\(default 8443\)\napi_port: 8443/);
  });

  it("prints the settings of a proxy that is not enrolled yet", async () => {
    const { code, stdout, stderr } = await box.run([
      "proxy",
      "--print-config",
      "--data",
      box.path("a"),
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain("these are the defaults");
    expect(stdout).toMatch(/# where the server's API is reached \(required\)\n# api_url:/);
    expect((await box.run(["proxy"])).code).toBe(2);
    expect((await box.run(["proxy", "fly"])).stderr).toContain("unknown command 'fly'");
  });

  it("says where in its configuration a fault is", async () => {
    const file = box.path("a", "server", "server.yaml");
    const before = readFileSync(file, "utf8");
    writeFileSync(file, `${before}api_port: http\n`);
    const { code, stderr } = await box.run(["server", "run", "--data", box.path("a")]);
    expect(code).toBe(1);
    expect(stderr).toContain("line 3, column 11: api_port is not an integer");
    writeFileSync(file, before);
  });

  it("does not run with a configuration that others can read", async () => {
    chmodSync(box.path("a", "server", "server.yaml"), 0o644);
    const { code, stderr } = await box.run(["server", "run", "--data", box.path("a")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/can be read by others[\s\S]*0600/);
  });
});

describe("doctor", () => {
  it("says what is wrong, what to do, and exits with 1", async () => {
    const { code, stdout } = await box.run(["doctor", "--data", box.path("a")]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ server {7}no server.sock in .*\n {4}next: Start it/);
    expect(stdout).toMatch(/✓ node/);
  });
});

describe("verify and credential inspect", () => {
  beforeAll(async () => {
    const { story, files } = await makeFolder();
    mkdirSync(box.path("out"));
    for (const [name, octets] of files) writeFileSync(box.path("out", name), octets);
    writeFileSync(box.path("trust.json"), trustFileOf(story));
  });

  it("verifies a folder as of its own second", async () => {
    const { code, stdout } = await box.run(["verify", "out", "--trust", "trust.json"]);
    expect(stdout).toMatch(/^As of 2027-01-15 08:00:00 UTC \(CHECK.md\):\n {2}✓ wit /);
    expect(stdout).toMatch(
      /✓ evidence-file[^\n]*\nVerified\. spiffe:\/\/example.org\/agent\/mailer\//,
    );
    expect(code).toBe(0);
  });

  it("stops at the first gap", async () => {
    const args = ["verify", "out", "--trust", "trust.json", "--at", "1800086400", "--json"];
    const { code, stdout } = await box.run(args);
    const report = JSON.parse(stdout) as { verified: boolean; at_from: string; gap: object };
    expect(code).toBe(1);
    expect(report).toMatchObject({
      verified: false,
      at_from: "--at",
      gap: { id: "wit", reason: "expired" },
    });
  });

  it("verifies a bundle with its token, and says what was not looked at", async () => {
    const args = ["verify", "out/bundle.json", "--wit", "out/wit.jwt", "--trust", "trust.json"];
    const { code, stdout } = await box.run([...args, "--at", "1800000000", "--proof", "verified"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/· wic .*skipped: no certificate was given/);
    expect(stdout).toMatch(/· inclusion .*skipped: not needed for --proof verified/);
    const without = await box.run(["verify", "out/bundle.json", "--trust", "trust.json"]);
    expect(without.code).toBe(1);
    expect(without.stderr).toContain("--wit FILE");
  });

  it("says who of several owners is accepted, and who else signed", async () => {
    const story = await makeStory({ parties: TWO_OF_THREE });
    writeFileSync(box.path("several.json"), canonicalJson(writeBundle(story.bundle)));
    writeFileSync(box.path("several.jwt"), story.presented.wit);
    writeFileSync(box.path("several-trust.json"), trustFileOf(story));
    const files = ["several.json", "--wit", "several.jwt", "--trust", "several-trust.json"];
    const args = ["verify", ...files, "--at", "1800000000", "--proof", "verified"];
    const { stdout } = await box.run(args);
    expect(stdout).toContain(
      [
        "  takes       2 owners; accepted here:",
        "    urn:agent-owner:example.org:alice-0001, assurance 2, a key you pinned",
        "    urn:agent-owner:example.org:bob-000001, assurance 2, a key you pinned",
      ].join("\n"),
    );
    const { verdict } = JSON.parse((await box.run([...args, "--json"])).stdout) as {
      verdict: unknown;
    };
    expect(verdict).toMatchObject({ owner: { parties: { m: 2, accepted: [{ oa: 2 }, {}] } } });
    const inspected = await box.run(["credential", "inspect", "several.json"]);
    expect(inspected.stdout).toMatch(/and by {6}urn:agent-owner:example.org:bob-000001, key /);
    expect(inspected.stdout).toMatch(/signatures: 2\n/);
  });

  it("inspects from standard input and says loudly that nothing was verified", async () => {
    const wit = readFileSync(box.path("out", "wit.jwt"), "utf8");
    const { code, stdout } = await box.run(["credential", "inspect", "-"], { stdin: wit });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^UNVERIFIED: /);
    expect(stdout).toMatch(/owner {7}urn:agent-owner:example.org:alice-0001/);
    const json = await box.run(["credential", "inspect", "out/wic.pem", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: "certificates", verified: false });
  });
});
