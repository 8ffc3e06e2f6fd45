import { beforeAll, describe, expect, it } from "vitest";
import { completionScript, SHELLS } from "../completion-script.ts";
import type { Word } from "../completion-script.ts";
import { fakeCli } from "../cli.testing.ts";
import { NOUNS } from "../nouns.ts";
import { vocabulary } from "./completion.ts";

let words: readonly Word[];
beforeAll(async () => {
  words = await vocabulary(fakeCli());
});

describe("completion", () => {
  it("covers every first word", () => {
    expect(words.map(({ name }) => name)).toEqual(NOUNS.map(({ name }) => name));
  });

  it.each(SHELLS)("names every word, verb and option in the script for %s", (shell) => {
    const script = completionScript(shell, words);
    for (const { name, verbs, options } of words) {
      expect(script).toContain(name);
      for (const verb of verbs) expect(script).toContain(verb.name);
      for (const option of [...options, ...verbs.flatMap((verb) => verb.options)])
        expect(script).toContain(option.name.replace(/^--/, ""));
    }
  });

  it("quotes what a shell would read", () => {
    const hostile: Word = { name: "x", about: "it's $(here): `now`", options: [], verbs: [] };
    expect(completionScript("zsh", [hostile])).toContain(`'x:it'\\''s $(here)\\: \`now\`'`);
    expect(completionScript("fish", [hostile])).toContain(`'it'\\''s $(here): \`now\`'`);
  });

  it("finds a description at every word, and an example at every one that does something", async () => {
    const cli = fakeCli();
    for (const { load } of NOUNS) {
      const noun = (await load()).build(cli);
      expect(noun.description()).toMatch(/\S/);
      for (const command of noun.commands.length === 0 ? [noun] : noun.commands) {
        expect(command.description()).toMatch(/\S/);
        const help: string[] = [];
        command.configureOutput({ writeOut: (text) => help.push(text) }).outputHelp();
        expect(help.join("")).toMatch(/Example:\n {2}\S/);
      }
    }
  });
});
