import type { Command } from "commander";
import { isObject, parseJson, readPolicyRules, Refusal, thumbprint } from "@countersign/core";
import type { JsonObject, PolicyRules } from "@countersign/core";
import {
  followEvents,
  nodeCrypto,
  nodeRandom,
  onShutdown,
  printable,
  readConfigDocument,
  systemClock,
} from "@countersign/node";
import type { Log, ServerEvent } from "@countersign/node";
import { refuseInsideRun } from "../inside-run.ts";
import { openRequests, PolicyEngine } from "../policy/engine.ts";
import type { Decided } from "../policy/engine.ts";
import { heldPin, pinsFromInput } from "../pkcs11/pins.ts";
import { signedFile } from "../policy/signed-file.ts";
import { daemonLog } from "../production.ts";
import { namingKey } from "../signed-elsewhere.ts";
import { openOwnerKey } from "../signing.ts";
import { list, text, withApi } from "../sockets.ts";
import type { LocalApi } from "../sockets.ts";
import { show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

interface RunOptions {
  readonly rules: string;
  readonly owner: string;
  readonly key: string;
  readonly pinStdin: boolean;
  readonly state?: string;
  readonly once: boolean;
  readonly dryRun: boolean;
}

const MAX_EVENT_BYTES = 4_194_304;
/** Events after which a request needs nobody any more. */
const OVER: readonly string[] = ["approval.approved", "approval.denied", "approval.expired"];

/**
 * The owner, who must not be a person: what signs by itself says nothing of anybody's hand.
 * @throws Refusal `not_found`, `key_not_enrolled`, `approval_unsuitable`
 */
async function ownerOf(api: LocalApi, name: string, jkt: string): Promise<string> {
  const owners = list(await api.get("/v1/owners"), "owners");
  const owner = owners.find((one) => one["name"] === name || one["id"] === name);
  if (owner === undefined)
    throw new Refusal("not_found", `no owner ${name}`, "List them: countersign owner list");
  const key = list(owner, "keys").find((one) => one["jkt"] === jkt);
  if (key === undefined || key["removed_at"] !== undefined)
    throw new Refusal(
      "key_not_enrolled",
      `not a key of ${name}`,
      `Enrol it: countersign owner enrol ${name} --kind policy --key FILE`,
    );
  if (owner["kind"] === "person")
    throw new Refusal(
      "approval_unsuitable",
      `${name} is a person`,
      "A person's key says that a person approved. Enrol another owner for the rules: countersign owner enrol rules --kind policy --key FILE",
    );
  return text(owner, "id");
}

/** One line for each request: what was done with it and why. */
function logDecided(log: Log, { do: what, reasons, ...decided }: Decided): void {
  const why =
    reasons === undefined
      ? {}
      : {
          reasons: reasons.map(({ code }) => code),
          words: reasons.map(({ rule, text: words }) =>
            printable(rule === undefined ? words : `${rule}: ${words}`),
          ),
        };
  const say = what === "left" ? log.warn : log.info;
  say(`policy.${what}`, { ...decided, ...why });
}

function lineOf({ do: what, id, agent, rule, reasons, refused }: Decided): string {
  const name = printable(agent.split("/").at(-2) ?? agent);
  if (what !== "left")
    return `${what === "signed" ? "signed    " : "would sign"}  ${id}  ${name}  by rule ${rule ?? ""}`;
  const why = reasons?.map((one) => `${one.rule ?? "no rule"}: ${printable(one.text)}`);
  return `left        ${id}  ${name}  ${why?.join("; ") ?? `the server refused: ${refused ?? ""}`}`;
}

async function once(
  cli: Cli,
  api: LocalApi,
  engine: PolicyEngine,
  owner: string,
  decided: readonly Decided[],
): Promise<void> {
  for (const ask of await openRequests(api, owner)) await engine.examine(ask);
  await engine.close();
  const lines = decided.map(lineOf);
  show(cli, { decisions: decided }, lines.length === 0 ? ["Nobody waits."] : lines);
}

function eventOf({ data }: ServerEvent): JsonObject {
  const value = parseJson(data, { maxBytes: MAX_EVENT_BYTES, maxDepth: 12 });
  return isObject(value) ? value : {};
}

/** Follows the owner's requests until the process is told to stop. */
async function watch(api: LocalApi, engine: PolicyEngine, owner: string, log: Log): Promise<void> {
  const ended = new AbortController();
  const onEvent = async (event: ServerEvent): Promise<void> => {
    const said = eventOf(event);
    if (event.event === "inbox")
      for (const ask of list(said, "requests")) await engine.examine(ask);
    const { request } = said;
    if (!isObject(request)) return;
    if (event.event === "approval.asked" && request["state"] === "asked")
      await engine.examine(request);
    if (OVER.includes(event.event)) engine.forget(text(request, "req"));
  };
  const query = new URLSearchParams({ owner });
  const following = followEvents(api.target, `/v1/owner/events?${query.toString()}`, {
    onEvent,
    onUp: () => log.info("policy.watching", { owner }),
    onDown: (why) => log.warn("policy.disconnected", { reason: why.code, why: why.message }),
    signal: ended.signal,
    random: nodeRandom,
  });
  onShutdown({
    log,
    close: async () => {
      ended.abort();
      await engine.close();
      await following;
    },
  });
  await following;
}

async function runPolicy(cli: Cli, options: RunOptions): Promise<void> {
  await refuseInsideRun(cli);
  const rules: PolicyRules = await readConfigDocument(options.rules, readPolicyRules);
  const pins = options.pinStdin ? heldPin(pinsFromInput(cli)) : undefined;
  const signer = await openOwnerKey(cli, options.key, "statement.json", pins);
  const jkt = thumbprint(nodeCrypto, signer.key.jwk);
  const signed = signedFile(options.state ?? `${options.rules}.signed`);
  await signed.read(); // a file that cannot be read is said now, not at the first request
  const log = daemonLog(cli);
  await withApi(cli, "server.sock", async (api) => {
    const owner = await ownerOf(api, options.owner, jkt);
    const decided: Decided[] = [];
    const engine = new PolicyEngine({
      api,
      owner,
      jkt,
      signer,
      rules,
      signed,
      clock: systemClock,
      isDryRun: options.dryRun,
      onDecided: (one) => (options.once ? void decided.push(one) : logDecided(log, one)),
    });
    await (options.once ? once(cli, api, engine, owner, decided) : watch(api, engine, owner, log));
  }).finally(() => pins?.close());
}

/** `countersign owner policy …` */
export function policyCommand(cli: Cli, noun: Command): void {
  const policy = noun
    .command("policy")
    .description("signs by rules, for an owner that is no person")
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner policy run --rules rules.yaml --owner rules --key policy_ed25519",
    );
  namingKey(policy.command("run"))
    .description("watches the owner's requests, signs what lies inside the rules, leaves the rest")
    .requiredOption("--rules <file>", "the rules, YAML: docs/operations.md says what they hold")
    .requiredOption("--owner <name>", "whose requests; an owner of kind policy or device")
    .option(
      "--pin-stdin",
      "the token's PIN from standard input, one line: held until the end",
      false,
    )
    .option("--state <file>", "where signatures are counted; default the rules' file with .signed")
    .option("--once", "look at what is open now, then end", false)
    .option("--dry-run", "sign nothing: say what would be signed", false)
    .addHelpText(
      "after",
      "\nExample:\n  countersign owner policy run --rules rules.yaml --owner rules --key policy_ed25519\n  countersign owner policy run --rules rules.yaml --owner rules --key policy_ed25519 --once --dry-run",
    )
    .action((options: RunOptions) => runPolicy(cli, options));
}
