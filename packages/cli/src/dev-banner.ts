import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "@countersign/core";
import { shellLine } from "./sign-lines.ts";
import { number, text } from "./sockets.ts";
import { duration, instant } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

/** What `countersign dev` says once it serves. */
export interface Serving {
  readonly data: string;
  readonly trustDomain: string;
  readonly trustFile: string;
  readonly publicUrl: string;
  readonly consoleUrl: string | undefined;
  /** For a first passkey, where nobody has a key yet. */
  readonly invitation: JsonObject | undefined;
  /** Stops of the whole trust domain that are in force. */
  readonly stops: readonly JsonObject[];
}

/** The agent and the service of the examples have one address. */
const SERVICE = "http://localhost:4000/";

/** A command line that can be typed here as it stands, on the data directory that was named. */
export function typed(cli: Cli, ...words: readonly string[]): string {
  const data = cli.data === undefined ? [] : ["--data", cli.data];
  return shellLine(...cli.typedAs, ...data, ...words);
}

/** A file of the examples as it is named from here; its bare name where there is no checkout. */
function example(name: string): string {
  const near = join("examples", name);
  if (existsSync(near)) return near;
  const own = fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
  return existsSync(own) ? own : name;
}

/** Another machine's browser has another localhost; passkeys know only this name, so the port is brought there. */
function fromElsewhere(cli: Cli, consoleUrl: string | undefined): readonly string[] {
  if (consoleUrl === undefined || (cli.env.all["SSH_CONNECTION"] ?? "") === "") return [];
  const { port } = new URL(consoleUrl);
  const line = `your browser is on another machine? There, first: ssh -N -L ${port}:localhost:${port} THIS-HOST`;
  return [cli.paint("dim", line)];
}

function consoleLines(cli: Cli, { consoleUrl, invitation }: Serving): readonly string[] {
  if (invitation === undefined)
    return consoleUrl === undefined
      ? ["off: owners sign in the terminal"]
      : [`${consoleUrl}/`, ...fromElsewhere(cli, consoleUrl)];
  const left = duration(number(invitation, "expires_at") - number(invitation, "made_at"));
  return [
    `open ${text(invitation, "url")}   code ${cli.paint("bold", text(invitation, "code"))}`,
    cli.paint("dim", `to make the passkey of the owner "me": once, within ${left}`),
    ...fromElsewhere(cli, consoleUrl),
    cli.paint("dim", "or, without a browser, with a key of ssh-keygen -t ed25519:"),
    `${typed(cli, "owner", "enrol", "me", "--key")} ~/.ssh/id_ed25519`, // the shell's ~
  ];
}

/** What is stopped here since an earlier start, and how that ends: whatever else is done, no agent gets anything before. */
function stoppedLines(cli: Cli, { stops }: Serving): readonly string[] {
  const [stop] = stops;
  if (stop === undefined) return [];
  const id = text(stop, "id");
  // an id may begin with a hyphen; of several, the command lists them
  const which = stops.length > 1 ? [] : id.startsWith("-") ? ["--", id] : [id];
  return [
    `  ${cli.paint("red", "[##] everything here is stopped")} since ${instant(number(stop, "since"))}`,
    "       No agent gets a credential or proves anything.",
    `       To lift it: ${typed(cli, "lift", ...which)}   (owners then sign anew)`,
    "",
  ];
}

/** Three things to do, each under its number: the console, the first agent, the end. */
export function bannerLines(cli: Cli, serving: Serving): readonly string[] {
  const script = example("agent.mjs");
  const own = shellLine(...cli.typedAs);
  const register = ["agent", "register", "hello", "--owner", "me"];
  const things: readonly (readonly [string, readonly string[]])[] = [
    ["your console", consoleLines(cli, serving)],
    [
      "first agent",
      [
        typed(cli, ...register, "--audience", SERVICE),
        `${shellLine("node", example("relying-party.mjs"), serving.trustFile)} &`,
        typed(cli, "owner", "expect", "hello"),
        typed(cli, "run", "--agent", "hello", "--", "node", script),
        cli.paint("dim", "in a second terminal, after 1; the agent waits until you approve it"),
      ],
    ],
    [
      "stop it all",
      [
        typed(cli, "halt", "everything"),
        cli.paint("dim", "at once, until you lift it. Ctrl-C here ends server and proxy"),
      ],
    ],
  ];
  return [
    `${cli.paint("bold", "[__] countersign")}  ${cli.paint("yellow", "development")}, for this machine only: ${serving.trustDomain}`,
    "",
    ...stoppedLines(cli, serving),
    ...things.flatMap(([name, lines], i) =>
      lines.map((line, at) =>
        at === 0
          ? `  ${i + 1}  ${cli.paint("bold", name.padEnd(12))}  ${line}`
          : `${" ".repeat(19)}${line}`,
      ),
    ),
    "",
    cli.paint("dim", `  data ${serving.data} · trust bundle ${serving.publicUrl}/bundle`),
    ...(own === "countersign"
      ? []
      : [cli.paint("dim", `  where a message says countersign, type here: ${own}`)]),
  ];
}

/** Writes them to standard output. */
export function banner(cli: Cli, serving: Serving): void {
  cli.stdout.write(`${bannerLines(cli, serving).join("\n")}\n`);
}
