import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  checkServer,
  parseCertificate,
  pemEncode,
  readJoinToken,
  Refusal,
} from "@countersign/core";
import type { Bytes } from "@countersign/core";
import {
  callJson,
  nodeCrypto,
  openTarget,
  privateKeyToPem,
  readPrivateFile,
  systemClock,
  writePrivateFile,
} from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadIdentity, saveIdentity } from "../../packages/gateway/src/keys/identity.ts";
import { reenrol } from "../../packages/gateway/src/uplink/enrol.ts";
import { enrol } from "../../packages/proxy/src/uplink/enrol.ts";
import { tell, until } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";
import { Production } from "./production.ts";

const GATEWAY = "spiffe://example.org/gateway/edge";

function claimsOf(wit: unknown): unknown {
  const [, payload = ""] = String(wit).split(".");
  return JSON.parse(Buffer.from(payload, "base64url").toString());
}

const logged = ({ err }: Running, event: string): string | undefined =>
  err.findLast((line) => line.includes(`"event":"${event}"`));

describe("a proxy behind its owner's gateway, three processes", () => {
  let site: Production;
  let owner: OwnerKeyFile;
  let gateway: Running;
  let agent: Running;
  let url = "";
  let wit: unknown;
  const startGateway = async (): Promise<Running> => {
    const running = site.home.start(["owner", "gateway", "run"]);
    await running.when("gateway.running", (one) => logged(one, "gateway.running"));
    return running;
  };
  /** Starts the proxy with this at the end of its configuration. */
  const proxyWith = async (lines: string): Promise<Running> => {
    await site.proxy.stop();
    await appendFile(join(site.home.data, "proxy/proxy.yaml"), lines);
    return site.home.start(["proxy", "run"]);
  };
  const connected = (): Promise<boolean> =>
    until("the proxy's connection", async () => {
      const status = await site.home.local("proxy.sock", "/v1/status").catch(() => undefined);
      return status?.["connected"] === true ? true : undefined;
    });

  beforeAll(async () => {
    site = await Production.create();
    owner = await site.people();
    const { home } = site;
    const token = home.file("edge.token");
    const order = ["server", "gateway-token", "--gateway", "edge", "--proxy", "here"];
    await home.json([...order, "--owner", "me", "--out", token]);
    const port = await freePort();
    url = `https://127.0.0.1:${port}`;
    const made = await home.json([
      ...["owner", "gateway", "init", "--token-file", token, "--listen-port", String(port)],
      ...["--proxy", "here", "unregistered"],
    ]);
    expect(made).toMatchObject({ id: GATEWAY, trust_domain: "example.org" });
    gateway = await startGateway();
  });
  afterAll(() => site.home.close());

  it("speaks to nobody at that address but the gateway that is configured, the server neither", async () => {
    const { fields } = JSON.parse(logged(site.server, "server.running") ?? "{}") as {
      fields: { api: string };
    };
    const lines = `gateway: ${GATEWAY}\ngateway_url: ${fields.api}\n`;
    const proxy = await proxyWith(lines);
    const lost = await proxy.when("server.lost", (running) => logged(running, "server.lost"));
    expect(lost).toContain("untrusted_chain");
    await proxy.stop();
    const path = join(site.home.data, "proxy/proxy.yaml");
    await writePrivateFile(path, (await readFile(path, "utf8")).replace(lines, ""));
    site.proxy = proxy;
  });

  it("asks, is approved and gets its credential, all through the gateway", async () => {
    site.proxy = await proxyWith(`gateway: ${GATEWAY}\ngateway_url: ${url}\n`);
    await connected();
    agent = site.home.courier("hello");
    const asked = tell(agent, "/v1/credential?wait=60");
    await site.home.approve((await site.home.waiting()).id, owner);
    const issued = await asked;
    ({ wit } = issued);
    expect(issued).toMatchObject({ status: 200 });
    expect(claimsOf(issued["wit"])).toMatchObject({ countersign_owner: { model: "server" } });
    const status = await site.home.cli(["proxy", "status"]);
    expect(status.out).toContain(`through      ${GATEWAY}`);
  });

  it("while the gateway is away the agent keeps what it holds, others are told why, and it goes on afterwards", async () => {
    gateway.signal("SIGKILL");
    await gateway.ended;
    expect(await tell(agent, "/v1/credential")).toMatchObject({ status: 200, wit });
    const other = site.home.courier("hello");
    expect(await tell(other, "/v1/credential")).toMatchObject({ reason: "unreachable" });
    gateway = await startGateway();
    await connected();
    expect(await tell(other, "/v1/credential?wait=20")).toMatchObject({ status: 200 });
    await other.stop();
  });

  it("while the server is away behind it, the gateway says so", async () => {
    site.server.signal("SIGKILL");
    await site.server.ended;
    const other = site.home.courier("hello");
    expect(await tell(other, "/v1/credential")).toMatchObject({ reason: "unreachable" });
    await site.serverAgain();
    await connected();
    expect(await tell(other, "/v1/credential?wait=20")).toMatchObject({ status: 200 });
    await other.stop();
  });

  it("its own certificate is renewed, and the proxy finds it again under the same name", async () => {
    await gateway.stop();
    const folder = join(site.home.data, "gateway/example.org");
    const before = await loadIdentity(folder, "example.org", "edge");
    const { fields } = JSON.parse(logged(site.server, "server.running") ?? "{}") as {
      fields: { api: string };
    };
    const { cert, key, id, root } = before;
    const ca = [pemEncode("CERTIFICATE", root)];
    const spec = { url: fields.api, ca, cert, key, checkPeer: checkServer("example.org") };
    const target = openTarget(spec);
    await saveIdentity(folder, await reenrol(nodeCrypto, target, { id, root }, systemClock()));
    target.close();
    const after = await loadIdentity(folder, "example.org", "edge");
    expect(after.certificate.serialHex).not.toBe(before.certificate.serialHex);
    expect(after.certificate.uris).toEqual([GATEWAY]);
    gateway = await startGateway();
    await connected();
    const other = site.home.courier("hello");
    expect(await tell(other, "/v1/credential?wait=20")).toMatchObject({ status: 200 });
    await other.stop();
  });

  describe("its listener", () => {
    const secretOf = async (name: string): Promise<string> => {
      const file = site.home.file(`${name}.token`);
      await site.home.json(["server", "join-token", "--proxy", name, "--out", file]);
      return readFile(file, "utf8");
    };
    let root: Bytes;
    const wordOf = async (who: { readonly cert?: string; readonly key?: string }) => {
      const target = openTarget({
        url,
        ca: [pemEncode("CERTIFICATE", root)],
        ...who,
        checkPeer: (der) => expect(parseCertificate(der).uris).toEqual([GATEWAY]),
      });
      try {
        await callJson(target, { method: "POST", path: "/v1/nonce", json: {} });
        return "200";
      } catch (error) {
        if (error instanceof Refusal) return error.code;
        throw error;
      } finally {
        target.close();
      }
    };
    beforeAll(async () => {
      const token = readJoinToken(await secretOf("first"), systemClock());
      ({ root } = await enrol(nodeCrypto, token, systemClock()));
    });

    it.each([
      ["stranger", "gateway_not_allowed", "is none of its proxies"],
      ["unregistered", "gateway_not_allowed", "the server was not told of"],
    ])("refuses %s with %s, who %s", async (name, word) => {
      const token = readJoinToken(await secretOf(name), systemClock());
      const made = await enrol(nodeCrypto, token, systemClock());
      const cert = made.chain.map((der) => pemEncode("CERTIFICATE", der)).join("");
      expect(await wordOf({ cert, key: privateKeyToPem(made.key) })).toBe(word);
    });

    it("refuses who shows no certificate, and a gateway, which is no proxy", async () => {
      expect(await wordOf({})).toBe("client_certificate_required");
      const pair = await readPrivateFile(
        join(site.home.data, "gateway/example.org/keys/gateway.pem"),
      );
      const text = new TextDecoder().decode(pair);
      const split = text.indexOf("-----BEGIN PRIVATE KEY-----");
      const own = { cert: text.slice(0, split), key: text.slice(split) };
      expect(await wordOf(own)).toBe("attester_unknown");
    });
  });
});
