import { createHash } from "node:crypto";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COURIER, Home, tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";
import { Production } from "./production.ts";

const digestOf = async (path: string): Promise<string> =>
  `sha-256:${createHash("sha256")
    .update(await readFile(path))
    .digest("base64url")}`;

const logged = ({ err }: Running, event: string, word: string): string | undefined =>
  err.find((line) => line.includes(`"event":"${event}"`) && line.includes(word));

/** One trust domain: its server, its proxy, and the part of the gateway that stands between them. */
interface Domain {
  readonly name: string;
  readonly site: Production;
  readonly owner: string;
}

/** What the owner's rules sign in this trust domain. */
async function rulesOf(name: string): Promise<object> {
  const rule = {
    name: "hello",
    entries: [`spiffe://${name}/agent/hello`],
    hosts: [`spiffe://${name}/proxy/here`],
    measurements: { binary: [await digestOf(process.execPath)], script: [await digestOf(COURIER)] },
    insecure_any_installation: true,
    ceiling: [],
    any_service: true,
    use: ["standing"],
    longest_grant_seconds: 86_400,
    max_ttl_seconds: 900,
    max_issue: 10_000,
    max_live: 8,
    rate: { count: 1, window_seconds: 3600 },
    insecure_ignore_warnings: true,
  };
  return { v: 1, issuer: `https://id.${name}`, rules: [rule] };
}

/** A server, a proxy behind the gateway, and an owner that is a policy engine. */
async function domain(name: string, home: Home, key: OwnerKeyFile): Promise<Domain> {
  const site = await Production.create(name);
  await site.home.json(["owner", "enrol", "engine", "--kind", "policy", "--key", key.path]);
  await site.home.register("hello", "--owner", "engine", "--insecure-same-uid");
  const token = site.home.file("edge.token");
  const named = ["--gateway", "edge", "--proxy", "here", "--owner", "engine", "--out", token];
  await site.home.json(["server", "gateway-token", ...named]);
  const port = await freePort();
  const init = ["--token-file", token, "--proxy", "here", "--listen-port", String(port)];
  await home.json(["owner", "gateway", "init", ...init]);
  const { owners } = (await site.home.json(["owner", "list"])) as { owners: { id: string }[] };
  const owner = owners[0]?.id ?? "";
  const rules = home.file(`${name}.rules.yaml`);
  await writeFile(rules, JSON.stringify(await rulesOf(name))); // JSON is YAML
  const settings = { owner, owner_key: key.path, rules };
  const lines = Object.entries(settings).map(
    ([what, value]) => `${what}: ${JSON.stringify(value)}\n`,
  );
  await appendFile(join(home.data, "gateway", name, "gateway.yaml"), lines.join(""));
  await site.proxy.stop();
  await appendFile(
    join(site.home.data, "proxy/proxy.yaml"),
    `gateway: spiffe://${name}/gateway/edge\ngateway_url: https://127.0.0.1:${port}\n`,
  );
  return { name, site, owner };
}

describe("I-28: one gateway, one owner's key, two trust domains", () => {
  let home: Home;
  let gateway: Running;
  let domains: readonly Domain[] = [];
  beforeAll(async () => {
    home = await Home.create();
    const key = await home.keyFile("engine");
    domains = [
      await domain("example.org", home, key),
      await domain("elsewhere.example", home, key),
    ];
    gateway = home.start(["owner", "gateway", "run"]);
    for (const { name, site } of domains) {
      await gateway.when(name, (running) => logged(running, "gateway.running", name));
      await site.proxyAgain();
    }
  });
  afterAll(async () => {
    await Promise.all([home?.close(), ...domains.map(({ site }) => site.close())]);
  });

  it("each agent gets its credential without anybody, from its own domain and by its own owner", async () => {
    for (const { name, site, owner } of domains) {
      await site.served();
      const agent = site.home.courier("hello");
      const issued = await tell(agent, "/v1/credential?wait=20");
      expect(issued).toMatchObject({ status: 200 });
      const [, payload = ""] = String(issued["wit"]).split(".");
      expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
        iss: `https://id.${name}`,
        countersign_owner: { id: owner, kind: "policy", model: "owner", oa: 1 },
      });
      expect(logged(gateway, "consent.signed", `spiffe://${name}/agent/hello`)).toBeDefined();
      await agent.stop();
    }
    const [x, y] = domains;
    expect(x?.owner).not.toBe(y?.owner);
  });

  it("the rate holds across a restart of the gateway: what is over it waits in the inbox", async () => {
    const [{ site } = {}] = domains;
    if (site === undefined) throw new Error("no domain");
    await gateway.stop();
    gateway = home.start(["owner", "gateway", "run"]);
    await gateway.when("start", (running) => logged(running, "gateway.running", "example.org"));
    await until("the proxy's connection", async () => {
      const { connected } = await site.home.local("proxy.sock", "/v1/status");
      return connected === true ? true : undefined;
    });
    const grants = (await site.home.local("server.sock", "/v1/grants"))["grants"] as {
      cs: string;
    }[];
    await site.home.json(["halt", "grant", grants[0]?.cs ?? ""]);
    const { stops } = (await site.home.json(["lift"])) as { stops: { id: string }[] };
    for (const { id } of stops) await site.home.json(["lift", id]);
    const agent = site.home.courier("hello");
    expect(await tell(agent, "/v1/credential")).toMatchObject({ status: 202 });
    await gateway.when("reason", (running) =>
      logged(running, "consent.left_to_a_person", "rate_reached"),
    );
    expect((await site.home.waiting()).id).toMatch(/\w/);
    await agent.stop();
  });
});
