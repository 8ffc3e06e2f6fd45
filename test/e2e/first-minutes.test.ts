import { copyFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readOn, said, shownAt } from "./at-terminal.ts";
import { has, until } from "./countersign.ts";
import { FirstMinutes, LINES } from "./first-minutes.ts";

const hasTerminal = has("script", "--version");

describe.skipIf(!hasTerminal)("the first minutes with countersign dev, without a browser", () => {
  let first: FirstMinutes;
  beforeAll(async () => {
    first = await FirstMinutes.begin();
  });
  afterAll(() => first.close());

  it("the key: who has none is told how to make one, and the one of ssh-keygen is enrolled", async () => {
    const without = await first.type(LINES.enrol);
    expect((await without.ended).code).toBe(1);
    expect(without.err.join("\n")).toContain("ssh-keygen -t ed25519 makes one");
    const own = first.home.file(".ssh/id_ed25519");
    await mkdir(dirname(own));
    await copyFile((await first.home.keyFile("me")).path, own);
    const enrolled = await first.type(LINES.enrol);
    expect((await enrolled.ended).code).toBe(0);
  });

  it("the first agent: its owner types digits, reads, types its code, and a service knows both", async () => {
    const { home, service } = first;
    for (const line of [LINES.register, LINES.announce])
      expect((await (await first.type(line)).ended).code).toBe(0);
    await first.serve();
    const agent = await first.typeAtTerminal(LINES.run, service);
    const { code, digits } = await agent.when("digits", shownAt);
    const [, approve] = await agent.when(
      "command",
      ({ text }) => /, or countersign (owner approve \S+)\r?$/m.exec(text) ?? undefined,
    );
    const words = (approve ?? "").split(" ");
    const owner = home.atTerminal([...words, "--key", home.file(".ssh/id_ed25519")]);
    await said(owner, `Type the two digits that the terminal with the code ${code}`);
    owner.write(digits);
    await said(owner, "You announced it");
    await readOn(owner, await said(owner, "WHAT YOU SIGN"));
    owner.write(code);
    expect((await owner.ended).code).toBe(0);
    await agent.when(
      "answer",
      ({ text }) =>
        /^200 hello spiffe:\S+\/agent\/hello\/\S+, approved by urn:agent-owner:/m.exec(text) ??
        undefined,
    );
  });

  it("stop it all: the agent is refused, and dev ends", async () => {
    expect((await (await first.type(LINES.stop)).ended).code).toBe(0);
    const again = await first.type(LINES.run, first.service);
    await until("end", () => again.end);
    expect(again.err.join("\n")).toContain("refused: halted");
    expect((await first.dev.stop()).code).toBe(0);
  });
});
