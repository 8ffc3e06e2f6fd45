import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Command } from "commander";
import { isObject, parseJson, problemOf, Refusal, REFUSALS } from "@countersign/core";
import type { JsonObject, RefusalCode } from "@countersign/core";
import { followEvents, nodeRandom, openTarget } from "@countersign/node";
import type { Target } from "@countersign/node";
import { apiOf, findSocket, number, text } from "../sockets.ts";
import { duration, ExitCode, say } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

/** What would let an agent sign for its owner: the child starts without it (DESIGN 6). */
const WITHHELD = [
  "SSH_AUTH_SOCK",
  "SSH_AGENT_PID",
  "GPG_AGENT_INFO",
  "DBUS_SESSION_BUS_ADDRESS",
] as const;
const FORWARDED: readonly NodeJS.Signals[] = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
];

/** What makes an interpreter load code that nobody measured; a door refuses a process that has any of it. */
const LOADER =
  /^(LD_.*|NODE_OPTIONS|NODE_PATH|PYTHON.*|PERL5OPT|PERL5LIB|PERL5DB|RUBYOPT|RUBYLIB|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|_JAVA_OPTIONS|BASH_ENV|GCONV_PATH)$/;

function childEnvironment(cli: Cli, door: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...cli.env.all, COUNTERSIGN_SOCKET: door };
  for (const name of WITHHELD) delete env[name];
  const loader = Object.keys(env).filter((name) => LOADER.test(name));
  for (const name of loader) delete env[name];
  if (loader.length > 0)
    say(
      cli,
      cli.paintErr(
        "dim",
        `started without ${loader.join(", ")}: the proxy refuses programs that load code through them`,
      ),
    );
  return env;
}

function announce(cli: Cli, event: string, value: JsonObject): void {
  const mark = (state: string): string => cli.paintErr("bold", `[${state}] countersign`);
  if (event === "waiting") {
    const until = duration(number(value, "deadline") - Math.floor(Date.now() / 1000));
    const { digits } = value;
    const typed =
      typeof digits === "string"
        ? `     Type ${cli.paintErr("bold", digits)} where you approve.\n`
        : "";
    say(
      cli,
      `${mark("/_")}  waiting for the owner, code ${cli.paintErr("bold", text(value, "code"))}, ${until} left\n${typed}     ${text(value, "next")}`,
    );
  } else if (event === "credential") {
    if (number(value, "n") <= 1) say(cli, `${mark("//")}  ${text(value, "id")}`);
  } else {
    const reason = text(value, "reason");
    const title = isRefusalCode(reason) ? REFUSALS[reason].title : reason;
    say(cli, `${mark(event === "halted" ? "##" : "/x")}  ${title}. ${text(value, "next")}`);
  }
}

function announceRefusal(cli: Cli, refusal: Refusal): void {
  const { reason, next } = problemOf(refusal);
  announce(cli, "refused", { reason, next });
}

const isRefusalCode = (code: string): code is RefusalCode => Object.hasOwn(REFUSALS, code);

/** How long a proxy that was started again may wait for us: its agents have no door until then. */
const LONGEST_AWAY_MS = 2_000;

/** Whether a person may read here what the run says: then he types two digits of it where he approves. */
function openBody(cli: Cli, agent: string): JsonObject {
  const { isTTY } = cli.stderr as Partial<NodeJS.WriteStream>; // of a pipe it is undefined
  return isTTY === true ? { agent, terminal: true } : { agent };
}

/** Asks a proxy that was started again for the same door: the child has its path, and cannot be told another. */
function reopener(cli: Cli, target: Target, agent: string, door: string): (why: Refusal) => void {
  let said: string | undefined;
  const ask = async (): Promise<void> => {
    try {
      await apiOf(target).post("/v1/runs", { ...openBody(cli, agent), again: door });
      said = undefined;
      say(
        cli,
        `${cli.paintErr("bold", "[//] countersign")}  the proxy was started again, the door is open as before`,
      );
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // it may not have heard its server yet; what is final is said once
      if (error.code !== "unreachable" && error.code !== said) announceRefusal(cli, error);
      said = error.code;
    }
  };
  return (why) => {
    if (why.code === "not_found") void ask();
  };
}

/** Shows what happens at the door, for as long as the child lives. The code comes from the proxy, which made the request. */
function follow(
  cli: Cli,
  target: Target,
  { agent, door }: { readonly agent: string; readonly door: string },
  signal: AbortSignal,
): void {
  void followEvents(target, `/v1/runs/events?door=${encodeURIComponent(door)}`, {
    signal,
    random: nodeRandom,
    maxDelayMs: LONGEST_AWAY_MS,
    onDown: reopener(cli, target, agent, door),
    onEvent: ({ event, data }) => {
      const value = parseJson(data, { maxBytes: 65_536, maxDepth: 8 });
      if (isObject(value)) announce(cli, event, value);
    },
  });
}

function runChild(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [file = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: "inherit" });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of FORWARDED) process.on(signal, forward);
    child.on("error", (error) =>
      reject(
        new Refusal(
          "not_found",
          `cannot start ${file}: ${error.message}`,
          "Check the command behind --.",
        ),
      ),
    );
    child.on("exit", (code, signal) => {
      for (const name of FORWARDED) process.off(name, forward);
      resolve(code ?? 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0)));
    });
  });
}

async function run(
  cli: Cli,
  options: { readonly agent: string },
  command: readonly string[],
): Promise<void> {
  const target = openTarget({ unix: findSocket(cli, "run.sock") });
  const ended = new AbortController();
  try {
    const door = text(await apiOf(target).post("/v1/runs", openBody(cli, options.agent)), "door");
    follow(cli, target, { agent: options.agent, door }, ended.signal);
    const code = await runChild(command, childEnvironment(cli, door));
    if (code !== 0) throw new ExitCode(code);
  } finally {
    ended.abort();
    target.close();
  }
}

export function build(cli: Cli): Command {
  return new Command("countersign run")
    .description(
      "Starts a command as an agent: it finds its door in COUNTERSIGN_SOCKET, without your keys around it.",
    )
    .requiredOption("--agent <name>", "registered name of the agent")
    .argument("<command...>", "the command, behind --")
    .addHelpText("after", "\nExample:\n  countersign run --agent mailer -- node agent.mjs")
    .action((command: readonly string[], options: { agent: string }) => run(cli, options, command));
}
