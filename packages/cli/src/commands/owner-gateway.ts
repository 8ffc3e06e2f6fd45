import { join } from "node:path";
import { Command } from "commander";
import { fromUtf8, Refusal } from "@countersign/core";
import { onShutdown } from "@countersign/node";
import { readBounded, readStream } from "../files.ts";
import { daemonLog, placesOf, prepareRoot, PRODUCTION_DATA } from "../production.ts";
import { printSettings } from "../settings.ts";
import { say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const MAX_TOKEN_BYTES = 4096;
const MAX_PORT = 65_535;

interface InitOptions {
  readonly tokenFile: string;
  readonly proxy: readonly string[];
  readonly listenHost: string;
  readonly listenPort: string;
}

function portOf(typed: string): number {
  const port = /^[0-9]{1,5}$/.test(typed) ? Number(typed) : MAX_PORT + 1;
  if (port > MAX_PORT)
    throw new Refusal(
      "malformed_request",
      `${typed} is no port`,
      "Give a port: --listen-port 8444.",
    );
  return port;
}

async function init(cli: Cli, options: InitOptions): Promise<void> {
  const places = placesOf(cli, "gateway");
  const listenPort = portOf(options.listenPort);
  const octets =
    options.tokenFile === "-"
      ? await readStream(cli.stdin, "standard input", MAX_TOKEN_BYTES)
      : await readBounded(options.tokenFile, MAX_TOKEN_BYTES);
  const { initGateway } = await import("../daemons.ts");
  await prepareRoot(places);
  say(cli, cli.paintErr("dim", "asking the server …"));
  const { name, trustDomain, folder } = await initGateway(places.data, fromUtf8(octets).trim(), {
    proxies: options.proxy,
    listenHost: options.listenHost,
    listenPort,
  });
  const at = cli.data === undefined ? "" : ` --data ${places.root}`;
  const id = `spiffe://${trustDomain}/gateway/${name}`;
  const address = `${options.listenHost}:${listenPort}`;
  show(cli, { name, trust_domain: trustDomain, id, data: folder, proxies: options.proxy }, [
    `This is gateway ${cli.paint("bold", name)} of ${trustDomain}, for ${options.proxy.join(", ")}; its key lies in ${folder}`,
    `The token is used up${options.tokenFile === "-" ? "." : `: delete ${options.tokenFile}.`}`,
    `On the host of each proxy, write into proxy.yaml and start the proxy again:`,
    `  gateway: ${id}`,
    `  gateway_url: https://${address}`,
    `Run it: countersign owner gateway run${at}`,
  ]);
}

async function run(cli: Cli): Promise<void> {
  const places = placesOf(cli, "gateway");
  const { runGateway } = await import("../daemons.ts");
  const log = daemonLog(cli);
  const running = await runGateway({ data: places.data, log });
  onShutdown({ close: () => running.close(), log });
}

/** Of one trust domain; the defaults where none is named. */
async function showConfig(cli: Cli, trustDomain = ""): Promise<void> {
  const { GATEWAY_SCHEMA } = await import("../daemons.ts");
  const { data } = placesOf(cli, "gateway");
  await printSettings(cli, join(data, trustDomain), "gateway.yaml", GATEWAY_SCHEMA);
}

/** `countersign owner gateway` */
export function gatewayCommand(cli: Cli): Command {
  const noun = new Command("gateway")
    .description("stands between proxies and server, for the owner")
    .usage("[command] [options]")
    .option("--print-config", "print every setting with what it decides, unit and default")
    .addHelpText(
      "after",
      `\nIt passes everything on as it is. Data: --data DIR, default ${PRODUCTION_DATA}; a folder for each trust domain.\nExample:\n  countersign owner gateway init --token-file edge.token --proxy build-7\n  countersign owner gateway run`,
    );
  noun
    .command("init")
    .description("enrols it with a join token; once for each trust domain that it serves")
    .requiredOption("--token-file <file>", "file with the token, - for standard input")
    .requiredOption("--proxy <name...>", "proxies that it serves")
    .option("--listen-host <host>", "address of its listener for proxies", "127.0.0.1")
    .option("--listen-port <n>", "its port; each trust domain has its own", "8444")
    .addHelpText(
      "after",
      "\nThe token is made by: countersign server gateway-token\nExample:\n  countersign owner gateway init --token-file edge.token --proxy build-7 --listen-host 0.0.0.0",
    )
    .action((options: InitOptions) => init(cli, options));
  noun
    .command("run")
    .description("runs it until SIGINT or SIGTERM; logs to standard error")
    .addHelpText("after", "\nExample:\n  countersign owner gateway run --data /srv/countersign")
    .action(() => run(cli));
  noun
    .command("config [trust-domain]")
    .description("prints every setting with what it decides, unit and default")
    .addHelpText("after", "\nExample:\n  countersign owner gateway config example.org")
    .action((trustDomain?: string) => showConfig(cli, trustDomain));
  return noun.allowExcessArguments().action((options: { printConfig?: boolean }) => {
    const [word] = noun.args;
    if (word !== undefined) return noun.error(`error: unknown command '${word}'`);
    return options.printConfig === true ? showConfig(cli) : noun.help({ error: true });
  });
}
