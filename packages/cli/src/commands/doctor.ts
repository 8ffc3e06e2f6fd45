import { Command } from "commander";
import { printable } from "@countersign/node";
import { gather } from "../doctor/gather.ts";
import { judge } from "../doctor/judge.ts";
import type { Finding } from "../doctor/judge.ts";
import { ExitCode, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

function findingLines(cli: Cli, finding: Finding): readonly string[] {
  const marks = {
    good: cli.paint("green", "✓"),
    warning: cli.paint("yellow", "!"),
    bad: cli.paint("red", "✗"),
  };
  const { about, level, next } = finding;
  return [
    `${marks[level]} ${about.padEnd(11)}  ${printable(finding.says)}`,
    ...(next === undefined ? [] : [`    next: ${printable(next)}`]),
  ];
}

async function examine(cli: Cli): Promise<void> {
  say(cli, cli.paintErr("dim", "looking at this machine …"));
  const findings = judge(await gather(cli));
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
    .addHelpText(
      "after",
      "\nExample:\n  countersign doctor\n  countersign doctor --data /srv/countersign --json",
    )
    .action(() => examine(cli));
}
