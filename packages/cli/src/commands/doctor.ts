import { Command } from "commander";
import { printable } from "@countersign/node";
import { judgeAgent } from "../doctor/agent.ts";
import type { Finding } from "../doctor/finding.ts";
import { gather, gatherAgent } from "../doctor/gather.ts";
import { judge } from "../doctor/judge.ts";
import { ExitCode, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

function findingLines(cli: Cli, finding: Finding): readonly string[] {
  const marks = {
    good: cli.paint("green", "✓"),
    warning: cli.paint("yellow", "!"),
    bad: cli.paint("red", "✗"),
  };
  const { about, level, next, move } = finding;
  const whose = move === undefined ? "" : cli.paint("dim", `  (${move})`);
  return [
    `${marks[level]} ${about.padEnd(11)}  ${printable(finding.says)}${whose}`,
    ...(next === undefined ? [] : [`    next: ${printable(next)}`]),
  ];
}

/** An agent is looked at where one is named, or where this process is one. */
async function look(cli: Cli, agent: string | undefined): Promise<readonly Finding[]> {
  if (agent === undefined && cli.env.COUNTERSIGN_SOCKET === undefined)
    return judge(await gather(cli));
  return judgeAgent(await gatherAgent(cli, agent));
}

async function examine(cli: Cli, agent: string | undefined): Promise<void> {
  const what = agent === undefined ? "this machine" : agent;
  say(cli, cli.paintErr("dim", `looking at ${printable(what)} …`));
  const findings = await look(cli, agent);
  const count = (level: Finding["level"]): number =>
    findings.filter((finding) => finding.level === level).length;
  const isWell = count("bad") === 0;
  show(cli, { well: isWell, findings }, [
    ...findings.flatMap((finding) => findingLines(cli, finding)),
    isWell
      ? `Nothing is wrong${count("warning") === 0 ? "" : `; ${count("warning")} to look at`}.`
      : `${count("bad")} wrong, ${count("warning")} to look at.`,
  ]);
  if (!isWell) throw new ExitCode(1);
}

export function build(cli: Cli): Command {
  return new Command("countersign doctor")
    .description("Looks for what is wrong on this machine, and says what to do. Changes nothing.")
    .option(
      "--agent <name>",
      "look at what one agent needs, step by step; inside of a run: at the agent that is run",
    )
    .addHelpText(
      "after",
      "\nExample:\n  countersign doctor\n  countersign doctor --agent mailer\n  countersign doctor --data /srv/countersign --json",
    )
    .action((options: { agent?: string }) => examine(cli, options.agent));
}
