import { randomBytes } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import type { JsonObject } from "@countersign/core";
import {
  createLog,
  freePort,
  onShutdown,
  openTarget,
  privateDirectory,
  readPrivateFile,
  systemClock,
} from "@countersign/node";
import type { Log, Target } from "@countersign/node";
import { apiOf, dataOf, list, text } from "../sockets.ts";
import { say } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { banner } from "../dev-banner.ts";
import { firstInvitation, followInvitation } from "../first-invitation.ts";
import { writeTrustFile } from "../trust-file.ts";
import type { RunningServer } from "../daemons.ts";

/** As people call the machine that they sit at: sentences name it ("It runs on localhost"). */
const PROXY_NAME = "localhost";

async function serverConfiguration(): Promise<string> {
  const trustDomain = `${randomBytes(5).toString("hex")}.dev.invalid`;
  // written down, and the same at each start: the console's origin is what passkeys are made for
  const [api, publicPort, consent] = [await freePort(), await freePort(), await freePort()];
  const settings = {
    trust_domain: trustDomain,
    development: true,
    policy: "laptop",
    ...(process.getuid === undefined ? {} : { proxy_uid: process.getuid() }),
    api_port: api,
    public_port: publicPort,
    console_port: consent,
    consent_rp_id: "localhost",
    consent_origins: [`http://localhost:${consent}`],
  };
  return `# Made by countersign dev: for this machine and for trying things out, never for production.\n${Object.entries(
    settings,
  )
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join("")}`;
}

async function startServer(data: string, log: Log): Promise<RunningServer> {
  const { initServer, runServer, siteFolder } = await import("../daemons.ts");
  const isNew = (await readPrivateFile(join(data, "server", "server.yaml"))) === undefined;
  if (isNew) await initServer(join(data, "server"), await serverConfiguration());
  return runServer({
    data: join(data, "server"),
    runtime: join(data, "run"),
    log,
    site: siteFolder(),
    isDevelopment: true,
  });
}

async function startProxy(
  data: string,
  admin: Target,
  log: Log,
): Promise<{ close(): Promise<void>; readonly ready: Promise<void> }> {
  const { enrolProxy, runProxy } = await import("../daemons.ts");
  const folder = join(data, "proxy");
  if ((await readPrivateFile(join(folder, "proxy.yaml")).catch(() => undefined)) === undefined) {
    const { token } = await apiOf(admin).post("/v1/join-tokens", {
      name: PROXY_NAME,
      replace: true,
    });
    await enrolProxy(folder, text({ token: token ?? "" }, "token"), true);
  }
  return runProxy({ data: folder, runtime: join(data, "run"), log, isDevelopment: true });
}

/** Stops of everything, left from an earlier start. */
async function stopsOf(admin: Target): Promise<readonly JsonObject[]> {
  const stops = list(await apiOf(admin).get("/v1/halts"), "stops");
  return stops.filter(({ scope }) => scope === "domain");
}

async function dev(cli: Cli, options: { readonly verbose: boolean }): Promise<void> {
  const data = dataOf(cli);
  await mkdir(data, { recursive: true, mode: 0o700 });
  await privateDirectory(data);
  await mkdir(join(data, "run"), { recursive: true, mode: 0o711 });
  await chmod(join(data, "run"), 0o711);
  const log = createLog({
    stream: cli.stderr,
    format: cli.isJson ? "json" : "terminal",
    level: options.verbose ? "debug" : "warn",
    clock: systemClock,
  });
  say(cli, cli.paintErr("dim", "starting server and proxy …"));
  const server = await startServer(data, log);
  const admin = openTarget({ unix: server.adminSocket });
  const proxy = await startProxy(data, admin, log);
  await proxy.ready;
  const trustFile = join(data, "relying-party.json");
  const write = (): void =>
    void writeTrustFile(trustFile, server, admin).catch((error: unknown) =>
      log.error("trust_file.unwritten", { error }),
    );
  await writeTrustFile(trustFile, server, admin);
  const unwatch = server.onRelease(write);
  const ready: JsonObject = {
    data,
    trust_domain: server.config.trustDomain,
    api: server.apiUrl,
    public: server.publicUrl,
    ...(server.consoleUrl === undefined ? {} : { console: server.consoleUrl }),
    relying_party: trustFile,
  };
  let forget = (): void => undefined;
  if (cli.isJson) cli.stdout.write(`${JSON.stringify({ ready })}\n`);
  else {
    const first = await firstInvitation(admin);
    const places = { data, trustFile, consoleUrl: server.consoleUrl, publicUrl: server.publicUrl };
    const { trustDomain } = server.config;
    const stops = await stopsOf(admin);
    banner(cli, { ...places, trustDomain, invitation: first, stops });
    if (first !== undefined) forget = followInvitation(cli, server, admin, first);
  }
  onShutdown({
    log,
    close: async () => {
      forget();
      unwatch();
      await proxy.close();
      admin.close();
      await server.close();
    },
  });
}

export function build(cli: Cli): Command {
  return new Command("countersign dev")
    .description("Runs a server and a proxy for development: one command, this machine only.")
    .option("--verbose", "show every log line", false)
    .addHelpText("after", "\nExample:\n  countersign dev --data /tmp/try")
    .action((options: { verbose: boolean }) => dev(cli, options));
}
