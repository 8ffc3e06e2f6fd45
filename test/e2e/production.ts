import { join } from "node:path";
import { freePort } from "../../packages/node/src/index.ts";
import { Home, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";

function said({ err }: Running, event: string): string | undefined {
  return err.find((line) => line.includes(`"event":"${event}"`));
}

/** Server and proxy as for real: two processes on one data directory, each started and killed by itself. */
export class Production {
  readonly home: Home;
  server: Running;
  proxy: Running;
  /** Where the owners' console listens; its origin is `https://consent.` and the trust domain. */
  readonly console: URL;

  private constructor(home: Home, server: Running, proxy: Running, port: number) {
    this.home = home;
    this.console = new URL(`http://127.0.0.1:${port}`);
    this.server = server;
    this.proxy = proxy;
  }

  static async create(trustDomain = "example.org"): Promise<Production> {
    const home = await Home.create();
    const [api, open, owners] = [await freePort(), await freePort(), await freePort()];
    const ports = ["--api-port", String(api), "--public-port", String(open)];
    ports.push("--console-port", String(owners));
    await home.json([
      "server",
      "init",
      "--trust-domain",
      trustDomain,
      "--policy",
      "laptop",
      ...ports,
    ]);
    const server = await Production.startServer(home);
    const token = join(home.folder, "token");
    await home.json(["server", "join-token", "--proxy", "here", "--out", token]);
    await home.json(["proxy", "enroll", "--token-file", token]);
    return new Production(home, server, await Production.startProxy(home), owners);
  }

  private static async startServer(home: Home): Promise<Running> {
    const server = home.start(["server", "run"]);
    await server.when("server.running", (it) => said(it, "server.running"));
    return server;
  }

  private static async startProxy(home: Home): Promise<Running> {
    const proxy = home.start(["proxy", "run"]);
    for (const event of ["server.connected", "proxy.running"])
      await proxy.when(event, (it) => said(it, event));
    return proxy;
  }

  async serverAgain(): Promise<void> {
    this.server = await Production.startServer(this.home);
  }

  async proxyAgain(): Promise<void> {
    this.proxy = await Production.startProxy(this.home);
  }

  /** An owner, and the obedient agent that he answers for, of our own user. */
  async people(): Promise<OwnerKeyFile> {
    const owner = await this.home.owner("me");
    await this.home.register("hello", "--owner", "me", "--insecure-same-uid");
    return owner;
  }

  /** Until the proxy, which looks for a server that was away now and then, has heard of its agents. */
  async served(): Promise<void> {
    await until("the server's state at the proxy", async () => {
      const { connected, entries } = await this.home.local("proxy.sock", "/v1/status");
      return connected === true && (entries as unknown[]).length > 0 ? true : undefined;
    });
  }

  close(): Promise<void> {
    return this.home.close();
  }
}
