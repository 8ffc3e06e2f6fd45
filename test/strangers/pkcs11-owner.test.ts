import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeShown, has, Home, tell } from "../e2e/countersign.ts";
import type { Running } from "../e2e/countersign.ts";
import { judged, signingLines } from "./owner-flow.ts";
import { peer } from "./peers.ts";
import { PIN, SoftHsm } from "./token.ts";

const areHere = [peer("softhsm2-util"), peer("pkcs11-tool")].every(({ present }) => present);
const hasTerminal = has("script", "--version");

/** Rules by which every courier that waits may have what it asks for. */
async function rulesFor(home: Home): Promise<string> {
  const { issuer } = await home.local("server.sock", "/v1/status");
  const { id } = await home.waiting();
  const asked = await home.local("server.sock", `/v1/owner/requests/${id}`);
  const { proxy, entry, facts } = asked as unknown as {
    readonly proxy: string;
    readonly entry: string;
    readonly facts: {
      readonly measurements: readonly { readonly n: string; readonly d: string }[];
    };
  }; // our own server's answer
  const rule = {
    name: "couriers",
    entries: [entry.replace(/[^/]+$/, "*")],
    hosts: [proxy],
    measurements: Object.fromEntries(facts.measurements.map(({ n, d }) => [n, [d]])),
    insecure_any_installation: true,
    ceiling: [],
    any_service: true,
    use: ["standing"],
    longest_grant_seconds: 86_400,
    max_ttl_seconds: 900,
    max_issue: 2000,
    max_live: 8,
    rate: { count: 2, window_seconds: 3600 },
    insecure_ignore_warnings: true,
  };
  return JSON.stringify({ v: 1, issuer, rules: [rule] });
}

describe.skipIf(!areHere)("an owner whose key lies on a token", () => {
  let home: Home;
  let hsm: SoftHsm;
  let uri = "";
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    hsm = new SoftHsm(home.folder);
    hsm.makeToken("corp");
    hsm.makeKey("corp", "EC:prime256v1", "01", "approve");
    hsm.makeKey("corp", "EC:prime256v1", "02", "second");
    uri = hsm.uri("token=corp;object=approve");
  });
  afterAll(() => home.close());

  /** Runs a command, with lines on its standard input, which stays open. */
  async function withInput(lines: readonly string[], args: readonly string[]) {
    const running = home.start([...args, "--json"], hsm.env);
    for (const line of lines) running.write(line);
    const { code } = await running.ended;
    return { code, out: running.out.join("\n"), err: running.err.join("\n") };
  }
  async function ask(name: string) {
    await home.register(name, "--owner", "me");
    const agent = home.courier(name);
    const answer = tell(agent, "/v1/credential?wait=60");
    const code = await agent.when("code", codeShown);
    return { agent, answer, code, id: (await home.waiting()).id };
  }
  /** At the question for the PIN, after every page was turned and the code typed. */
  async function atPin(id: string, code: string): Promise<Running> {
    const terminal = home.atTerminal(["owner", "approve", id, "--pkcs11", uri], hsm.env);
    let turned = 0;
    await terminal.when("question for the code", ({ text }) => {
      const more = text.indexOf("more lines; Enter goes on", turned);
      if (more >= 0) {
        turned = more + 1;
        terminal.write("");
      }
      return more < 0 && text.includes("type the code") ? true : undefined;
    });
    terminal.write(code);
    await terminal.when("question for the PIN", ({ text }) =>
      text.includes("Please enter User PIN") ? true : undefined,
    );
    return terminal;
  }

  it("enrols, with the PIN from standard input", async () => {
    const enrol = ["owner", "enrol", "me", "--pkcs11", uri];
    const wrong = await withInput(["000000"], [...enrol, "--pin-stdin"]);
    expect(JSON.parse(wrong.err)).toMatchObject({ reason: "token_refused" });
    const nobody = await withInput([], enrol);
    expect(JSON.parse(nobody.err)).toMatchObject({ reason: "terminal_required" });
    const enrolled = await withInput([PIN], [...enrol, "--pin-stdin"]);
    expect([enrolled.code, enrolled.err]).toEqual([0, ""]);
    expect(JSON.parse(enrolled.out)).toMatchObject({ kind: "person" });
    for (const said of [wrong, nobody, enrolled]) expect(said.out + said.err).not.toContain(PIN);
  });

  it.skipIf(!hasTerminal)("approves at a terminal, where the tool asks for the PIN", async () => {
    const { agent, answer, code, id } = await ask("typed");
    const refused = await atPin(id, code);
    refused.write("000000");
    expect((await refused.ended).code).toBe(1);
    expect(refused.text).toContain("it refused the PIN");
    expect(refused.text.split("Please enter User PIN")).toHaveLength(2); // asked once, and not again
    expect((await home.waiting()).id).toBe(id);

    const terminal = await atPin(id, code);
    terminal.write(PIN);
    expect([(await terminal.ended).code, terminal.text]).toMatchObject([0, /./]);
    expect(terminal.text).toContain("Approved");
    expect(terminal.text).not.toContain(PIN);
    expect(await answer).toMatchObject({ status: 200 });
    expect(await judged(home, agent)).toMatchObject({
      proof: "logged",
      owner: { oa: 2, vouchedBy: "pin" },
    });
    await agent.stop();
  });

  it.skipIf(!hasTerminal)(
    "shows again what is typed when the question for the PIN is interrupted",
    async () => {
      const enrol = ["owner", "enrol", "you", "--pkcs11", hsm.uri("token=corp;object=second")];
      const words = [process.execPath, ...home.arguments(enrol)].map((word) => `'${word}'`);
      const line = `trap : INT; ${words.join(" ")}; echo "ended $?"; stty -a`;
      const terminal = home.spawn("script", ["-qefc", line, "/dev/null"], {
        SHELL: "/bin/sh",
        ...hsm.env,
      });
      await terminal.when("question for the PIN", ({ text }) =>
        text.includes("Please enter User PIN") ? true : undefined,
      );
      terminal.write("\u0003");
      await terminal.ended;
      expect(terminal.text).toContain("it was interrupted");
      expect(terminal.text).toContain("ended 1");
      expect(terminal.text).toMatch(/[ \n]echo /);
    },
  );

  it("approves by the lines that --print shows", async () => {
    const { agent, answer, id } = await ask("elsewhere");
    const file = home.file("elsewhere.json");
    const approve = ["owner", "approve", id, "--pkcs11", uri];
    const printed = await home.cli([...approve, "--print", "--statement", file], hsm.env);
    expect(printed).toMatchObject({ code: 0 });
    expect(printed.err).toContain(`--pkcs11 '${uri}' --signature`);
    const lines = signingLines(printed.err);
    expect(lines.at(-1)).toMatch(/^pkcs11-tool .*--login --sign --mechanism ECDSA --id 01/);
    for (const line of lines) {
      // the line itself asks at the terminal; here is none
      const as = line.replace(" --login ", ` --login --pin ${PIN} `);
      const { status, stderr } = spawnSync("sh", ["-c", as], {
        env: { ...process.env, ...hsm.env },
        encoding: "utf8",
        input: "",
      });
      expect({ line, status, stderr }).toMatchObject({ status: 0 });
    }
    const brought = [...approve, "--statement", file, "--signature", `${file}.sig`];
    expect(await home.cli(brought, hsm.env)).toMatchObject({ code: 0 });
    expect(await answer).toMatchObject({ status: 200 });
    await agent.stop();
  });

  it("co-signs for a second key of the token, each with its PIN", async () => {
    const second = hsm.uri("token=corp;object=second");
    const keys = ["--pkcs11", second, "--co-signer", uri];
    const enrol = ["owner", "enrol", "me", ...keys, "--pin-stdin"];
    const one = await withInput([PIN, ""], enrol);
    expect(JSON.parse(one.err)).toMatchObject({ reason: "malformed_request" });
    expect(await withInput([PIN, PIN], enrol)).toMatchObject({ code: 0 });
    expect((await home.cli(["owner", "list"])).out).toContain("vouched for by");
  });

  it("signs by rules for an owner that is no person, with the PIN held by the process", async () => {
    hsm.makeKey("corp", "EC:prime256v1", "03", "rules");
    const key = hsm.uri("token=corp;object=rules");
    const enrol = ["owner", "enrol", "rules", "--kind", "policy", "--pkcs11", key, "--pin-stdin"];
    expect(await withInput([PIN], enrol)).toMatchObject({ code: 0 });
    const asked = [];
    for (const name of ["first", "second"]) {
      await home.register(name, "--owner", "rules");
      const agent = home.courier(name);
      asked.push({ agent, answer: tell(agent, "/v1/credential?wait=60") });
      await agent.when("code", codeShown);
    }
    const rules = home.file("rules.yaml");
    await writeFile(rules, await rulesFor(home));
    const run = ["owner", "policy", "run", "--rules", rules, "--owner", "rules", "--once"];
    const ended = await withInput([PIN], [...run, "--pkcs11", key, "--pin-stdin"]);
    expect(JSON.parse(ended.out)).toMatchObject({
      decisions: [{ do: "signed" }, { do: "signed" }],
    });
    for (const { agent, answer } of asked) {
      expect(await answer).toMatchObject({ status: 200 });
      await agent.stop();
    }
  });

  it.each([
    ["no key at all", ["owner", "enrol", "you"], 2],
    ["two names of a key", ["owner", "enrol", "you", "--key", "a", "--pkcs11", "pkcs11:id=%01"], 2],
    ["a file in place of a URI", ["owner", "enrol", "you", "--pkcs11", "id.pem"], 2],
    [
      "a PIN in the URI",
      ["owner", "enrol", "you", "--pkcs11", `pkcs11:id=%01?pin-value=${PIN}`],
      1,
    ],
  ])("refuses %s", async (_name, args, code) => {
    const said = await withInput([], args);
    expect([said.code, JSON.parse(said.err)]).toMatchObject([
      code,
      { reason: "malformed_request" },
    ]);
    expect(said.err).not.toContain(PIN);
  });
});
