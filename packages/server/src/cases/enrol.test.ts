import {
  buildCsr,
  EST_MEDIA_TYPE,
  parseCertificate,
  proxyId,
  writeEstRequestBody,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { enrolHost, ENTRY_ID, est, Host, joinSecret } from "../people.testing.ts";
import { DOMAIN, makeRig } from "../world.testing.ts";
import type { Rig } from "../world.testing.ts";
import { approvedScene } from "./scene.testing.ts";

const ID = proxyId(DOMAIN, "host-1");
const csrOf = (id = ID, signer = generateSigner()): Promise<Uint8Array> => buildCsr(c, signer, id);

/** The word of an answer of EST: 200 for a certificate. */
async function enrolWith(rig: Rig, secret: string, csr?: Uint8Array): Promise<string> {
  const made = await est(rig, "simpleenroll", { secret, csr: csr ?? (await csrOf()) });
  return typeof made === "string" ? made : "200";
}
const stateOf = async (rig: Rig): Promise<unknown> => (await rig.world.store.proxy(ID))?.state;

describe("enrolling with a join token", () => {
  it.each<readonly [string, (rig: Rig) => Promise<string>, string]>([
    ["fresh", async (rig) => enrolWith(rig, await joinSecret(rig, { name: "host-1" })), "200"],
    ["unknown", (rig) => enrolWith(rig, "A".repeat(22)), "join_token_invalid"],
    [
      "in its last second",
      async (rig) => {
        const secret = await joinSecret(rig, { name: "host-1", life: 60 });
        rig.advance(59);
        return enrolWith(rig, secret);
      },
      "200",
    ],
    [
      "expired",
      async (rig) => {
        const secret = await joinSecret(rig, { name: "host-1", life: 60 });
        rig.advance(60);
        return enrolWith(rig, secret);
      },
      "join_token_invalid",
    ],
    [
      "for a name that lives",
      async (rig) => enrolHost(rig).then(() => joinSecret(rig, { name: "host-1" })),
      "name_taken",
    ],
    [
      "made before the name came to life",
      async (rig) => {
        const [one, two] = [
          await joinSecret(rig, { name: "host-1" }),
          await joinSecret(rig, { name: "host-1" }),
        ];
        expect(await enrolWith(rig, one)).toBe("200");
        return enrolWith(rig, two);
      },
      "name_taken",
    ],
    [
      "for a name whose certificate is over",
      async (rig) => {
        await enrolHost(rig);
        rig.advance(7 * 86_400);
        return enrolWith(rig, await joinSecret(rig, { name: "host-1" }));
      },
      "200",
    ],
    ["for a name that is none", (rig) => joinSecret(rig, { name: "../host" }), "malformed_request"],
    [
      "T7: with a CSR for another name",
      async (rig) =>
        enrolWith(
          rig,
          await joinSecret(rig, { name: "host-1" }),
          await csrOf(`spiffe://${DOMAIN}/server`),
        ),
      "malformed_csr",
    ],
    [
      "with an Ed25519 key",
      async (rig) =>
        enrolWith(
          rig,
          await joinSecret(rig, { name: "host-1" }),
          await csrOf(ID, generateSigner("Ed25519")),
        ),
      "invalid_key",
    ],
    [
      "I-4: with the key of another proxy",
      async (rig) => {
        const { signer } = await enrolHost(rig, "host-2");
        return enrolWith(rig, await joinSecret(rig, { name: "host-1" }), await csrOf(ID, signer));
      },
      "key_reused",
    ],
    [
      "with octets that are no CSR",
      async (rig) => enrolWith(rig, await joinSecret(rig, { name: "host-1" }), new Uint8Array(40)),
      "malformed_csr",
    ],
  ])("%s → %#", async (_name, act, word) => {
    const rig = await makeRig();
    expect(await act(rig)).toBe(word);
    await rig.close();
  });

  it("a second use halts what the first enrolled", async () => {
    const rig = await makeRig();
    const secret = await joinSecret(rig, { name: "host-1" });
    expect(await enrolWith(rig, secret)).toBe("200");
    expect(await stateOf(rig)).toBe("enrolled");
    expect(await enrolWith(rig, secret)).toBe("join_token_invalid");
    expect(await stateOf(rig)).toBe("halted");
    expect((await rig.call("admin", "GET /v1/halts")).body["stops"]).toMatchObject([
      { scope: "proxy", target: ID, reason: "join token used twice" },
    ]);
    await rig.close();
  });

  it("of ten uses at once one enrols, and is halted", async () => {
    const rig = await makeRig();
    const secret = await joinSecret(rig, { name: "host-1" });
    const words = await Promise.all(Array.from({ length: 10 }, () => enrolWith(rig, secret)));
    expect(words.filter((word) => word === "200")).toHaveLength(1);
    expect(await stateOf(rig)).toBe("halted");
    await rig.close();
  });

  it("a halted proxy gets no next certificate: halts are checked at every request", async () => {
    const rig = await makeRig();
    const host = await enrolHost(rig);
    await rig.call("admin", "POST /v1/halts", { json: { scope: "proxy", target: ID, reason: "" } });
    expect(await host.renew()).toBe("halted");
    await rig.close();
  });

  it("--replace ends the grants of the name", async () => {
    const { rig, host, cs } = await approvedScene();
    const anchor = host.anchor;
    const next = await enrolHost(rig, "host-1", true);
    next.anchor = anchor;
    expect((await next.ask({ cs })).word).toBe("202");
    expect((await host.call("POST /v1/nonce", {})).word).toBe("proxy_forked");
    await rig.close();
  });

  it("takes the name from the token and the key from the CSR, nothing else", async () => {
    const rig = await makeRig();
    const { certificate, signer, id } = await enrolHost(rig);
    expect(parseCertificate(certificate)).toMatchObject({
      uris: [id],
      key: signer.key,
      notAfter: rig.now() + 7 * 86_400,
    });
    const rows = (await rig.call("admin", "GET /v1/log")).text;
    expect(rows).toContain("proxy.enrolled");
    await rig.close();
  });
});

describe("who calls", () => {
  it.each<readonly [string, (rig: Rig, host: Host) => Promise<Uint8Array | undefined>, string]>([
    ["the host", (_rig, host) => Promise.resolve(host.certificate), "200"],
    ["nobody", () => Promise.resolve(undefined), "client_certificate_required"],
    ["octets", () => Promise.resolve(new Uint8Array(9)), "malformed_certificate"],
    [
      "a host of another server of this name",
      async () => (await enrolHost(await makeRig({ seed: "other" }))).certificate,
      "attester_unknown",
    ],
    [
      "the server's CA",
      (rig) => Promise.resolve(rig.world.keys.infrastructure.certificate.der),
      "invalid_identifier",
    ],
    [
      "an agent",
      async () => {
        const { host, cs } = await approvedScene();
        const { body } = await host.ask({ cs });
        const [pem = ""] = body["wic"] as readonly string[]; // as the server says it
        return new Uint8Array(Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64"));
      },
      "attester_unknown",
    ],
    [
      "the host in its last second",
      (rig, host) => {
        rig.advance(7 * 86_400);
        return Promise.resolve(host.certificate);
      },
      "200",
    ],
    [
      "the host after the end of its certificate",
      (rig, host) => {
        rig.advance(7 * 86_400 + 1);
        return Promise.resolve(host.certificate);
      },
      "expired",
    ],
  ])("%s → %#", async (_name, make, word) => {
    const rig = await makeRig();
    const certificate = await make(rig, await enrolHost(rig));
    for (const what of ["POST /v1/nonce", "POST /v1/credential-requests"]) {
      const json = what.endsWith("nonce") ? {} : { request: "a", evidence: "b", endorsement: "c" };
      const answer = await rig.call("api", what, {
        json,
        ...(certificate === undefined ? {} : { certificate }),
      });
      expect([what, answer.word]).toEqual([
        what,
        word === "200" && what.endsWith("requests") ? "malformed_token" : word,
      ]);
    }
    await rig.close();
  });
});

describe("one live certificate for each host (DESIGN 3)", () => {
  const copyOf = (host: Host): Host => new Host(host.rig, host.id, host.signer, host.certificate);
  const word = async (host: Host): Promise<string> => (await host.call("POST /v1/nonce", {})).word;

  it("the superseded one is accepted until its successor was used; then it halts the host", async () => {
    const { rig, host, cs } = await approvedScene();
    const old = copyOf(host);
    expect(await host.renew()).toBe("200");
    expect(await word(old)).toBe("200");
    expect(await word(host)).toBe("200");
    expect(await word(old)).toBe("proxy_forked");
    expect(await word(host)).toBe("proxy_forked");
    expect(await stateOf(rig)).toBe("halted");
    const next = await enrolHost(rig, "host-1", true);
    next.anchor = host.anchor;
    expect((await next.ask({ cs })).word).toBe("202");
    await rig.close();
  });

  it("one from before the last is a copy in other hands, even before the newest was used", async () => {
    const { rig, host } = await approvedScene();
    const first = copyOf(host);
    expect(await host.renew()).toBe("200");
    expect(await word(host)).toBe("200");
    expect(await host.renew()).toBe("200");
    expect(await word(first)).toBe("proxy_forked");
    await rig.close();
  });

  it("a renewal whose answer was lost can be made again", async () => {
    const { rig, host } = await approvedScene();
    expect(await host.renew(true)).toBe("200");
    expect(await word(host)).toBe("200");
    expect(await host.renew()).toBe("200");
    expect(await word(host)).toBe("200");
    expect((await host.ask({ request: { sub: ENTRY_ID } })).word).toBe("202");
    await rig.close();
  });

  it("the certificate of a lost answer that turns up after all halts the host", async () => {
    const { rig, host } = await approvedScene();
    const signer = generateSigner();
    const lost = await est(rig, "simplereenroll", {
      csr: await csrOf(ID, signer),
      certificate: host.certificate,
    });
    if (typeof lost === "string") throw new Error(lost);
    expect(await host.renew()).toBe("200");
    expect(await word(host)).toBe("200");
    expect(await word(new Host(rig, ID, signer, lost))).toBe("proxy_forked");
    await rig.close();
  });

  it("of renewals at once one wins", async () => {
    const { rig, host } = await approvedScene();
    const words = await Promise.all([
      copyOf(host).renew(),
      copyOf(host).renew(),
      copyOf(host).renew(),
    ]);
    expect(words.filter((answer) => answer === "200")).toHaveLength(1);
    expect(words.filter((answer) => answer === "stale")).toHaveLength(2);
    await rig.close();
  });
});

describe("EST bodies", () => {
  it.each<readonly [string, Parameters<Rig["call"]>[2], string]>([
    ["another media type", { type: "application/json", raw: "{}" }, "unsupported_media_type"],
    ["no secret", { headers: { authorization: "" } }, "authentication_failed"],
    ["a bearer token", { headers: { authorization: "Bearer x" } }, "authentication_failed"],
    [
      "a user name",
      { headers: { authorization: `Basic ${btoa("root:x")}` } },
      "authentication_failed",
    ],
    ["no base64", { headers: { authorization: "Basic ***" } }, "authentication_failed"],
    ["too large", { raw: "A".repeat(65_536) }, "too_large"],
    ["nothing, and no token's secret either", { raw: "" }, "join_token_invalid"],
  ])("%s → %#", async (_name, change, word) => {
    const rig = await makeRig();
    const answer = await rig.call("api", "POST /.well-known/est/simpleenroll", {
      raw: writeEstRequestBody(await csrOf()),
      type: EST_MEDIA_TYPE.request,
      ...change,
      headers: { authorization: `Basic ${btoa(":x")}`, ...change?.headers },
    });
    expect(answer.word).toBe(word);
    await rig.close();
  });
});
