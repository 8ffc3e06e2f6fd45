import {
  buildCsr,
  CLIENT_CERT_HEADER,
  digestOf,
  EST_MEDIA_TYPE,
  gatewayId,
  RENEWAL,
  RENEWAL_HEADER,
  seal,
  writeClientCert,
  writeEstRequestBody,
} from "@countersign/core";
import type { Bytes, JsonObject, RenewalClaims, Signer } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { beforeEach, describe, expect, it } from "vitest";
import { enrolHost, est, secretIn } from "../people.testing.ts";
import type { Host } from "../people.testing.ts";
import { DOMAIN, textOf } from "../world.testing.ts";
import type { Answered, Rig } from "../world.testing.ts";
import { makeScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const EDGE = gatewayId(DOMAIN, "edge");
const ORDER = { name: "edge", owners: ["alice"], proxies: ["host-1"] };

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/** Registers and enrols a gateway. @returns its certificate, or the word of the refusal */
async function enrolled(rig: Rig, change: JsonObject = {}): Promise<Bytes | string> {
  const order = { ...ORDER, ...change };
  const secret = await secretIn(rig, "POST /v1/gateway-tokens", order);
  const csr = await buildCsr(c, generateSigner(), gatewayId(DOMAIN, order.name));
  return est(rig, "simpleenroll", { csr, secret });
}

describe("a gateway is what an administrator says", () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await makeScene();
  });

  it.each<readonly [string, JsonObject, string]>([
    ["what is needed", {}, "200"],
    ["owners and proxies by id", { proxies: [`spiffe://${DOMAIN}/proxy/host-1`] }, "200"],
    ["a proxy that is not enrolled yet", { proxies: ["host-9"] }, "200"],
    ["an owner who does not exist", { owners: ["mallory"] }, "not_found"],
    ["a name with a slash", { name: "edge/x" }, "malformed_request"],
    [
      "the id of an agent among the proxies",
      { proxies: [`spiffe://${DOMAIN}/agent/a`] },
      "malformed_request",
    ],
    ["a proxy of another domain", { proxies: ["spiffe://other.org/proxy/a"] }, "malformed_request"],
    ["a proxy with a bad name", { proxies: ["Host 1"] }, "invalid_identifier"],
    ["a proxy that is a number", { proxies: [1] }, "malformed_request"],
    ["no list of proxies", { proxies: "host-1" }, "malformed_request"],
    ["a member that nobody asked for", { signs: true }, "malformed_request"],
    ["over 16 owners", { owners: Array.from({ length: 17 }, () => "alice") }, "malformed_request"],
  ])("registered with %s", async (_name, change, word) => {
    const json = { ...ORDER, ...change };
    expect((await scene.rig.call("admin", "POST /v1/gateway-tokens", { json })).word).toBe(word);
  });

  it("its token enrols it, once, under its own name", async () => {
    const { rig } = scene;
    const secret = await secretIn(rig, "POST /v1/gateway-tokens", ORDER);
    const csr = (uri: string): Promise<Bytes> => buildCsr(c, generateSigner(), uri);
    const asProxy = await csr(`spiffe://${DOMAIN}/proxy/edge`);
    expect(await est(rig, "simpleenroll", { csr: asProxy, secret })).toBe("malformed_csr");
    expect(typeof (await est(rig, "simpleenroll", { csr: await csr(EDGE), secret }))).toBe(
      "object",
    );
    expect(await est(rig, "simpleenroll", { csr: await csr(EDGE), secret })).toBe(
      "join_token_invalid",
    );
    const { body } = await rig.call("admin", "GET /v1/gateways");
    expect(body["gateways"]).toMatchObject([{ id: EDGE, state: "halted" }]);
  });

  it("a proxy of the same name is another", async () => {
    expect(typeof (await enrolled(scene.rig, { name: "host-1" }))).toBe("object");
    expect((await scene.host.ask()).word).toBe("202");
  });

  it("one that is enrolled is not registered over without being told so", async () => {
    await enrolled(scene.rig);
    const json = { ...ORDER, proxies: ["host-2"] };
    const refused = await scene.rig.call("admin", "POST /v1/gateway-tokens", { json });
    expect(refused.word).toBe("name_taken");
    expect(typeof (await enrolled(scene.rig, { replace: true }))).toBe("object");
  });
});

describe("who speaks for whom (agent-identity 2.6, S-7)", () => {
  let scene: Scene;
  let other: Host;
  let edge: Bytes;
  const via = (
    of: Pick<Host, "certificate"> | undefined,
    certificate = edge,
    what = "POST /v1/nonce",
  ): Promise<Answered> =>
    scene.rig.call("api", what, {
      json: {},
      certificate,
      ...(of === undefined
        ? {}
        : { headers: { [CLIENT_CERT_HEADER]: writeClientCert(of.certificate) } }),
    });
  beforeEach(async () => {
    scene = await makeScene();
    other = await enrolHost(scene.rig, "host-2");
    const made = await enrolled(scene.rig);
    if (typeof made === "string") throw new Error(made);
    edge = made;
  });

  it("the gateway for the proxy that it is registered for, and for no other", async () => {
    expect((await via(scene.host)).word).toBe("200");
    expect((await via(other)).word).toBe("gateway_not_allowed");
    expect((await via(undefined)).word).toBe("gateway_not_allowed");
    expect((await via({ certificate: edge })).word).toBe("gateway_not_allowed");
  });

  it("a proxy for itself alone", async () => {
    expect((await via(scene.host, other.certificate)).word).toBe("gateway_not_allowed");
    expect((await via(scene.host, scene.host.certificate)).word).toBe("gateway_not_allowed");
  });

  it.each<readonly [string, string, string]>([
    ["nothing between the colons", "::", "malformed_request"],
    ["no colons", "AAAA", "malformed_request"],
    ["no base64", ":****:", "malformed_request"],
    ["two in one line", ":AAAA:, :AAAA:", "malformed_request"],
    ["no certificate", ":AAAA:", "malformed_certificate"],
    ["more than a certificate may have", `:${"A".repeat(40_000)}:`, "malformed_request"],
  ])("refuses a Client-Cert of %s", async (_name, value, word) => {
    const headers = { [CLIENT_CERT_HEADER]: value };
    const answer = await scene.rig.call("api", "POST /v1/nonce", {
      json: {},
      certificate: edge,
      headers,
    });
    expect(answer.word).toBe(word);
  });

  it("refuses a certificate that this server's infrastructure has not issued", async () => {
    const foreign = await makeScene({ seed: "other" });
    expect((await via(foreign.host)).word).toBe("untrusted_chain");
  });

  it("what an administrator takes away is gone at once", async () => {
    const order = { ...ORDER, proxies: ["host-2"], replace: true };
    await scene.rig.call("admin", "POST /v1/gateway-tokens", { json: order });
    expect((await via(scene.host)).word).toBe("gateway_not_allowed");
    expect((await via(other)).word).toBe("200");
  });

  it("a gateway that is halted speaks for nobody", async () => {
    const json = { scope: "proxy", target: EDGE, reason: "taken over" };
    await scene.rig.call("admin", "POST /v1/halts", { json });
    expect((await via(scene.host)).word).toBe("halted");
    expect((await scene.host.ask()).word).toBe("202");
  });

  it.each<readonly [string, (scene: Scene) => Promise<unknown>]>([
    [
      "that is halted",
      ({ rig }) => {
        const json = { scope: "proxy", target: EDGE, reason: "taken over" };
        return rig.call("admin", "POST /v1/halts", { json });
      },
    ],
    [
      "that loses the proxy",
      ({ rig }) => {
        const json = { ...ORDER, proxies: ["host-2"], replace: true };
        return rig.call("admin", "POST /v1/gateway-tokens", { json });
      },
    ],
  ])("a gateway %s hears no more of its streams; the proxy's own goes on", async (_name, act) => {
    const { rig, host } = scene;
    const open = async (certificate: Bytes, headers: Record<string, string>): Promise<Reader> => {
      const request = new Request("http://server/v1/state", { headers });
      const { body } = await rig.api(request, { certificate });
      if (body === null) throw new Error("no stream");
      return body.getReader();
    };
    const through = await open(edge, {
      [CLIENT_CERT_HEADER]: writeClientCert(host.certificate),
    });
    const own = await open(host.certificate, {});
    const heard = async (reader: Reader): Promise<string> => {
      const { value, done } = await reader.read();
      return done ? "end" : new TextDecoder().decode(value);
    };
    const until = async (reader: Reader, word: string): Promise<string> => {
      for (;;) {
        const text = await heard(reader);
        if (text === "end" || text.includes(word)) return text;
      }
    };
    expect(await until(through, "event: state")).toContain("event: state");
    expect(await until(own, "event: state")).toContain("event: state");
    await act(scene);
    await scene.put({ uid: 1002 });
    expect(await until(through, '"uid":1002')).toBe("end");
    expect(await until(own, '"uid":1002')).toContain('"uid":1002');
  });

  it("a proxy's certificate that has ended is no use to a gateway", async () => {
    scene.rig.advance(5 * 86_400);
    const made = await enrolled(scene.rig, { replace: true });
    scene.rig.advance(3 * 86_400);
    expect((await via(scene.host, typeof made === "string" ? undefined : made)).word).toBe(
      "expired",
    );
    const own = await scene.rig.call("api", "POST /v1/nonce", { json: {}, certificate: edge });
    expect(own.word).toBe("expired");
  });

  it("a nonce is for one way to the server", async () => {
    const { host } = scene;
    const nonce = textOf((await via(host)).body["nonce"]);
    expect((await host.ask({ nonce })).word).toBe("nonce_unknown");
    const posted = await host.make({ nonce });
    const through = await scene.rig.call("api", "POST /v1/credential-requests", {
      json: posted,
      certificate: edge,
      headers: { [CLIENT_CERT_HEADER]: writeClientCert(host.certificate) },
    });
    expect(through.word).toBe("202");
    const straight = await host.make();
    const bad = await scene.rig.call("api", "POST /v1/credential-requests", {
      json: straight,
      certificate: edge,
      headers: { [CLIENT_CERT_HEADER]: writeClientCert(host.certificate) },
    });
    expect(bad.word).toBe("nonce_unknown");
  });

  it("DESIGN 3: a superseded certificate after its successor halts the proxy, through a gateway too", async () => {
    const { host } = scene;
    const before = host.certificate;
    await host.renew();
    expect((await via({ certificate: before })).word).toBe("200"); // its successor was never used
    expect((await via(host)).word).toBe("200");
    expect((await via({ certificate: before })).word).toBe("proxy_forked");
    expect((await via(host)).word).toBe("proxy_forked");
  });
});

describe("a proxy's certificate is renewed through a gateway", () => {
  let scene: Scene;
  let edge: Bytes;
  const next = generateSigner();
  const foreign = generateSigner();
  beforeEach(async () => {
    scene = await makeScene();
    const made = await enrolled(scene.rig);
    if (typeof made === "string") throw new Error(made);
    edge = made;
  });
  const through = (): Record<string, string> => ({
    [CLIENT_CERT_HEADER]: writeClientCert(scene.host.certificate),
  });
  const nonceOf = async (certificate = edge, headers = through()): Promise<string> =>
    textOf(
      (await scene.rig.call("api", "POST /v1/nonce", { json: {}, certificate, headers })).body[
        "nonce"
      ],
    );
  const csrOf = (signer: Signer): Promise<Bytes> => buildCsr(c, signer, scene.host.id);
  const post = async (csr: Bytes, renewal: string | undefined): Promise<string> => {
    const answer = await scene.rig.call("api", "POST /.well-known/est/simplereenroll", {
      raw: writeEstRequestBody(csr),
      type: EST_MEDIA_TYPE.request,
      certificate: edge,
      headers: {
        ...through(),
        ...(renewal === undefined ? {} : { [RENEWAL_HEADER]: renewal }),
      },
    });
    return answer.word;
  };
  const signed = async (
    csr: Bytes,
    change: Partial<RenewalClaims> = {},
    by: Signer = scene.host.signer,
  ): Promise<string> => {
    const claims = {
      aud: `https://id.${DOMAIN}`,
      iat: scene.rig.now(),
      nonce: change.nonce ?? (await nonceOf()),
      csr: digestOf(c, csr),
      ...change,
    };
    return (await seal(c, RENEWAL, claims, by)).octets;
  };

  it("with the word of its present key, once", async () => {
    const csr = await csrOf(next);
    const renewal = await signed(csr);
    expect(await post(csr, renewal)).toBe("200");
    expect(await post(csr, renewal)).toBe("nonce_unknown");
  });

  it("a gateway that was taken over gets no certificate for a key of its own", async () => {
    const [own, mine] = [await csrOf(next), await csrOf(foreign)];
    const before = await scene.rig.world.store.proxy(scene.host.id);
    expect(await post(mine, undefined)).toBe("renewal_invalid");
    expect(await post(mine, await signed(mine, {}, foreign))).toBe("renewal_invalid");
    expect(await post(mine, await signed(own))).toBe("renewal_invalid");
    expect(await scene.rig.world.store.proxy(scene.host.id)).toEqual(before);
    expect((await scene.host.ask()).word).toBe("202");
  });

  it.each<readonly [string, Partial<RenewalClaims>, string]>([
    ["for another server", { aud: "https://id.other.org" }, "renewal_invalid"],
    ["signed long ago", { iat: 1_800_000_000 - 400 }, "renewal_invalid"],
    ["signed in the future", { iat: 1_800_000_000 + 90 }, "renewal_invalid"],
    ["with a nonce of its own", { nonce: "AAAAAAAAAAAAAAAAAAAAAA" }, "nonce_unknown"],
  ])("refuses one %s", async (_name, change, word) => {
    const csr = await csrOf(next);
    expect(await post(csr, await signed(csr, change))).toBe(word);
  });

  it("refuses a nonce that was made for the proxy itself, and octets that are no JWS", async () => {
    const csr = await csrOf(next);
    const nonce = await scene.host.nonce();
    expect(await post(csr, await signed(csr, { nonce }))).toBe("nonce_unknown");
    expect(await post(csr, "a.b.c")).toBe("renewal_invalid");
    expect(await post(csr, `${await signed(csr)}x`)).toBe("renewal_invalid");
  });

  it("a gateway renews its own by its own handshake", async () => {
    const csr = await buildCsr(c, generateSigner(), EDGE);
    const made = await est(scene.rig, "simplereenroll", { csr, certificate: edge });
    expect(typeof made).toBe("object");
    const asProxy = await csrOf(foreign);
    expect(await est(scene.rig, "simplereenroll", { csr: asProxy, certificate: edge })).toBe(
      "malformed_csr",
    );
  });
});
