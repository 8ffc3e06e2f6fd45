import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { isObject, Refusal } from "@countersign/core";
import type { Json, JsonObject } from "@countersign/core";
import { onShutdown, systemClock, writePrivateFile } from "@countersign/node";
import { columns } from "../columns.ts";
import {
  daemonLog,
  placesOf,
  prepareRoot,
  prepareRuntime,
  PRODUCTION_DATA,
} from "../production.ts";
import type { Places } from "../production.ts";
import { printSettings } from "../settings.ts";
import { list, number, text, withApi } from "../sockets.ts";
import { duration, instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { backupCommand } from "./server-backup.ts";
import { addGateways } from "./server-gateway.ts";
import { keysCommand } from "./server-keys.ts";
import { recoverCommand } from "./server-recover.ts";
import { SETTINGS } from "./server-settings.ts";
import type { Setting } from "./server-settings.ts";

type InitOptions = Readonly<Record<string, string | readonly string[] | undefined>>;

const optionOf = (setting: Setting): Option => new Option(setting.flag, setting.about);

/** YAML of the settings that were given: JSON values are YAML. */
export function configurationOf(options: InitOptions): string {
  const lines = SETTINGS.flatMap((setting) => {
    const given = options[optionOf(setting).attributeName()];
    if (given === undefined) return [];
    // what is no number is left as it is, for the schema to refuse by its name
    const isNumber = setting.kind === "integer" && /^[0-9]{1,10}$/.test(String(given));
    return [`${setting.name}: ${JSON.stringify(isNumber ? Number(given) : given)}\n`];
  });
  return lines.join("");
}

const isMade = (places: Places): boolean => existsSync(join(places.data, "server.yaml"));

/** `--data` as it has to be typed again. */
function dataWords(cli: Cli, places: Places): string {
  return cli.data === undefined ? "" : ` --data ${places.root}`;
}

async function init(cli: Cli, options: InitOptions): Promise<void> {
  const places = placesOf(cli, "server");
  if (isMade(places))
    throw new Refusal(
      "configuration_invalid",
      `a server is in ${places.data} already`,
      `Run it: countersign server run${dataWords(cli, places)}; or choose another folder with --data DIR.`,
    );
  const { initServer } = await import("../daemons.ts");
  await prepareRoot(places);
  const config = await initServer(places.data, configurationOf(options));
  show(
    cli,
    {
      data: places.data,
      trust_domain: config.trustDomain,
      issuer: config.issuer,
      api: config.apiUrl,
    },
    [
      `Made the server of ${cli.paint("bold", config.trustDomain)} in ${places.data}`,
      `  issuer    ${config.issuer}`,
      `  proxies   ${config.apiUrl}`,
      `  policy    ${config.policy}`,
      `  Take ${places.data}/roots off this machine when you have a copy: running does not need the root keys.`,
      `Run it: countersign server run${dataWords(cli, places)}`,
    ],
  );
}

async function run(cli: Cli): Promise<void> {
  const places = placesOf(cli, "server");
  if (!isMade(places))
    throw new Refusal(
      "configuration_invalid",
      `no server in ${places.data}`,
      `Make one: countersign server init --trust-domain NAME${dataWords(cli, places)}`,
    );
  const { runServer, siteFolder } = await import("../daemons.ts");
  await prepareRuntime(places);
  const log = daemonLog(cli);
  const { data, runtime } = places;
  const running = await runServer({
    data,
    runtime,
    log,
    site: siteFolder(),
    isDevelopment: false,
  });
  onShutdown({ close: () => running.close(), log });
}

interface TokenOptions {
  readonly proxy: string;
  readonly ttl: string;
  readonly replace: boolean;
  readonly out?: string;
}

const MOST_TTL_SECONDS = 86_400;

async function joinToken(cli: Cli, options: TokenOptions): Promise<void> {
  if (!/^[1-9][0-9]{0,4}$/.test(options.ttl) || Number(options.ttl) > MOST_TTL_SECONDS)
    throw new Refusal(
      "malformed_request",
      `--ttl ${options.ttl}`,
      "Give seconds, at most 86400: --ttl 600.",
    );
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(options.proxy))
    throw new Refusal(
      "invalid_identifier",
      `the name ${options.proxy}`,
      "Names are lower-case letters, digits, . _ and -: --proxy build-7",
    );
  const order = { name: options.proxy, life: Number(options.ttl), replace: options.replace };
  const token = await withApi(cli, "server.sock", async (api) =>
    text(await api.post("/v1/join-tokens", order), "token"),
  );
  const until = instant(systemClock() + order.life);
  if (options.out === undefined) {
    cli.stdout.write(cli.isJson ? `${JSON.stringify({ token })}\n` : `${token}\n`);
    say(cli, `For one use until ${until}. On the host: countersign proxy enroll --token-file FILE`);
    return;
  }
  await writePrivateFile(options.out, `${token}\n`);
  show(cli, { file: options.out, expires_at: systemClock() + order.life }, [
    `Wrote ${options.out} (mode 0600), for one use until ${until}.`,
    `Carry it to the host of ${options.proxy}, then: countersign proxy enroll --token-file ${options.out}`,
  ]);
}

function member(value: JsonObject, name: string): JsonObject {
  const found: Json | undefined = value[name];
  return isObject(found) ? found : {};
}

function checkpointSize(status: JsonObject): string {
  return text(status, "checkpoint").split("\n")[1] ?? "0";
}

/** A server's status as lines. */
export function serverLines(cli: Cli, status: JsonObject): readonly string[] {
  const now = number(status, "now");
  const keys = member(status, "keys");
  const ends = (name: string): string => {
    const end = number(member(keys, name), "not_after");
    return `${instant(end)}, in ${duration(end - now)}`;
  };
  const proxies = list(status, "proxies");
  const { hold } = status;
  return [
    `${cli.paint("bold", text(status, "trust_domain"))}  ${text(status, "issuer")}${status["development"] === true ? cli.paint("yellow", "  development") : ""}`,
    ...(typeof hold === "string" ? [cli.paint("red", `  ! HOLD, nothing is issued: ${hold}`)] : []),
    `  proxies reach it at  ${text(status, "api")}`,
    `  policy               ${text(status, "policy")}`,
    `  agents CA ends       ${ends("agents_ca")}`,
    `  infrastructure CA    ${ends("infrastructure_ca")}`,
    `  log                  ${checkpointSize(status)} entries, key ${text(keys, "log")}`,
    ...(proxies.length === 0 ? ["  No proxy yet: countersign server join-token --proxy NAME"] : []),
    ...columns(
      proxies.map((proxy) => [
        "  proxy",
        text(proxy, "id"),
        proxy["forked"] === true ? "forked" : text(proxy, "state"),
        `certificate until ${instant(number(proxy, "not_after"))}`,
      ]),
    ),
  ];
}

async function showStatus(cli: Cli): Promise<void> {
  const answer = await withApi(cli, "server.sock", (api) => api.get("/v1/status"));
  show(cli, answer, serverLines(cli, answer));
}

async function showConfig(cli: Cli): Promise<void> {
  const { SERVER_SCHEMA } = await import("../daemons.ts");
  await printSettings(cli, placesOf(cli, "server").data, "server.yaml", SERVER_SCHEMA);
}

function addInit(cli: Cli, noun: Command): void {
  const command = noun
    .command("init")
    .description("makes a server: its configuration and its keys");
  for (const setting of SETTINGS) {
    const option = optionOf(setting);
    if (setting.name === "trust_domain") option.makeOptionMandatory();
    command.addOption(option);
  }
  command
    .addHelpText(
      "after",
      "\nExample:\n  countersign server init --trust-domain example.org --api-host 0.0.0.0 --api-url https://id.example.org:8443 --dns id.example.org",
    )
    .action((options: InitOptions) => init(cli, options));
}

function addJoinToken(cli: Cli, noun: Command): void {
  noun
    .command("join-token")
    .description("makes a token with which one proxy enrols once")
    .requiredOption("--proxy <name>", "name that the proxy gets")
    .option("--ttl <seconds>", "how long it is good for, at most 86400", "600")
    .option(
      "--replace",
      "also where the name holds a live certificate: that ends its grants",
      false,
    )
    .option("--out <file>", "write it there with mode 0600 instead of printing it")
    .addHelpText(
      "after",
      "\nExample:\n  countersign server join-token --proxy build-7 --out build-7.token",
    )
    .action((options: TokenOptions) => joinToken(cli, options));
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign server")
    .description("Makes and runs the identity server.")
    .usage("[command] [options]")
    .option("--print-config", "print every setting with what it decides, unit and default")
    .addHelpText(
      "after",
      `\nData: --data DIR, default ${PRODUCTION_DATA}.\nExample:\n  countersign server init --trust-domain example.org\n  countersign server run`,
    );
  addInit(cli, noun);
  noun
    .command("run")
    .description("runs it until SIGINT or SIGTERM; logs to standard error")
    .addHelpText("after", "\nExample:\n  countersign server run --data /srv/countersign")
    .action(() => run(cli));
  addJoinToken(cli, noun);
  addGateways(cli, noun);
  noun
    .command("status")
    .description("shows what the running server holds")
    .addHelpText("after", "\nExample:\n  countersign server status --json")
    .action(() => showStatus(cli));
  noun.addCommand(keysCommand(cli));
  noun.addCommand(backupCommand(cli));
  noun.addCommand(recoverCommand(cli));
  noun
    .command("config")
    .description("prints every setting with what it decides, unit and default")
    .addHelpText("after", "\nExample:\n  countersign server config > server.yaml")
    .action(() => showConfig(cli));
  return noun.allowExcessArguments().action((options: { printConfig?: boolean }) => {
    const [word] = noun.args;
    if (word !== undefined) return noun.error(`error: unknown command '${word}'`);
    return options.printConfig === true ? showConfig(cli) : noun.help({ error: true });
  });
}
