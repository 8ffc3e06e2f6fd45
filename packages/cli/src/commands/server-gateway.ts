import type { Command } from "commander";
import { Refusal } from "@countersign/core";
import { systemClock, writePrivateFile } from "@countersign/node";
import { columns } from "../columns.ts";
import { list, text, withApi } from "../sockets.ts";
import { instant, say, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";

const MOST_TTL_SECONDS = 86_400;

interface TokenOptions {
  readonly gateway: string;
  readonly proxy: readonly string[];
  readonly owner: readonly string[];
  readonly ttl: string;
  readonly replace: boolean;
  readonly out?: string;
}

function lifeOf(typed: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(typed) || Number(typed) > MOST_TTL_SECONDS)
    throw new Refusal(
      "malformed_request",
      `--ttl ${typed}`,
      "Give seconds, at most 86400: --ttl 600.",
    );
  return Number(typed);
}

async function gatewayToken(cli: Cli, options: TokenOptions): Promise<void> {
  const life = lifeOf(options.ttl);
  const { gateway: name, proxy: proxies, owner: owners, replace } = options;
  const token = await withApi(cli, "server.sock", async (api) =>
    text(await api.post("/v1/gateway-tokens", { name, proxies, owners, life, replace }), "token"),
  );
  const expires = systemClock() + life;
  const until = instant(expires);
  const next = (file: string): string =>
    `countersign owner gateway init --token-file ${file} --proxy ${proxies.join(" ")}`;
  if (options.out === undefined) {
    cli.stdout.write(cli.isJson ? `${JSON.stringify({ token })}\n` : `${token}\n`);
    return say(cli, `For one use until ${until}. On the gateway's host: ${next("FILE")}`);
  }
  await writePrivateFile(options.out, `${token}\n`);
  show(cli, { file: options.out, expires_at: expires }, [
    `Wrote ${options.out} (mode 0600), for one use until ${until}.`,
    `Carry it to the gateway's host, then: ${next(options.out)}`,
  ]);
}

async function gateways(cli: Cli): Promise<void> {
  const answer = await withApi(cli, "server.sock", (api) => api.get("/v1/gateways"));
  const names = (value: unknown): string =>
    Array.isArray(value) ? value.map((id) => String(id).split(/[/:]/).at(-1)).join(" ") : "";
  const rows = list(answer, "gateways").map((row) => [
    text(row, "id"),
    typeof row["state"] === "string" ? row["state"] : "not enrolled",
    `proxies ${names(row["proxies"])}`,
    `owners ${names(row["owners"])}`,
  ]);
  const none = ["No gateway: countersign server gateway-token --gateway NAME --proxy NAME"];
  show(cli, answer, rows.length === 0 ? none : columns(rows));
}

/** `countersign server gateway-token` and `gateways` */
export function addGateways(cli: Cli, noun: Command): void {
  noun
    .command("gateway-token")
    .description("registers an owner's gateway and makes the token with which it enrols once")
    .requiredOption("--gateway <name>", "name that the gateway gets")
    .requiredOption("--proxy <name...>", "proxies that it may speak for")
    .option("--owner <name...>", "owners that it may bring signatures of", [])
    .option("--ttl <seconds>", "how long it is good for, at most 86400", "600")
    .option("--replace", "also where the name holds a live certificate; says anew for whom", false)
    .option("--out <file>", "write it there with mode 0600 instead of printing it")
    .addHelpText(
      "after",
      "\nWhat is said here holds at once, whether the token is used or not.\nExample:\n  countersign server gateway-token --gateway edge --proxy build-7 --owner ci-policy --out edge.token",
    )
    .action((options: TokenOptions) => gatewayToken(cli, options));
  noun
    .command("gateways")
    .description("lists gateways, and whom each may speak for")
    .addHelpText("after", "\nExample:\n  countersign server gateways --json")
    .action(() => gateways(cli));
}
