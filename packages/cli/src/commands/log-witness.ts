import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { fromUtf8, MAX_ADD_CHECKPOINT_BYTES, Refusal, vkeyOf } from "@countersign/core";
import {
  createPrivateFile,
  json,
  loadOrCreateSigner,
  nodeCrypto,
  onShutdown,
  parseConfig,
  privateDirectory,
  readPrivateFile,
  serve,
  systemClock,
} from "@countersign/node";
import type { ConfigSchema } from "@countersign/node";
import { daemonLog, placesOf, prepareRoot } from "../production.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { logsOf, witnessApp, witnessFiles } from "../witness.ts";

interface WitnessFile {
  readonly name: string;
}

const CONFIG_FILE = "witness.yaml";
const KEY_NAME = "witness";
const SCHEMA: ConfigSchema<WitnessFile> = {
  name: {
    type: "string",
    required: true,
    pattern: /^[^\s+]{1,255}$/,
    doc: "name of the witness's key: an address without a scheme that is yours",
  },
};

async function init(cli: Cli, name: string): Promise<void> {
  const places = placesOf(cli, "witness");
  const text = `name: ${JSON.stringify(name)}\n`;
  parseConfig(text, SCHEMA);
  await prepareRoot(places);
  await privateDirectory(places.data);
  if (!(await createPrivateFile(join(places.data, CONFIG_FILE), text)))
    throw new Refusal(
      "name_taken",
      `a witness is in ${places.data} already`,
      "Run it: countersign log witness run --log VKEY",
    );
  const signer = await loadOrCreateSigner(places.data, KEY_NAME, "Ed25519");
  const vkey = vkeyOf(nodeCrypto, name, signer.key, "cosignature");
  show(cli, { data: places.data, name, vkey }, [
    `Made the witness ${cli.paint("bold", name)} in ${places.data}`,
    `  key    ${vkey}`,
    "Give the key to the log's server (witnesses: VKEY@URL) and to relying parties.",
    "Run it: countersign log witness run --log VKEY-OF-THE-LOG",
  ]);
}

interface RunOptions {
  readonly listen: string;
  readonly log: readonly string[];
}

function bindOf(text: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535)
    throw new Refusal("malformed_request", "--listen", "Give HOST:PORT: --listen 127.0.0.1:7380.");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

async function run(cli: Cli, options: RunOptions): Promise<void> {
  const { data } = placesOf(cli, "witness");
  const config = existsSync(data) ? await readPrivateFile(join(data, CONFIG_FILE)) : undefined;
  if (config === undefined)
    throw new Refusal(
      "configuration_invalid",
      `no witness in ${data}`,
      "Make one: countersign log witness init --name witness.example.org/w1",
    );
  const { name } = parseConfig(fromUtf8(config), SCHEMA);
  const on = bindOf(options.listen);
  const logs = logsOf(nodeCrypto, options.log);
  const log = daemonLog(cli);
  const signer = await loadOrCreateSigner(data, KEY_NAME, "Ed25519");
  const contextOf = (): object => ({});
  // the socket makes us the only witness on this folder: two would remember past each other
  const own = await serve({
    on: { unix: join(data, "witness.sock"), mode: 0o600 },
    app: () => Promise.resolve(json({ name, logs: [...logs.keys()] })),
    contextOf,
    log,
  });
  const folder = join(data, "logs");
  await privateDirectory(folder);
  const state = witnessFiles(nodeCrypto, folder);
  const listener = await serve({
    on,
    app: witnessApp({ c: nodeCrypto, name, signer, logs, state, clock: systemClock, log }),
    contextOf,
    maxBodyBytes: MAX_ADD_CHECKPOINT_BYTES,
    log,
  }).catch(async (error: unknown) => {
    await own.close(0);
    throw error;
  });
  log.info("witness.running", { name, address: listener.address, logs: [...logs.keys()] });
  onShutdown({
    close: async () => void (await Promise.all([listener.close(), own.close()])),
    log,
  });
}

/** `countersign log witness …`: a second machine that sees to it that the log shows everybody one history. */
export function addWitness(cli: Cli, noun: Command): void {
  const witness = noun
    .command("witness")
    .description("makes and runs a witness, which cosigns a log's checkpoints on another machine")
    .addHelpText(
      "after",
      "\nExample:\n  countersign log witness init --name witness.example.org/w1",
    );
  witness
    .command("init")
    .description("makes its key")
    .requiredOption("--name <name>", "name of its key, such as witness.example.org/w1")
    .addHelpText(
      "after",
      "\nExample:\n  countersign log witness init --name witness.example.org/w1",
    )
    .action(({ name }: { name: string }) => init(cli, name));
  witness
    .command("run")
    .description("runs it until SIGINT or SIGTERM: POST /add-checkpoint, behind your own TLS")
    .option("--listen <host:port>", "where it listens", "127.0.0.1:7380")
    .requiredOption("--log <vkey...>", "verifier keys of the logs that it watches")
    .addHelpText("after", '\nExample:\n  countersign log witness run --log "$VKEY"')
    .action((options: RunOptions) => run(cli, options));
}
