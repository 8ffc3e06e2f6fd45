import { Command } from "commander";
import type { JsonObject } from "@countersign/core";
import { printable } from "@countersign/node";
import { concerned, resolveTarget, WHATS } from "../halt-target.ts";
import type { Known, Target, What } from "../halt-target.ts";
import { useCode } from "../stop-code.ts";
import { list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { instant, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const SKEW_SECONDS = 60;

const ABOUT: Readonly<Record<What, string>> = {
  agent: "stops an agent by name, with all its installations; or one installation by its whole id",
  entry: "stops a registration: every agent of it",
  grant: "stops what one approval allows, by the statement's digest",
  owner: "stops everything that an owner approved",
  proxy: "stops a host: everything that its proxy serves",
};

const EXAMPLE: Readonly<Record<What, string>> = {
  agent: "mailer --reason 'sends to strangers'",
  entry: "spiffe://example.org/agent/mailer",
  grant: "sha-256:b0Zk…",
  owner: "me",
  proxy: "build-7",
};

async function known(api: LocalApi): Promise<Known> {
  const status = await api.get("/v1/status");
  return {
    trustDomain: text(status, "trust_domain"),
    entries: list(await api.get("/v1/entries"), "entries"),
    owners: list(await api.get("/v1/owners"), "owners"),
    proxies: list(status, "proxies"),
  };
}

/** How to lift it: an id may begin with a hyphen. */
export function liftLine(id: string): string {
  return `countersign lift ${id.startsWith("-") ? "-- " : ""}${id}`;
}

function haltLines(cli: Cli, stop: JsonObject, live: readonly JsonObject[]): readonly string[] {
  const last = Math.max(0, ...live.map((credential) => number(credential, "exp")));
  const id = text(stop, "id");
  return [
    `${cli.paint("red", "[##] stopped")} ${text(stop, "scope")} ${printable(text(stop, "target"))} at ${instant(number(stop, "since"))}`,
    "  Its approvals have ended and nothing is issued to it. Proxies that are connected drop its keys and refuse proofs now.",
    live.length === 0
      ? "  No credential of it is alive."
      : `  ${live.length} credential${live.length === 1 ? " is" : "s are"} alive until ${instant(last)} at the latest: a service that looks at expiry only accepts ${live.length === 1 ? "it" : "them"} until then (and ${SKEW_SECONDS} s).`,
    `  To lift it: ${liftLine(id)}   (owners then sign anew)`,
  ];
}

async function halt(cli: Cli, reason: string, targetOf: (known: Known) => Target): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const names = await known(api);
    const order = targetOf(names);
    const grants = list(await api.get("/v1/grants"), "grants"); // those that end are not listed after it
    const stop = await api.post("/v1/halts", { ...order, reason });
    const credentials = list(await api.get("/v1/credentials"), "credentials");
    const live = concerned(order, { credentials, grants, entries: names.entries });
    show(
      cli,
      { ...stop, live: live.map((credential) => ({ ...credential })) },
      haltLines(cli, stop, live),
    );
  });
}

interface CodeOptions {
  readonly code: boolean;
  readonly removeKey?: string;
  readonly server?: string;
}

/** By a printed code, from this machine or from any other; needs no key and no name. */
async function haltByCode(cli: Cli, { removeKey, server }: CodeOptions): Promise<void> {
  const use =
    removeKey === undefined
      ? ({ do: "stop" } as const)
      : ({ do: "remove_key", jkt: removeKey } as const);
  const used = await useCode(cli, use, server);
  const left = number(used, "codes_left");
  show(cli, used, [
    removeKey === undefined
      ? `${cli.paint("red", "[##] stopped")} everything of the code's owner at ${instant(number(used, "at"))}. Only an administrator lifts it; it gives nothing.`
      : `Took the key ${removeKey.slice(0, 8)} away at ${instant(number(used, "at"))}. What it approved has ended.`,
    `  The code is spent. ${left === 0 ? "It was the last one: print new ones" : `${left} of this paper are left; print new ones in time`}: countersign owner stop-codes NAME`,
  ]);
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign halt")
    .description(
      "Stops an agent, an approval, an owner, a host, or everything; at once, and logged.",
    )
    .option("--code", "by a printed code, from the terminal or standard input", false)
    .option("--remove-key <thumbprint>", "with --code: take this one key away, stop nothing else")
    .option("--server <url>", "with --code: the server's public address, from another machine")
    .allowExcessArguments()
    .addHelpText(
      "after",
      "\nExample:\n  countersign halt agent mailer --reason 'sends to strangers'\n  countersign halt everything\n  countersign halt --code --server https://id.example.org",
    )
    .action((options: CodeOptions, command: Command) => {
      const [word] = command.args;
      if (word !== undefined) command.error(`error: unknown command '${word}'`);
      return options.code ? haltByCode(cli, options) : command.help({ error: true });
    });
  for (const what of WHATS)
    noun
      .command(`${what} <target>`)
      .description(ABOUT[what])
      .option("--reason <text>", "why, for the log: at most 200 characters", "")
      .addHelpText("after", `\nExample:\n  countersign halt ${what} ${EXAMPLE[what]}`)
      .action((name: string, options: { reason: string }) =>
        halt(cli, options.reason, (names) => resolveTarget(what, name, names)),
      );
  noun
    .command("everything")
    .description("stops the whole trust domain: nothing is issued to anybody")
    .option("--reason <text>", "why, for the log: at most 200 characters", "")
    .addHelpText("after", "\nExample:\n  countersign halt everything")
    .action((options: { reason: string }) =>
      halt(cli, options.reason, ({ trustDomain }) => ({ scope: "domain", target: trustDomain })),
    );
  return noun;
}
