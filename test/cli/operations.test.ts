import { execFile, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fromBase64url, writeOpensshPrivateKey } from "../../packages/core/src/index.ts";
import type { OkpJwk } from "../../packages/core/src/index.ts";
import { freePort, nodeRandom } from "../../packages/node/src/index.ts";
import { generatePrivateKey, publicJwkOf } from "../../packages/node/src/crypto.ts";
import { jwsInputLine } from "../../packages/cli/src/sign-lines.ts";
import { fakeCli } from "../../packages/cli/src/cli.testing.ts";
import { vocabulary } from "../../packages/cli/src/commands/completion.ts";
import type { Word } from "../../packages/cli/src/completion-script.ts";
import { SERVER_SCHEMA } from "../../packages/server/src/config.ts";
import { peer } from "../strangers/peers.ts";
import { Sandbox } from "./countersign.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(`${root}docs/operations.md`, "utf8");
const blocks = [...text.matchAll(/^```sh test\n([^]*?)^```/gm)].map(([, body]) => body ?? "");
const hasCurl = peer("curl").present;
const commands = blocks
  .flatMap((block) => block.trim().split("\n"))
  .filter((line) => hasCurl || !line.includes(" curl "));
const TIMEOUT_MS = 60_000;

const box = new Sandbox();
const data = box.path("data");
const programs = box.path("bin");

/** Stand-ins for what only root has: the user, and the units, whose `ExecStart` is what runs. */
const PROGRAMS: Readonly<Record<string, string>> = {
  sudo: 'shift 2; exec "$@"',
  countersign: `exec "${process.execPath}" "${root}packages/cli/dist/main.js" --data "${data}" "$@"`,
  systemctl: `
if [ "$1" = restart ]; then
  shift
  for unit in "$@"; do systemctl stop "$unit" && systemctl start "$unit" || exit 1; done
  exit 0
fi
name=\${2#countersign-}
log="${box.path()}/$name.log"
if [ "$1" = stop ]; then
  kill "$(cat "$log.pid")"
  while kill -0 "$(cat "$log.pid")" 2>/dev/null; do sleep 0.05; done
  exit 0
fi
event=server.running; [ "$name" = server ] || event=server.connected
countersign "$name" run </dev/null >/dev/null 2>"$log" &
echo $! >"$log.pid"
for _ in $(seq 400); do
  grep -q "\\"event\\":\\"$event\\"" "$log" && exit 0
  kill -0 $! 2>/dev/null || break
  sleep 0.05
done
cat "$log" >&2; exit 1`,
};

/** Where this machine differs from the page's. */
let here: readonly (readonly [string, string])[] = [];

function run(command: string): Promise<{ code: number; output: string }> {
  const line = here.reduce((words, [theirs, ours]) => words.replaceAll(theirs, ours), command);
  const env = { PATH: `${programs}:${process.env["PATH"]}`, HOME: box.home };
  return new Promise((resolve) => {
    execFile(
      "/bin/sh",
      ["-c", line],
      { env, cwd: box.home, timeout: TIMEOUT_MS, maxBuffer: 4_194_304 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : Number(error.code ?? 1),
          output: `$ ${line}\n${stdout}${stderr}`,
        }),
    );
  });
}

function writeOwnerKey(path: string): void {
  const secret = generatePrivateKey("Ed25519");
  const jwk = publicJwkOf(secret) as OkpJwk; // it was made as Ed25519
  const seed = fromBase64url(secret.export({ format: "jwk" }).d ?? "");
  const key = writeOpensshPrivateKey(nodeRandom, { jwk, seed, comment: "alice" });
  writeFileSync(path, key, { mode: 0o600 });
}

beforeAll(async () => {
  for (const folder of [programs, data, box.path("backup"), box.path("offline")]) mkdirSync(folder);
  for (const [name, body] of Object.entries(PROGRAMS)) {
    writeFileSync(box.path("bin", name), `#!/bin/sh\n${body}\n`);
    chmodSync(box.path("bin", name), 0o755);
  }
  writeOwnerKey(box.path("alice"));
  const [api, publicPort] = [await freePort(), await freePort()];
  here = [
    ["/var/lib/countersign", data],
    ["/run/countersign", `${data}/run`],
    ["/media/offline", box.path("offline")],
    ["cd /opt/countersign && git pull && npm ci && npm run build", "true"],
    ["/backup/", `${box.path("backup")}/`],
    ["/home/alice/.ssh/id_ed25519", box.path("alice")],
    ["/srv/reader/agent.mjs", `${root}examples/agent.mjs`],
    ["/srv/mailer/agent.mjs", `${root}examples/agent.mjs`],
    ["--api-host 0.0.0.0", "--api-host 127.0.0.1"],
    ["https://id.example.org:8443", `https://127.0.0.1:${api}`],
    ["--api-port 8443", `--api-port ${api}`],
    ["--public-port 8080", `--public-port ${publicPort}`],
  ];
});
afterAll(async () => {
  for (const name of ["server", "proxy"]) await run(`systemctl stop countersign-${name}`);
  box.remove();
});

/** Whether a line is a command with options that it has. */
function isCommand(line: string, words: readonly Word[]): boolean {
  let at: Pick<Word, "options" | "verbs"> | undefined = { options: [], verbs: words };
  for (const word of line.split(" ")) {
    const verb: Word | undefined = at?.verbs.find(({ name }) => name === word);
    if (verb === undefined) break;
    at = verb;
  }
  const flags = [...line.matchAll(/ (--[a-z0-9-]+)/g)].map(([, flag]) => flag);
  const known = at?.options.map(({ name }) => name) ?? [];
  return at?.verbs !== words && flags.every((flag) => known.includes(flag ?? ""));
}

/** What an output has to say, by a piece of the command. */
const SAYS: readonly (readonly [string, RegExp])[] = [
  ["server init", /Made the server of example.org/],
  ["--print-config", /# TCP port of that listener.*\napi_port: \d+/],
  ["proxy status", /server {7}connected/],
  ["agent list", /reader/],
  ["halt agent", /stopped|Stopped/],
  ["doctor", /Nothing is wrong/],
  ["server backup", /one state of the database/],
  ["recover --yes", /new log {5}.*key/],
  ["keys rotate --ca", /agents CA|CA/],
  ["keys rotate", /token key.*signs from/],
  ["/metrics", /^countersign_hold 0$/m],
];

/** The whole units of the page, each with the name that stands before it. */
const units = [
  ...text.matchAll(/\/([\w-]+\.service)`[^`]*(?:`mailer`[^`]*)?```ini\n([^]*?)^```/gm),
].map(([, name = "", body = ""]) => ({ name, body }));

describe("the units of docs/operations.md", () => {
  const setting = (body: string, name: string): string =>
    new RegExp(`^${name}=(.*)$`, "m").exec(body)?.[1] ?? "";

  it("are those of the server and of an agent", () => {
    expect(units.map(({ name }) => name)).toEqual(["countersign-server.service", "mailer.service"]);
  });

  it("agree with the registration of the agent", () => {
    const command = commands.find((line) => line.includes("--door unit")) ?? "";
    const option = (name: string): string =>
      new RegExp(`--${name} (\\S+)`).exec(command)?.[1] ?? "";
    const { name, body } = units[1] ?? { name: "", body: "" };
    expect(option("unit")).toBe(name);
    expect(setting(body, "ExecStart")).toBe(`/usr/bin/node ${option("script")}`);
    expect(setting(body, "Environment")).toBe(
      "COUNTERSIGN_SOCKET=/run/countersign/door/mailer.sock",
    );
    expect(command).toContain("register mailer ");
  });

  it("let the agent's script rest on its unit", () => {
    const { body } = units[1] ?? { body: "" };
    expect(["simple", "exec", "idle"]).toContain(setting(body, "Type"));
    expect(body).not.toMatch(
      /NotifyAccess|PrivateUsers|EnvironmentFile|AmbientCapabilities|^Exec.*\$/m,
    );
    expect(setting(body, "NoNewPrivileges")).toBe("yes");
    expect(setting(body, "SystemCallFilter")).not.toBe("");
  });

  it.skipIf(!peer("systemd-analyze").present).each(units)(
    "$name is what systemd reads",
    ({ name, body }) => {
      // only the programs are others: systemd looks whether they are there
      const readable = body.replaceAll(/^ExecStart=\S+/gm, "ExecStart=/bin/true");
      const path = box.path(name);
      writeFileSync(path, readable);
      const { stderr, status } = spawnSync(
        peer("systemd-analyze").path,
        ["verify", "--man=no", "--recursive-errors=no", path],
        { encoding: "utf8", timeout: TIMEOUT_MS },
      );
      expect([stderr, status]).toEqual(["", 0]);
    },
  );
});

describe("docs/operations.md", () => {
  it("has commands to run", () => {
    expect(commands.length).toBeGreaterThan(20);
  });

  it("works, from install to restore, in the order of the page", async () => {
    const seen: string[] = [];
    for (const command of commands) {
      const { code, output } = await run(command);
      expect([code, output]).toEqual([0, output]);
      const [name, says] = SAYS.find(([piece]) => command.includes(piece)) ?? [];
      if (name === undefined || says === undefined) continue;
      expect(output).toMatch(says);
      seen.push(name);
    }
    const unseen = SAYS.map(([piece]) => piece).filter((piece) => !seen.includes(piece));
    expect(unseen).toEqual(hasCurl ? [] : ["/metrics"]);
  });

  it("leaves a server that issues again under a new log", async () => {
    const { output } = await run("countersign server status --json");
    expect(output).toContain('"log": "id.example.org/log/2+');
    expect(output).not.toContain('"hold"');
  });

  /** Blocks that nobody runs here: what each holds, and where that is shown. */
  const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
    [/^git clone \S+ \/opt\/countersign\n/, ".ci/run"],
    [/server gateway-token --gateway edge[^]*server gateways/, "test/e2e/gateway.test.ts"],
    [/owner gateway init --token-file[^]*owner gateway run/, "test/e2e/gateway.test.ts"],
    [/owner enrol alice --pkcs11 'pkcs11:token=/, "test/strangers/pkcs11-owner.test.ts"],
    [/^\{ printf [^]*--login --sign --mechanism ECDSA/, "test/strangers/pkcs11-owner.test.ts"],
    [/owner enrol alice [^]*--certificate/, "test/strangers/owner-certificate.test.ts"],
    [/^sudo \S+ countersign owner presign reader --key \S+\n$/, "test/e2e/presign.test.ts"],
    [/agent register payer [^]*--quorum 2/, "test/e2e/quorum.test.ts"],
    [/owner policy run --rules/, "test/e2e/policy.test.ts"],
    [/^countersign halt --code\n/, "test/e2e/lost-keys.test.ts"],
    [/owner recover start alice [^]*--co-signer bob_key/, "test/e2e/lost-keys.test.ts"],
    [/owner recover start [^]*owner recover cancel ID/, "test/e2e/lost-keys.test.ts"],
    [/owner expect reader[^]*owner unblock reader/, "test/cli/every-command.test.ts"],
    [/^countersign owner invite alice --key \S+\n$/, "test/console/further-key.test.ts"],
    [/owner approve ID --key id\.pub --digits 42 --print/, "test/e2e/digits.test.ts"],
    [/^countersign owner habits alice\n$/, "test/console/habits.test.ts"],
    [/owner watch alice[^]*owner webhook add alice/, "test/e2e/notices.test.ts"],
    [/^countersign doctor --agent reader\n$/, "test/cli/operations.test.ts"],
  ];
  const others = [...text.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, body]) => body ?? "");

  it("has no other command of ours than such as there are, with options that they have", async () => {
    const ours = others
      .flatMap((body) => body.trim().split("\n"))
      .filter((line) => /^(sudo .*)?countersign /.test(line))
      .map((line) => line.slice(line.lastIndexOf("countersign ") + "countersign ".length));
    const words = await vocabulary(fakeCli());
    expect(ours.length).toBeGreaterThan(10);
    expect(ours.filter((line) => !isCommand(line, words))).toEqual([]);
  });

  it("has no other commands than these, but for installing, for what is typed elsewhere and for one agent", async () => {
    const unknown = others.filter((body) => !ELSEWHERE.some(([holds]) => holds.test(body)));
    expect(unknown).toEqual([]);
    const [install = ""] = others;
    expect(
      existsSync(`${root}${/countersign\/(packages\/\S+)/.exec(install)?.[1] ?? "none"}`),
    ).toBe(true);
    const { code, output } = await run((others.at(-1) ?? "").trim());
    // nobody runs it: the step that fails comes last, with what to do
    expect(code).toBe(1);
    expect(output).toMatch(/✗ .+\n {4}next: \w/);
  });

  it.each(ELSEWHERE)("runs elsewhere what holds %s", (holds, path) => {
    expect(others.filter((body) => holds.test(body))).toHaveLength(1);
    expect(existsSync(`${root}${path}`)).toBe(true);
  });

  it("shows the lines for a token as --print shows them", () => {
    const key = { jwk: { kty: "EC", crv: "P-256", x: "", y: "" } } as const;
    const lines = others.find((body) => body.startsWith("{ printf")) ?? "";
    expect(lines.split("\n")[0]).toBe(jwsInputLine(key, "statement.json"));
  });

  it.skipIf(!hasCurl)("names only metrics that the server has", async () => {
    const { output } = await run(commands.find((command) => command.includes("/metrics")) ?? "");
    const [, section = ""] = text.split("## What to watch");
    const named = [...section.matchAll(/`(countersign_\w+)/g)].map(([, name]) => name ?? "");
    expect(named.length).toBeGreaterThan(8);
    const help = [...output.matchAll(/^# HELP (\w+) /gm)].map(([, name]) => name);
    expect(new Set(named)).toEqual(new Set(help));
  });

  it("gives server init only flags of settings", () => {
    const flags = [...(commands[0] ?? "").matchAll(/--([a-z-]+)/g)].map(([, flag]) => flag ?? "");
    const settings = Object.keys(SERVER_SCHEMA).map((name) => name.replaceAll("_", "-"));
    expect(flags.filter((flag) => !settings.includes(flag))).toEqual([]);
  });
});
