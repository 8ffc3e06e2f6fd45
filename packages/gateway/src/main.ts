import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fromUtf8, parseTrustDomain, proxyId, readJoinToken, Refusal } from "@countersign/core";
import type { Log } from "@countersign/node";
import {
  nodeCrypto,
  nodeRandom,
  parseConfig,
  privateDirectory,
  readPrivateFile,
  systemClock,
  systemTimers,
  writePrivateFile,
} from "@countersign/node";
import { GATEWAY_SCHEMA } from "./config.ts";
import type { GatewayFile } from "./config.ts";
import { runDomain } from "./domain.ts";
import type { RunningDomain } from "./domain.ts";
import { saveIdentity } from "./keys/identity.ts";
import { enrol } from "./uplink/enrol.ts";

export { GATEWAY_SCHEMA } from "./config.ts";

/** Name of the file of each trust domain. */
export const GATEWAY_FILE = "gateway.yaml";
const MAX_CONFIG_BYTES = 65_536;
const MAX_DOMAINS = 64;

/** What an operator says of a gateway that is made. */
export interface InitOptions {
  /** Names of the proxies that it serves. */
  readonly proxies: readonly string[];
  readonly listenHost: string;
  readonly listenPort: number;
}

/**
 * Enrols a gateway with a join token and writes identity and configuration, in a folder of its trust domain: one
 * gateway stands before the servers of several.
 * @throws Refusal `join_token_invalid`, `untrusted_chain`, `unreachable`, `name_taken`, `invalid_identifier`, `private_mode`
 */
export async function initGateway(
  data: string,
  tokenText: string,
  options: InitOptions,
): Promise<{ readonly name: string; readonly trustDomain: string; readonly folder: string }> {
  const token = readJoinToken(tokenText, systemClock(), "gateway");
  const trustDomain = parseTrustDomain(token.td);
  for (const name of options.proxies) proxyId(trustDomain, name);
  await privateDirectory(data);
  const folder = join(data, trustDomain);
  await privateDirectory(folder);
  const file = {
    trust_domain: trustDomain,
    name: token.name,
    api_url: token.api,
    listen_host: options.listenHost,
    listen_port: options.listenPort,
    proxies: options.proxies,
  };
  const yaml = Object.entries(file)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join("");
  parseConfig(yaml, GATEWAY_SCHEMA); // before the token is used up
  await saveIdentity(folder, await enrol(nodeCrypto, token, systemClock()));
  await writePrivateFile(join(folder, GATEWAY_FILE), yaml);
  return { name: token.name, trustDomain, folder };
}

async function readFileOf(folder: string): Promise<GatewayFile> {
  const octets = await readPrivateFile(join(folder, GATEWAY_FILE), MAX_CONFIG_BYTES);
  if (octets === undefined)
    throw new Refusal("configuration_invalid", `no ${GATEWAY_FILE} in ${folder}`);
  await privateDirectory(folder); // whoever may write there could put other files in the place of ours
  return parseConfig(fromUtf8(octets), GATEWAY_SCHEMA);
}

/** The folders of the trust domains in a data directory, each with its configuration. */
async function domainsIn(data: string): Promise<readonly string[]> {
  const names = existsSync(data) ? await readdir(data) : [];
  const folders = names
    .toSorted()
    .map((name) => join(data, name))
    .filter((folder) => existsSync(join(folder, GATEWAY_FILE)));
  if (folders.length === 0)
    throw new Refusal(
      "configuration_invalid",
      "no gateway here",
      "Enrol it first: countersign owner gateway init --token-file FILE.",
    );
  if (folders.length > MAX_DOMAINS)
    throw new Refusal("configuration_invalid", `over ${MAX_DOMAINS} trust domains`);
  return folders;
}

export interface RunningGateway {
  /** One for each trust domain. */
  readonly domains: readonly RunningDomain[];
  close(): Promise<void>;
}

/**
 * Runs the gateway of a data directory, for every trust domain in it, until `close`.
 * @throws Refusal `configuration_invalid`, `attester_unknown`, `private_mode`
 */
export async function runGateway(options: {
  readonly data: string;
  readonly log: Log;
}): Promise<RunningGateway> {
  const { data, log } = options;
  await privateDirectory(data);
  const platform = {
    c: nodeCrypto,
    random: nodeRandom,
    clock: systemClock,
    timers: systemTimers,
    nowMs: () => performance.now(),
    log,
  };
  const domains: RunningDomain[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(domains.map((domain) => domain.close()));
  };
  try {
    for (const folder of await domainsIn(data))
      domains.push(await runDomain(folder, await readFileOf(folder), platform));
  } catch (error) {
    await close();
    throw error;
  }
  return { domains, close };
}
