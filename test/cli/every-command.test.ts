// Every command there is, as a program would call it: with --json, one document comes back, whatever happens.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { vocabulary } from "../../packages/cli/src/commands/completion.ts";
import type { Word } from "../../packages/cli/src/completion-script.ts";
import { sshKeyOf, utf8, writeArmor, writePublicKeyLine } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { securityKeySign } from "../../packages/server/src/security-key.testing.ts";
import { fakeCli } from "../../packages/cli/src/cli.testing.ts";
import { COURIER } from "../e2e/countersign.ts";
import type { Home } from "../e2e/countersign.ts";
import { Production } from "../e2e/production.ts";
import { Sandbox } from "./countersign.ts";

const leavesOf = (words: readonly Word[], before = ""): readonly string[] =>
  words.flatMap((word) => {
    const path = `${before}${word.name}`;
    return word.verbs.length === 0 ? [path] : leavesOf(word.verbs, `${path} `);
  });

/** Commands that run until they are ended; what they say is their log. */
const DAEMONS = [
  "dev",
  "server run",
  "proxy run",
  "owner policy run",
  "owner gateway run",
  "owner watch",
  "log witness run",
  "log monitor",
];

/** Every command with words behind it, where nothing runs: the exit code, and the reason of the refusal. */
const ALONE: Readonly<Record<string, readonly [words: string, code: number, reason?: string]>> = {
  dev: ["--frob", 2, "malformed_request"],
  run: ["--agent a -- true", 1, "unreachable"],
  "agent register": ["a --audience https://a.example/", 1, "unreachable"],
  "agent list": ["", 1, "unreachable"],
  "agent remove": ["a", 1, "unreachable"],
  "owner enrol": ["me --key id", 1, "unreachable"],
  "owner invite": ["me", 1, "unreachable"],
  "owner list": ["", 1, "unreachable"],
  "owner requests": ["", 1, "unreachable"],
  "owner approve": ["a --key id", 1, "unreachable"],
  "owner presign": ["a --key id", 1, "unreachable"],
  "owner policy run": ["--rules nowhere --owner a --key id", 1, "configuration_invalid"],
  "owner gateway init": ["--token-file nowhere --proxy a", 1, "not_found"],
  "owner gateway run": ["", 1, "configuration_invalid"],
  "owner gateway config": ["example.org", 0],
  "owner deny": ["a", 1, "unreachable"],
  "owner block": ["a", 1, "unreachable"],
  "owner unblock": ["a", 1, "unreachable"],
  "owner habits": ["a", 1, "unreachable"],
  "owner expect": ["a", 1, "unreachable"],
  "owner starters": ["--owner me", 1, "unreachable"],
  "owner watch": ["me", 1, "unreachable"],
  "owner webhook add": ["me https://hooks.example.com/", 1, "unreachable"],
  "owner webhook list": ["", 1, "unreachable"],
  "owner webhook rotate": ["a", 1, "unreachable"],
  "owner webhook test": ["a", 1, "unreachable"],
  "owner webhook remove": ["a", 1, "unreachable"],
  "owner remove-key": ["a", 1, "unreachable"],
  "owner recover start": ["a --key id", 1, "unreachable"],
  "owner recover list": ["", 1, "unreachable"],
  "owner recover cancel": ["a", 1, "unreachable"],
  "owner stop-codes": ["a", 1, "unreachable"],
  "owner resume-key": ["a", 1, "unreachable"],
  "credential inspect": ["nowhere", 1, "not_found"],
  verify: ["nowhere --trust nowhere", 1, "not_found"],
  "halt agent": ["a", 1, "unreachable"],
  "halt entry": ["a", 1, "unreachable"],
  "halt grant": ["a", 1, "unreachable"],
  "halt owner": ["a", 1, "unreachable"],
  "halt proxy": ["a", 1, "unreachable"],
  "halt everything": ["", 1, "unreachable"],
  lift: ["", 1, "unreachable"],
  "log show": ["", 1, "unreachable"],
  "log verify": ["", 1, "unreachable"],
  "log monitor": ["http://127.0.0.1:1/log --vkey x --once", 1, "checkpoint_invalid"],
  "log export": ["out", 1, "unreachable"],
  "log witness init": ["--name w.example/1", 0],
  "log witness run": ["--log x", 1, "configuration_invalid"],
  doctor: ["", 1],
  "server init": ["--trust-domain Example.ORG", 1, "invalid_identifier"],
  "server run": ["", 1, "configuration_invalid"],
  "server join-token": ["--proxy a", 1, "unreachable"],
  "server gateway-token": ["--gateway a --proxy b", 1, "unreachable"],
  "server gateways": ["", 1, "unreachable"],
  "server status": ["", 1, "unreachable"],
  "server keys rotate": ["", 1, "unreachable"],
  "server backup": ["copy", 1, "not_found"],
  "server recover": ["--yes", 1, "configuration_invalid"],
  "server config": ["", 0],
  "proxy enroll": ["--token-file nowhere", 1, "not_found"],
  "proxy run": ["", 1, "configuration_invalid"],
  "proxy status": ["", 1, "unreachable"],
  "proxy config": ["", 0],
  completion: ["bash", 0],
};

let leaves: readonly string[];
beforeAll(async () => {
  leaves = leavesOf(await vocabulary(fakeCli()));
});

/** The words with ours in front, which hold for a command behind `--` too. */
const typed = (path: string, words: string, data: string): readonly string[] => [
  ...["--json", "--data", data, ...path.split(" ")],
  ...words.split(" ").filter((word) => word !== ""),
];

describe("every command, where nothing runs", () => {
  const box = new Sandbox();
  afterAll(() => box.remove());

  it("stands in the table", () => {
    expect(Object.keys(ALONE).toSorted()).toEqual([...leaves].toSorted());
  });

  it.each(Object.entries(ALONE))("%s", async (path, [words, wanted, reason]) => {
    const { code, stdout, stderr } = await box.run(typed(path, words, box.path(path)));
    expect(code).toBe(wanted);
    if (reason === undefined) {
      expect(JSON.parse(stdout)).toBeTypeOf("object");
      return;
    }
    expect(stdout).toBe("");
    const { next, ...problem } = JSON.parse(stderr) as Record<string, unknown>;
    expect(problem).toMatchObject({ reason, status: expect.any(Number) as number });
    expect(next).toMatch(/\w/);
  });

  it.each(["agnet list", "agent lst", "agent list --frob", "verify", "completion tcsh"])(
    "mistyped: %s",
    async (line) => {
      const { code, stdout, stderr } = await box.run(["--json", ...line.split(" ")]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(JSON.parse(stderr)).toMatchObject({
        reason: "malformed_request",
        detail: expect.stringMatching(/unknown|missing|required|invalid/) as string,
      });
    },
  );
});

/** What a person typed wrongly and only the running server can tell: the words must name the command that helps. */
const MISTAKEN: readonly (readonly [string, string, RegExp])[] = [
  ["owner approve nope --key id", "not_found", /countersign owner requests/],
  ["owner deny nope", "not_found", /countersign owner requests/],
  ["owner block nope", "not_found", /countersign owner requests/],
  ["owner unblock nope", "not_found", /countersign agent list/],
  ["owner habits nope", "not_found", /countersign owner list/],
  ["owner expect nope", "not_found", /countersign agent list/],
  ["owner starters --owner nope", "not_found", /countersign owner list/],
  ["owner starters --owner me --host a", "malformed_request", /--uid 1000/],
  ["owner watch nope", "not_found", /countersign owner list/],
  ["owner webhook add nope https://hooks.example.com/", "not_found", /countersign owner list/],
  ["owner webhook add me http://hooks.example.com/", "address_refused", /https:\/\/host/],
  ["owner webhook list --owner nope", "not_found", /countersign owner list/],
  ["owner webhook rotate nope", "not_found", /countersign owner webhook list/],
  ["owner webhook test nope", "not_found", /countersign owner webhook list/],
  ["owner webhook remove nope", "not_found", /countersign owner webhook list/],
  ["owner remove-key nope", "not_found", /countersign owner list/],
  ["owner resume-key nope", "not_found", /countersign owner list/],
  ["owner enrol me --key id", "key_reused", /countersign owner list/],
  ["owner invite me", "name_taken", /owner invite me --key FILE.*countersign owner recover/],
  ["owner invite me --key id", "terminal_required", /Run it in a terminal/],
  ["owner recover start nope --key id", "not_found", /countersign owner list/],
  ["owner recover cancel nope", "not_found", /countersign owner recover list/],
  ["owner stop-codes nope", "not_found", /countersign owner list/],
  ["lift nope", "not_found", /countersign lift/],
  ["log show 99999", "not_found", /countersign log show/],
  ["halt agent nope", "not_found", /hello/],
  ["agent register Hello --audience https://a.example/", "invalid_identifier", /lower-case/],
  ["agent register a", "malformed_request", /--audience https:/],
  ["agent register a --audience a.example", "malformed_request", /--audience https:/],
  ["agent register a --audience https://a.example/ --uid me", "malformed_request", /--uid 1000/],
  ["agent register a --audience https://a.example/ --owner you", "not_found", /owner enrol/],
  ["server join-token --proxy X_", "invalid_identifier", /--proxy build-7/],
  ["server join-token --proxy x --ttl 99999999", "malformed_request", /86400/],
  ["server backup .", "name_taken", /folder that is new/],
];

/** A security key whose counter went back as it signed for another key. @returns its thumbprint */
async function suspendedKey(home: Home): Promise<string> {
  const signer = generateSigner("Ed25519");
  const app = "ssh:agent-consent";
  const path = home.file("sk.pub");
  await writeFile(path, `${writePublicKeyLine(sshKeyOf(signer.key, app), "token")}\n`);
  const sign = async (statement: string, file: string, counter: number): Promise<string> => {
    const signed = await securityKeySign(signer, app, utf8(statement), counter);
    await writeFile(file, writeArmor(signed));
    return file;
  };
  const statement = home.file("sk.json");
  const printed = async (key: string): Promise<string> => {
    const { out } = await home.cli(["owner", "enrol", "token", "--key", key, "--print"]);
    await writeFile(statement, out);
    return out;
  };
  const brought = ["--statement", statement, "--signature"];
  const first = await sign(await printed(path), home.file("sk.sig"), 5);
  const { jkt } = await home.json(["owner", "enrol", "token", "--key", path, ...brought, first]);
  const other = await home.keyFile("other");
  const asked = await printed(other.path);
  await writeFile(home.file("other.sig"), await other.sign(utf8(asked)));
  const { err } = await home.cli([
    ...["owner", "enrol", "token", "--key", other.path, ...brought, home.file("other.sig")],
    ...["--co-signer", path, "--co-signature", await sign(asked, home.file("co.sig"), 5), "--json"],
  ]);
  expect(JSON.parse(err)).toMatchObject({ reason: "counter_regressed" });
  const { out } = await home.cli(["owner", "list"]);
  expect(out).toContain("SUSPENDED");
  return String(jkt);
}

describe("every command, where everything runs", () => {
  let made: Production;
  const ran = new Set<string>();
  const run = async (path: string, words = ""): Promise<Record<string, unknown>> => {
    ran.add(path);
    const { home } = made;
    const { code, out, err } = await home.cli([
      ...["--json", ...path.split(" ")],
      ...words.split(" ").filter((word) => word !== ""),
    ]);
    expect({ path, code, err }).toMatchObject({ code: 0 });
    return JSON.parse(out) as Record<string, unknown>;
  };
  let key = "";
  beforeAll(async () => {
    made = await Production.create();
    ({ path: key } = await made.home.owner("me"));
    ran.add("owner enrol"); // its document was read there
    const here = `--program ${process.execPath} --script ${COURIER}`;
    await run(
      "agent register",
      `hello --owner me --insecure-same-uid --audience https://a.example/ ${here}`,
    );
  });
  afterAll(() => made.close());

  it.each(MISTAKEN)("%s: %s, and which command helps", async (line, reason, next) => {
    const words = line.replace("--key id", `--key ${key}`).split(" ");
    const { code, out, err } = await made.home.cli([...words, "--json"]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    const problem = JSON.parse(err) as { reason: string; next: string; detail: string };
    expect(problem.reason).toBe(reason);
    expect(problem.next).toMatch(next);
    expect(problem.detail).not.toContain("said by the other side");
  });

  it("answers one document", async () => {
    const { home } = made;
    for (const path of ["agent list", "owner list", "owner requests", "server status"])
      await run(path);
    for (const path of ["proxy status", "server config", "proxy config", "log verify"])
      await run(path);
    await run("log show");
    await run("log show", "0");
    await run("log export", home.file("log"));
    const { keys } = (await run("server status")) as { keys: { log: string } };
    const { vkey } = await run("log witness init", "--name w.example/1");
    expect(vkey).toMatch(/^w\.example\/1\+/);
    const open = made.server.err.find((text) => text.includes('"server.running"')) ?? "";
    const { fields } = JSON.parse(open) as { fields: { public: string } }; // as `main` logs it
    const state = `--state ${home.file("monitor")}`;
    await run("log monitor", `${fields.public}/log --vkey ${keys.log} --once ${state}`);
    await run("server join-token", `--proxy other --out ${home.file("token")}`);
    await run("server gateway-token", `--gateway edge --proxy other --out ${home.file("edge")}`);
    await run("server gateways");
    await run("owner gateway config", "example.org");
    await run("server keys rotate");
    await run("server backup", home.file("copy"));
    await run("doctor");
    for (const [scope, target] of [
      ["agent", "hello"],
      ["entry", "spiffe://example.org/agent/hello"],
      ["grant", `sha-256:${"A".repeat(43)}`],
      ["owner", "me"],
      ["proxy", "here"],
      ["everything", ""],
    ] as const)
      await run(`halt ${scope}`, target);
    const { stops } = (await run("lift")) as { stops: readonly { id: string }[] };
    expect(stops.length).toBeGreaterThanOrEqual(5);
    for (const { id } of stops) await run("lift", id);
    await run("owner unblock", "hello");
    await run("owner habits", "me");
    await run("owner expect", "hello --host here");
    await run("owner starters", "--owner me --host here --uid 1000");
    await run("owner starters", "--owner me --host here --uid 1000 --remove");
    await run("owner stop-codes", "me");
    const { id } = await run("owner webhook add", "me https://127.0.0.1/countersign");
    await run("owner webhook list", "--owner me");
    await run("owner webhook rotate", String(id));
    const tested = await home.cli(["--json", "owner", "webhook", "test", String(id)]);
    ran.add("owner webhook test");
    expect(tested.code).toBe(1);
    expect(JSON.parse(tested.out)).toEqual({ taken: false, said: "address_refused" });
    await run("owner webhook remove", String(id));
    const { path: fresh } = await home.keyFile("fresh");
    const { recovery } = (await run("owner recover start", `me --key ${fresh}`)) as {
      recovery: { id: string };
    };
    await run("owner recover list", "--owner me");
    await run("owner recover cancel", recovery.id);
    await run("owner resume-key", await suspendedKey(home));
    const [owner] = ((await run("owner list")) as { owners: { keys: { jkt: string }[] }[] }).owners;
    await run("owner remove-key", owner?.keys[0]?.jkt);
    await run("agent remove", "hello");
    await run("completion", "fish");
    await run("credential inspect", join(home.data, "proxy/keys/infrastructure.crt"));
  });

  it("leaves out what other tests run: what waits for its end, an agent or an approval", () => {
    const elsewhere = [
      "run",
      "owner approve",
      "owner policy run",
      "owner presign",
      "owner invite",
      "owner deny",
      "owner block",
      "verify",
      "server init",
      "proxy enroll",
      "owner gateway init",
      "server recover",
    ];
    const all = new Set([...ran, ...DAEMONS, ...elsewhere]);
    expect([...all].toSorted()).toEqual([...leaves].toSorted());
  });
});
