import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { Command } from "commander";
import {
  DEFAULT_MAX_LIVE,
  DEFAULT_MAX_TTL_SECONDS,
  entryId,
  isInterpreterPath,
  proxyId,
  Refusal,
} from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { list, number, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { duration, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

interface RegisterOptions {
  readonly owner?: string;
  readonly audience: readonly string[];
  readonly uid?: string;
  readonly door: string;
  readonly unit?: string;
  readonly doorMode?: string;
  readonly program?: string;
  readonly script?: string;
  readonly pin: boolean;
  readonly proxy?: string;
  readonly location: readonly string[];
  readonly action: readonly string[];
  readonly actionClass?: string;
  readonly interpreterOption: readonly string[];
  readonly single: boolean;
  readonly maxTtl: string;
  readonly maxLive: string;
  readonly carried: boolean;
  readonly approvalInCertificate: boolean;
  readonly ownKey: boolean;
  readonly fact: readonly string[];
  readonly manifest?: string;
  readonly insecureSameUid: boolean;
  readonly insecureSoftKeyStanding: boolean;
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path).catch(() => {
    throw new Refusal(
      "not_found",
      `cannot read ${path}`,
      "Name the file as the agent will run it.",
    );
  });
  for await (const chunk of createReadStream("", { fd: file.fd, autoClose: false }))
    hash.update(chunk as Buffer); // a binary stream
  await file.close();
  return `sha-256:${hash.digest("base64url")}`;
}

/** A program as the shell would find it, links followed: what the kernel will show as the executable. */
async function programPath(cli: Cli, name: string): Promise<string> {
  const places = name.includes("/")
    ? [resolve(name)]
    : (cli.env.all["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name));
  const found = places.find((path) => existsSync(path));
  if (found === undefined)
    throw new Refusal("not_found", `no program ${name}`, "Give its path with --program PATH.");
  return realpath(found);
}

interface Measured {
  readonly n: string;
  readonly path: string;
  readonly d: string;
}

/** Measures what is registered the way the proxy will measure the running process. */
async function measure(cli: Cli, options: RegisterOptions): Promise<readonly Measured[]> {
  if (options.program === undefined && options.script === undefined) return [];
  const program = await programPath(cli, options.program ?? "node");
  const binary: Measured = { n: "binary", path: program, d: await digestOfFile(program) };
  if (options.script === undefined) {
    if (isInterpreterPath(program))
      throw new Refusal(
        "script_unmeasurable",
        `${program} is an interpreter`,
        "Name the script that it runs: --script PATH.",
      );
    return [binary];
  }
  const script = await realpath(options.script).catch(() => resolve(options.script ?? ""));
  return [binary, { n: "script", path: script, d: await digestOfFile(script) }];
}

/** The proxy that is meant: the one named, or the only one there is. */
async function proxyOf(
  api: LocalApi,
  trustDomain: string,
  name: string | undefined,
): Promise<string> {
  if (name !== undefined) return name.startsWith("spiffe://") ? name : proxyId(trustDomain, name);
  const proxies = list(await api.get("/v1/status"), "proxies");
  const [one] = proxies;
  if (one === undefined || proxies.length > 1)
    throw new Refusal(
      "malformed_request",
      `${proxies.length} proxies are enrolled`,
      "Say which host serves the agent: --proxy NAME.",
    );
  return text(one, "id");
}

async function ownerOf(api: LocalApi, name: string): Promise<string> {
  const owners = list(await api.get("/v1/owners"), "owners");
  const found = owners.find((owner) => owner["name"] === name || owner["id"] === name);
  if (found === undefined)
    throw new Refusal(
      "not_found",
      `no owner ${name}`,
      "Enrol the owner's key first: countersign owner enrol NAME --key FILE.",
    );
  return text(found, "id");
}

function ceilingOf(options: RegisterOptions): readonly JsonObject[] {
  if (options.location.length === 0) return [];
  return [
    {
      type: "http_api",
      locations: options.location,
      actions: options.action,
      ...(options.actionClass === undefined ? {} : { class: options.actionClass }),
    },
  ];
}

function integer(name: string, value: string): number {
  if (!/^[0-9]{1,10}$/.test(value))
    throw new Refusal("malformed_request", `--${name} ${value}`, `Give a number: --${name} 1000.`);
  return Number(value);
}

/** What the server would refuse without knowing how it was typed. */
function checkTyped(name: string, { audience }: RegisterOptions): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name))
    throw new Refusal(
      "invalid_identifier",
      `the name ${name}`,
      "Names are lower-case letters, digits, . _ and -: countersign agent register mailer",
    );
  const wrong = audience.find((url) => url !== "*" && !/^https?:\/\/[^/?#]/.test(url));
  if (audience.length === 0 || wrong !== undefined)
    throw new Refusal(
      "malformed_request",
      wrong === undefined ? "no --audience" : `--audience ${wrong}`,
      "Say whom it may prove itself to, whole: --audience https://mail.example/",
    );
}

async function register(cli: Cli, name: string, options: RegisterOptions): Promise<void> {
  checkTyped(name, options);
  const measured = await measure(cli, options);
  await withApi(cli, "server.sock", async (api) => {
    const trustDomain = text(await api.get("/v1/status"), "trust_domain");
    const owner = options.owner === undefined ? undefined : await ownerOf(api, options.owner);
    const entry: JsonObject = {
      id: entryId(trustDomain, name),
      proxy: await proxyOf(api, trustDomain, options.proxy),
      uid: options.uid === undefined ? (process.getuid?.() ?? 0) : integer("uid", options.uid),
      door: options.door,
      ...(options.unit === undefined ? {} : { unit: options.unit }),
      ...(options.doorMode === undefined ? {} : { door_mode: options.doorMode }),
      facts: options.fact,
      pins: options.pin ? measured.map((one) => one.d) : [],
      interpreter_options: options.interpreterOption,
      ...(options.manifest === undefined ? {} : { manifest: options.manifest }),
      audiences: options.audience,
      binding: owner === undefined ? "none" : "owner",
      ...(owner === undefined ? {} : { owner }),
      grant: {
        use: options.single ? "single" : "standing",
        max_ttl: integer("max-ttl", options.maxTtl),
        max_live: integer("max-live", options.maxLive),
        ceiling: ceilingOf(options),
      },
      evidence: options.carried ? "carried" : "public",
      ...(options.approvalInCertificate ? { x509_evidence: "approval" } : {}),
      offline_proofs: true,
      ...(options.ownKey ? { custody: "agent" } : {}),
      insecure_same_uid: options.insecureSameUid,
      insecure_soft_key_standing: options.insecureSoftKeyStanding,
    };
    const stored = await api.post("/v1/entries", entry);
    show(
      cli,
      { ...stored, measured: measured.map((one) => ({ ...one })) },
      registeredLines(cli, name, options, stored, measured),
    );
  });
}

function registeredLines(
  cli: Cli,
  name: string,
  options: RegisterOptions,
  stored: JsonObject,
  measured: readonly Measured[],
): readonly string[] {
  const facts = measured.map(
    (one) =>
      `  ${one.n.padEnd(9)} ${one.d.slice(8, 16)}…  ${one.path}${options.pin ? "  pinned" : ""}`,
  );
  return [
    `${number(stored, "version") === 1 ? "Registered" : "Changed"} ${cli.paint("bold", name)}: ${text(stored, "id")}`,
    `  host      ${text(stored, "proxy")}`,
    `  user      uid ${number(stored, "uid")}`,
    `  owner     ${options.owner ?? cli.paint("yellow", "none: nobody approves it")}`,
    ...facts,
    `  proves to ${options.audience.join(", ")}`,
    ...(options.location.length === 0 ? [] : [`  may use   ${options.location.join(", ")}`]),
    ...(options.ownKey
      ? ["  key       its own: after a stop it is good until its credential expires"]
      : []),
    `  lives     ${duration(Number(options.maxTtl))} each, renewed by itself`,
    ...(measured.length === 0 && options.owner === undefined
      ? [
          cli.paint(
            "yellow",
            "  ! nothing is pinned: without an owner it is refused until --pin says which program it is",
          ),
        ]
      : []),
    startLine(name, options),
  ];
}

/** How it comes to its door. */
function startLine(name: string, { door, unit, program, script }: RegisterOptions): string {
  if (door === "run")
    return `Start it: countersign run --agent ${name} -- ${script === undefined ? "COMMAND" : `${program ?? "node"} ${script}`}`;
  const starter = unit === undefined ? "Start it" : `Start it by systemctl start ${unit},`;
  return `${starter} with COUNTERSIGN_SOCKET at its door: door/${name}.sock in the proxy's runtime directory.`;
}

async function listAgents(cli: Cli): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const entries = list(await api.get("/v1/entries"), "entries");
    const credentials = list(await api.get("/v1/credentials"), "credentials");
    const rows = entries.map((entry) => {
      const id = text(entry, "id");
      const live = credentials.filter((credential) =>
        text(credential, "agent").startsWith(`${id}/`),
      );
      const state =
        live.length > 0
          ? cli.paint("green", `[//] ${live.length} live`)
          : cli.paint("dim", "[__] none");
      return `${state.padEnd(12)}  ${id.split("/").at(-1)?.padEnd(16) ?? ""}  uid ${number(entry, "uid")}  ${text(entry, "proxy")}${entry["custody"] === "agent" ? "  own key" : ""}`;
    });
    show(
      cli,
      { entries },
      rows.length === 0
        ? ["No agent is registered. countersign agent register NAME --owner O --audience URL"]
        : rows,
    );
  });
}

async function remove(cli: Cli, name: string): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    const answer = await api.remove(`/v1/entries/${encodeURIComponent(name)}`);
    show(cli, answer, [`Removed ${name}; its approvals have ended.`]);
  });
}

const many = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Limits of what is asked for, and exceptions from the house's defaults. */
function grantOptions(command: Command): Command {
  return command
    .option(
      "--location <url>",
      "limit of the approval: addresses that the owner is asked to approve; repeatable",
      many,
      [],
    )
    .option("--action <name>", "action at these locations; repeatable", many, [])
    .option(
      "--action-class <class>",
      "read_only, reversible_write, irreversible_action, external_commitment or privileged_administration",
    )
    .option("--single", "one credential per approval instead of a standing grant", false)
    .option(
      "--max-ttl <seconds>",
      "longest life of one credential",
      String(DEFAULT_MAX_TTL_SECONDS),
    )
    .option("--max-live <n>", "credentials alive at the same time", String(DEFAULT_MAX_LIVE))
    .option(
      "--carried",
      "the server does not publish the owner's evidence; the agent shows it",
      false,
    )
    .option("--approval-in-certificate", "the certificate carries what the owner signed", false)
    .option(
      "--own-key",
      "the agent makes its key and keeps it, for mutual TLS: the proxy can then withhold no proofs",
      false,
    )
    .option(
      "--insecure-same-uid",
      "the agent runs as the proxy's user: it can then read the proxy's keys",
      false,
    )
    .option(
      "--insecure-soft-key-standing",
      "a software key may approve longer than 24 hours",
      false,
    );
}

/** What is measured and demanded of the process. */
function programOptions(command: Command): Command {
  return command
    .option("--uid <n>", "user that it runs as (default: you)")
    .option(
      "--door <kind>",
      "run: started by countersign run; fixed: a socket of its own for a service started otherwise; unit: the same, for one systemd service only",
      "run",
    )
    .option("--unit <name>", "with --door unit: the service, such as mailer.service")
    .option("--door-mode <mode>", "of a fixed or unit door's socket: 0600 (default), 0660 or 0666")
    .option("--program <path>", "program file to measure (default with --script: node)")
    .option("--script <path>", "main script to measure")
    .option("--pin", "accept exactly the measured files", false)
    .option(
      "--interpreter-option <option>",
      "option that may stand before the script; repeatable",
      many,
      [],
    )
    .option("--manifest <path>", "manifest of files that the proxy checks")
    .option(
      "--fact <path>",
      "fact that must be present, such as agent.countersign_proc.seccomp; repeatable",
      many,
      [],
    );
}

export function build(cli: Cli): Command {
  const noun = new Command("countersign agent").description(
    "Registers agents: what each is, where it runs, who answers for it.",
  );
  const registering = noun
    .command("register <name>")
    .description("registers an agent, or changes it; measures the program and shows it")
    .option(
      "--owner <name>",
      "who approves it; without an owner nobody does, and the program must be pinned",
    )
    .requiredOption(
      "--audience <url>",
      "base address that it may prove itself to; repeatable; * is any",
      many,
      [],
    )
    .option("--proxy <name>", "host that serves it (default: the only one)");
  grantOptions(programOptions(registering))
    .addHelpText(
      "after",
      [
        "",
        "Example:",
        "  countersign agent register mailer --owner me --audience https://mail.example/ --script agent.mjs --pin",
        "  countersign agent register peer --owner me --audience https://mail.example/ --script peer.mjs --own-key",
        "  countersign agent register mailer --owner me --audience https://mail.example/ --script /srv/mailer/agent.mjs --uid 1001 --door unit --unit mailer.service",
      ].join("\n"),
    )
    .action((name: string, options: RegisterOptions) => register(cli, name, options));
  noun
    .command("list")
    .description("lists registered agents and what they hold")
    .addHelpText("after", "\nExample:\n  countersign agent list --json")
    .action(() => listAgents(cli));
  noun
    .command("remove <name>")
    .description("removes a registration and ends its approvals")
    .addHelpText("after", "\nExample:\n  countersign agent remove mailer")
    .action((name: string) => remove(cli, name));
  return noun;
}
