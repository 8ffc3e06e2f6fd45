import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askAtTerminal, otherThan, readOn, said } from "./at-terminal.ts";
import type { AtTerminal } from "./at-terminal.ts";
import { has, Home } from "./countersign.ts";
import type { OwnerKeyFile } from "./countersign.ts";

const hasTerminal = has("script", "--version");

describe.skipIf(!hasTerminal)("an agent that was started at a terminal (owner.md 1.7)", () => {
  let home: Home;
  let owner: OwnerKeyFile;
  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    owner = await home.owner("me");
  });
  afterAll(() => home.close());

  async function ask(name: string): Promise<AtTerminal & { readonly id: string }> {
    await home.register(name, "--owner", "me");
    const asking = await askAtTerminal(home, name);
    return { ...asking, id: (await home.waiting()).id };
  }
  const approval = (id: string): readonly string[] => ["owner", "approve", id, "--key", owner.path];

  it("is approved by who types its digits, then reads, then types its code", async () => {
    const { id, digits, code, answer, agent } = await ask("typed");
    const terminal = home.atTerminal(approval(id));
    let at = await said(terminal, `Type the two digits that the terminal with the code ${code}`);
    expect(terminal.text).not.toContain("WHAT YOU SIGN");
    terminal.write("nonsense");
    at = await said(terminal, "Type the two digits", at); // counts nothing
    terminal.write(otherThan(digits));
    at = await said(terminal, "After 1 more wrong try it is denied.", at);
    terminal.write(digits.split("").join(" "));
    at = await said(terminal, "WHAT YOU SIGN", at);
    await readOn(terminal, at);
    expect(terminal.text).toContain(`digits:     "${digits}"`);
    terminal.write(code);
    expect((await terminal.ended).code).toBe(0);
    expect(terminal.text).toContain("Approved");
    expect(await answer).toMatchObject({ status: 200 });
    await agent.stop();
  });

  it("is denied by who types wrong digits twice", async () => {
    const { id, digits, answer, agent } = await ask("mistyped");
    const terminal = home.atTerminal(approval(id));
    let at = await said(terminal, "Type the two digits");
    terminal.write(otherThan(digits));
    at = await said(terminal, "After 1 more wrong try", at);
    at = await said(terminal, "Type the two digits", at);
    terminal.write(otherThan(digits));
    expect((await terminal.ended).code).toBe(1);
    expect(terminal.text).toContain("you have denied the request");
    expect(await answer).toMatchObject({ status: 403, reason: "approval_denied" });
    await agent.stop();
  });

  it("is denied with a word in place of the digits", async () => {
    const { id, answer, agent } = await ask("refused");
    const terminal = home.atTerminal(approval(id));
    await said(terminal, "Type the two digits");
    terminal.write("deny");
    expect((await terminal.ended).code).toBe(0);
    expect(await answer).toMatchObject({ reason: "approval_denied" });
    await agent.stop();
  });

  it("is approved elsewhere with --digits, and says how where they are missing", async () => {
    const { id, digits, code, answer, agent } = await ask("elsewhere");
    const statement = home.file("elsewhere.json");
    const print = [...approval(id), "--print", "--statement", statement];
    const missing = await home.cli([...print, "--json"]);
    expect([missing.code, JSON.parse(missing.err)]).toMatchObject([
      1,
      { reason: "terminal_required", next: expect.stringContaining(code) as unknown },
    ]);
    const wrong = await home.cli([...print, "--digits", otherThan(digits), "--json"]);
    expect(JSON.parse(wrong.err)).toMatchObject({ reason: "digits_mismatched" });
    expect(await home.cli([...print, "--digits", digits])).toMatchObject({ code: 0 });
    await writeFile(`${statement}.sig`, await owner.sign(await readFile(statement)));
    const brought = [...approval(id), "--signature", `${statement}.sig`];
    expect(await home.cli(brought)).toMatchObject({ code: 0 });
    expect(await answer).toMatchObject({ status: 200 });
    await agent.stop();
  });
});
