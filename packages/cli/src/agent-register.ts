import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { entryId, isInterpreterPath, proxyId, Refusal } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import { list, number, text, withApi } from "./sockets.ts";
import type { LocalApi } from "./sockets.ts";
import { duration, show } from "./terminal.ts";
import type { Cli } from "./terminal.ts";

/** What `agent register` takes, as typed. */
export interface RegisterOptions {
  readonly owner?: string;
  readonly quorum?: string;
  readonly party: readonly string[];
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

function ownerOf(owners: readonly JsonObject[], name: string): string {
  const found = owners.find((owner) => owner["name"] === name || owner["id"] === name);
  if (found === undefined)
    throw new Refusal(
      "not_found",
      `no owner ${name}`,
      `Make a key for the owner first: countersign owner invite ${name} for a passkey, or countersign owner enrol ${name} --key FILE.`,
    );
  return text(found, "id");
}

/** Whose approval it takes, as the entry says it. */
async function ownersOf(api: LocalApi, options: RegisterOptions): Promise<JsonObject> {
  if (options.owner === undefined) return { binding: "none" };
  const owners = list(await api.get("/v1/owners"), "owners");
  const owner = ownerOf(owners, options.owner);
  if (options.quorum === undefined) return { binding: "owner", owner };
  const others = options.party.map((name) => ownerOf(owners, name));
  const all = [...new Set([owner, ...others])].toSorted((a, b) => (a < b ? -1 : 1));
  const parties = { m: integer("quorum", options.quorum), owners: all };
  return { binding: "owner", owner, parties };
}

/** Several owners are several names, and a number of them. */
function checkOwners({ owner, quorum, party }: RegisterOptions): void {
  if (quorum === undefined && party.length === 0) return;
  const next = "Say how many of which owners: --owner alice --party bob --party carol --quorum 2.";
  if (owner === undefined) throw new Refusal("malformed_request", "no --owner", next);
  if (quorum === undefined) throw new Refusal("malformed_request", "no --quorum", next);
  const count = new Set([owner, ...party]).size;
  const m = integer("quorum", quorum);
  if (m < 2 || m > count)
    throw new Refusal("malformed_request", `--quorum ${m} of ${count} owners`, next);
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

/** Registers an agent, or the next version of it. */
export async function register(cli: Cli, name: string, options: RegisterOptions): Promise<void> {
  checkTyped(name, options);
  checkOwners(options);
  const measured = await measure(cli, options);
  await withApi(cli, "server.sock", async (api) => {
    const trustDomain = text(await api.get("/v1/status"), "trust_domain");
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
      ...(await ownersOf(api, options)),
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

function ownerWords({ owner, quorum, party }: RegisterOptions): string | undefined {
  if (owner === undefined || quorum === undefined) return owner;
  return `${quorum} of ${[...new Set([owner, ...party])].join(", ")}`;
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
    `  owner     ${ownerWords(options) ?? cli.paint("yellow", "none: nobody approves it")}`,
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
    ...(options.owner === undefined
      ? []
      : [`Announce it first, so that its owner knows it: countersign owner expect ${name}`]),
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
