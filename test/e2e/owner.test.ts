import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeShown, has, Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";

const hasTerminal = has("script", "--version");
const hasOpenssh = has("ssh-keygen", "-?") && has("ssh-agent", "-?") && has("ssh-add", "-?");

/** Stands beside a code so that a failure shows what was said. */
const ANY: unknown = expect.any(String);

interface Asking {
  readonly agent: Running;
  readonly code: string;
  readonly id: string;
  readonly answer: Promise<Record<string, unknown>>;
}

/** Turns every page, and gives what was written since, up to the question for the code. */
async function readToTheEnd(terminal: Running, since = 0): Promise<string> {
  let turned = since;
  return terminal.when("question for the code", ({ text }) => {
    const more = text.indexOf("more lines; Enter goes on", turned);
    if (more >= 0) {
      turned = more + 1;
      terminal.write("");
      return undefined;
    }
    return text.includes("type the code", since) ? text : undefined;
  });
}

describe("countersign owner", () => {
  let home: Home;
  let owner: OwnerKeyFile;
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    owner = await home.owner("me");
  });
  afterAll(() => home.close());

  /** A new agent that waits for its owner. */
  async function ask(name: string, of = "me"): Promise<Asking> {
    await home.register(name, "--owner", of);
    const agent = home.courier(name);
    const answer = tell(agent, "/v1/credential?wait=60");
    const code = await agent.when("code", codeShown);
    return { agent, code, answer, id: (await home.waiting()).id };
  }
  const approval = (id: string, key = owner.path): readonly string[] => [
    ...["owner", "approve", id, "--key", key],
  ];
  const denied = async ({ id, answer, agent }: Asking): Promise<void> => {
    await home.json(["owner", "deny", id]);
    expect(await answer).toMatchObject({ status: 403, reason: "approval_denied" });
    await agent.stop();
  };

  type Row = readonly [string, readonly string[], (id: string) => readonly string[]];
  const withoutVariable = ["env", "-u", "COUNTERSIGN_SOCKET"];
  // one question for each group: it waits for its answer while the rows of the group run
  const INSIDE: Readonly<Record<string, readonly Row[]>> = {
    plain: [
      ["approve", [], (id) => approval(id)],
      ["approve without the variable", withoutVariable, (id) => approval(id)],
      ["print", withoutVariable, (id) => [...approval(id), "--print"]],
      ["deny", [], (id) => ["owner", "deny", id]],
      ["enrol", [], () => ["owner", "enrol", "other", "--key", owner.path]],
    ],
    disguised: [
      ["approve with an ssh-agent", ["env", "SSH_AUTH_SOCK=/tmp/none.sock"], (id) => approval(id)],
      ["approve in a session of its own", ["setsid", "-w"], (id) => approval(id)],
      [
        "approve at a terminal of its own",
        ["sh", "-c", 'exec script -qefc "$*" /dev/null', "sh"],
        (id) => approval(id),
      ],
    ],
  };
  describe.each(Object.entries(INSIDE))("from inside an agent's run, %s", (group, rows) => {
    let asking: Asking;
    beforeAll(async () => {
      asking = await ask(group);
    });
    afterAll(() => denied(asking));

    it.each(rows)("%s is refused", async (_, before, command) => {
      const own = [process.execPath, ...home.arguments([...command(asking.id), "--json"])];
      const run = await home.cli(["run", "--agent", group, "--", ...before, ...own]);
      // a terminal of its own has one stream
      const said = `${run.out}\n${run.err}`.split("\n").filter((line) => line.startsWith("{"));
      const problem = JSON.parse(said.at(-1) ?? "") as object;
      expect([run.code, problem]).toMatchObject([
        1,
        { reason: "terminal_required", detail: "this is inside an agent's run" },
      ]);
      expect((await home.waiting()).id).toBe(asking.id);
    });
  });

  it("enrols a further key that one the owner has co-signs, here and brought back in files", async () => {
    const { readFile, writeFile } = await import("node:fs/promises");
    const first = await home.owner("two");
    const here = ["--key", (await home.keyFile("two-here")).path, "--co-signer", first.path];
    await home.json(["owner", "enrol", "two", ...here]);

    const away = await home.keyFile("two-away");
    const enrol = ["owner", "enrol", "two", "--key", away.path];
    const statement = home.file("two.json");
    await writeFile(statement, (await home.cli([...enrol, "--print"])).out);
    const octets = await readFile(statement);
    await writeFile(`${statement}.new.sig`, await away.sign(octets));
    await writeFile(`${statement}.old.sig`, await first.sign(octets));
    const brought = ["--statement", statement, "--signature", `${statement}.new.sig`];
    const co = ["--co-signature", `${statement}.old.sig`];
    expect(JSON.parse((await home.cli([...enrol, ...brought, ...co, "--json"])).err)).toMatchObject(
      { reason: "malformed_request" },
    );
    await home.json([...enrol, ...brought, ...co, "--co-signer", first.path]);
    const { out } = await home.cli(["owner", "list"]);
    expect(out.match(/vouched for by/g)).toHaveLength(2);
  });

  it("approve without a terminal is refused", async () => {
    const asking = await ask("pipe");
    const { code, err } = await home.cli([...approval(asking.id), "--json"]);
    expect([code, JSON.parse(err)]).toMatchObject([1, { reason: "terminal_required" }]);
    await denied(asking);
  });

  it("approve with a statement that was changed after signing is refused", async () => {
    const asking = await ask("changed");
    const statement = home.file("changed.json");
    const print = ["--print", "--statement", statement];
    expect(await home.cli([...approval(asking.id), ...print])).toMatchObject({ code: 0 });
    const { readFile, writeFile } = await import("node:fs/promises");
    const octets = await readFile(statement);
    await writeFile(`${statement}.sig`, await owner.sign(octets));
    await writeFile(statement, octets.toString().replace('"max_live":8', '"max_live":9'));
    const brought = ["--signature", `${statement}.sig`, "--json"];
    const { code, err } = await home.cli([...approval(asking.id), ...brought]);
    expect(code).toBe(1);
    expect((JSON.parse(err) as { reason: string }).reason).toMatch(/signature_invalid|statement/);
    await denied(asking);
  });

  describe.skipIf(!hasTerminal)("at a terminal", () => {
    it("approves when the code of the agent's terminal is typed", async () => {
      const asking = await ask("typed");
      const terminal = home.atTerminal(approval(asking.id));
      const screen = await readToTheEnd(terminal);
      expect(screen).toContain("WHAT YOU SIGN");
      expect(screen).toContain(asking.code);
      terminal.write(asking.code.toLowerCase().replace("-", " "));
      expect([(await terminal.ended).code, terminal.text]).toMatchObject([0, ANY]);
      expect(terminal.text).toContain("Approved");
      expect(await asking.answer).toMatchObject({ status: 200 });
      await asking.agent.stop();
    });

    it("signs nothing after three wrong codes", async () => {
      const asking = await ask("wrong");
      const terminal = home.atTerminal(approval(asking.id));
      await readToTheEnd(terminal);
      for (let wrong = 1; wrong <= 3; wrong += 1) {
        terminal.write("00000-00000");
        await terminal.when("word that the code is wrong", ({ text }) =>
          text.split("That is not the code").length > wrong ? true : undefined,
        );
      }
      expect((await terminal.ended).code).toBe(1);
      expect(terminal.text).toContain("three wrong codes");
      expect((await home.waiting()).id).toBe(asking.id);
      await denied(asking);
    });

    it("denies with a word, before everything was read", async () => {
      const asking = await ask("denied");
      const terminal = home.atTerminal(approval(asking.id));
      await terminal.when("first page", ({ text }) =>
        text.includes("more lines; Enter goes on") ? true : undefined,
      );
      terminal.write("deny");
      expect((await terminal.ended).code).toBe(0);
      expect(terminal.text).toContain("Denied");
      expect(await asking.answer).toMatchObject({ reason: "approval_denied" });
      await asking.agent.stop();
    });
  });

  describe.skipIf(!hasOpenssh)("with OpenSSH", () => {
    let sshAgent: Running;
    const socket = (): NodeJS.ProcessEnv => ({ SSH_AUTH_SOCK: home.file("ssh-agent.sock") });
    const ssh = (file: string, ...args: readonly string[]) => {
      const env = home.env(socket());
      const { status, stderr } = spawnSync(file, [...args], { env, encoding: "utf8", input: "" });
      expect({ status, stderr }).toMatchObject({ status: 0 });
    };
    beforeAll(async () => {
      sshAgent = home.spawn("ssh-agent", ["-D", "-a", home.file("ssh-agent.sock")]);
      const { existsSync } = await import("node:fs");
      await until("ssh-agent", () => existsSync(home.file("ssh-agent.sock")) || undefined);
      ssh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "work", "-f", home.file("id"));
    });
    afterAll(() => sshAgent.stop());

    it("ssh-keygen signs what was printed", async () => {
      const key = home.file("id");
      await home.json(["owner", "enrol", "work", "--key", key]);
      const asking = await ask("elsewhere", "work");
      const statement = home.file("elsewhere.json");
      const print = [...approval(asking.id, key), "--print", "--statement", statement];
      expect(await home.cli(print)).toMatchObject({ code: 0 });
      ssh("ssh-keygen", "-Y", "sign", "-f", key, "-n", "agent-consent-v1@countersign", statement);
      await home.json([...approval(asking.id, key), "--signature", `${statement}.sig`]);
      expect(await asking.answer).toMatchObject({ status: 200 });
      await asking.agent.stop();
    });

    it.skipIf(!hasTerminal)("the ssh-agent signs for a key whose file is gone", async () => {
      ssh("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "held", "-f", home.file("held"));
      ssh("ssh-add", "-q", home.file("held"));
      rmSync(home.file("held"));
      const key = home.file("held.pub");
      const enrolled = await home.cli(["owner", "enrol", "held", "--key", key], socket());
      expect(enrolled).toMatchObject({ code: 0 });
      const asking = await ask("by-agent", "held");

      const alone = home.atTerminal(approval(asking.id, key));
      await readToTheEnd(alone);
      alone.write(asking.code);
      expect((await alone.ended).code).toBe(1);
      expect(alone.text).toContain("ssh-keygen -Y sign");

      const terminal = home.atTerminal(approval(asking.id, key), socket());
      await readToTheEnd(terminal);
      terminal.write(asking.code);
      expect([(await terminal.ended).code, terminal.text]).toMatchObject([0, ANY]);
      expect(await asking.answer).toMatchObject({ status: 200 });
      await asking.agent.stop();
    });
  });
});
