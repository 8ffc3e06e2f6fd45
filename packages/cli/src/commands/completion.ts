import { Argument, Command } from "commander";
import { completionScript, SHELLS } from "../completion-script.ts";
import type { Shell, Word } from "../completion-script.ts";
import { NOUNS } from "../nouns.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

function wordOf(name: string, about: string, command: Command): Word {
  return {
    name,
    about,
    options: command.options.flatMap(({ long, description }) =>
      long === undefined || long === null ? [] : [{ name: long, about: description }],
    ),
    verbs: command.commands.map((verb) => wordOf(verb.name(), verb.description(), verb)),
  };
}

/** Every noun with its verbs and options, from the commands themselves: nothing is listed twice. */
export async function vocabulary(cli: Cli): Promise<readonly Word[]> {
  const loaded = NOUNS.map(async ({ name, about, load }) =>
    wordOf(name, about, (await load()).build(cli)),
  );
  return Promise.all(loaded);
}

export function build(cli: Cli): Command {
  return new Command("countersign completion")
    .description("Prints the tab completion for your shell.")
    .addArgument(new Argument("<shell>", "your shell").choices(SHELLS))
    .addHelpText(
      "after",
      '\nExample:\n  eval "$(countersign completion bash)"\n  source <(countersign completion zsh)\n  countersign completion fish | source',
    )
    .action(async (shell: Shell) => {
      const script = completionScript(shell, await vocabulary(cli));
      if (cli.isJson) show(cli, { shell, script }, []);
      else cli.stdout.write(script);
    });
}
