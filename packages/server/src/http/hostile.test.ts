// Requests for a credential in which one thing belongs elsewhere, over HTTP: what is answered, and what is stored.
import { agentId, REFUSALS, thumbprint } from "@countersign/core";
import type { PostedRequest } from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { approvedScene } from "../cases/scene.testing.ts";
import type { Scene } from "../cases/scene.testing.ts";
import { d, enrolHost, ENTRY_ID, Host } from "../people.testing.ts";
import type { Ask } from "../people.testing.ts";
import type { Decision, Store } from "../store/store.ts";
import { makeRig, textOf } from "../world.testing.ts";
import type { Answered, CallOptions } from "../world.testing.ts";

type Approved = Scene & { readonly cs: `sha-256:${string}` };

/** Remembers everything that is written. */
function watched(written: Decision[]): (store: Store) => Store {
  return (store) =>
    new Proxy(store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...given: unknown[]) => {
          if (name === "commit") written.push(given[0] as Decision); // its one argument
          return Reflect.apply(member, target, given) as unknown;
        };
      },
    });
}

const make = (scene: Approved, ask: Ask = {}): Promise<PostedRequest> =>
  scene.host.make({ cs: scene.cs, ...ask });
const asking =
  (ask: (scene: Approved) => Ask | Promise<Ask>) =>
  async (scene: Approved): Promise<PostedRequest> =>
    make(scene, await ask(scene));
/** The parts named are of another request of the same host. */
const mixed =
  (...parts: readonly (keyof PostedRequest)[]) =>
  async (scene: Approved): Promise<PostedRequest> => {
    const [one, two] = [await make(scene), await make(scene)];
    return { ...one, ...Object.fromEntries(parts.map((part) => [part, two[part]])) };
  };
/** The parts named are those of a host that uses these keys. */
const by =
  (change: (host: Host) => void, ...parts: readonly (keyof PostedRequest)[]) =>
  async (scene: Approved): Promise<PostedRequest> => {
    const { host } = scene;
    const key = generateSigner();
    const nonce = await host.nonce();
    const other = new Host(host.rig, host.id, host.signer, host.certificate);
    other.anchor = host.anchor;
    change(other);
    const [one, two] = [
      await make(scene, { key, nonce }),
      await other.make({ cs: scene.cs, key, nonce }),
    ];
    return { ...one, ...Object.fromEntries(parts.map((part) => [part, two[part]])) };
  };
const swapped =
  (one: keyof PostedRequest, two: keyof PostedRequest) =>
  async (scene: Approved): Promise<PostedRequest> => {
    const posted = await make(scene);
    return { ...posted, [one]: posted[two], [two]: posted[one] };
  };
const spent = async (scene: Approved): Promise<string> => {
  const nonce = await scene.host.nonce();
  await scene.host.ask({ cs: scene.cs, nonce });
  return nonce;
};
const ELSEWHERE = "https://id.example.com";
/** Where this server listens: what it never is called. */
const PORTS = ["https://id.example.org:8443", "https://127.0.0.1:8443", "https://id.example.org/"];

const ROWS: readonly (readonly [string, (scene: Approved) => Promise<PostedRequest>, string])[] = [
  ["nonce: wrong", asking(() => ({ nonce: "A".repeat(54) })), "nonce_unknown"],
  [
    "nonce: old",
    asking(async ({ host, rig }) => {
      const nonce = await host.nonce();
      rig.advance(121);
      return { nonce };
    }),
    "nonce_expired",
  ],
  [
    "nonce: of another host",
    asking(async ({ rig }) => ({ nonce: await (await enrolHost(rig, "host-2")).nonce() })),
    "nonce_unknown",
  ],
  [
    "nonce: of another server of this name",
    asking(async () => {
      const other = await makeRig({ seed: "other" });
      const nonce = await (await enrolHost(other)).nonce();
      await other.close();
      return { nonce };
    }),
    "nonce_unknown",
  ],
  ["nonce: used", asking(async (scene) => ({ nonce: await spent(scene) })), "nonce_unknown"],
  ["R of one with E of another", mixed("evidence"), "evidence_invalid"],
  ["R of one with N of another", mixed("endorsement"), "endorsement_invalid"],
  ["R of another, E and N of one", mixed("request"), "endorsement_invalid"],
  ["R and E exchanged", swapped("request", "evidence"), "wrong_type"],
  ["R and N exchanged", swapped("request", "endorsement"), "wrong_type"],
  ["E and N exchanged", swapped("evidence", "endorsement"), "wrong_type"],
  ["E of another request", asking(() => ({ evidence: { req: d(9) } })), "evidence_invalid"],
  [
    "E for another key",
    asking(() => ({ evidence: { key: generateSigner().key } })),
    "evidence_invalid",
  ],
  [
    "E with another nonce",
    asking(() => ({ evidence: { eatNonce: "B".repeat(54) } })),
    "evidence_invalid",
  ],
  [
    "E by another proxy's key",
    by((host) => (host.signer = generateSigner()), "evidence"),
    "invalid_signature",
  ],
  [
    "N for another key",
    asking(() => ({ endorsement: { jkt: d(9).slice(8) } })),
    "endorsement_invalid",
  ],
  [
    "N by another anchor",
    by((host) => (host.anchor = generateSigner()), "endorsement"),
    "endorsement_invalid",
  ],
  [
    "N of another agent",
    asking(() => ({ endorsement: { sub: agentId(ENTRY_ID, d(9).slice(8)) } })),
    "endorsement_invalid",
  ],
  [
    "R that names another anchor",
    asking(() => ({ request: { anchor: thumbprint(c, generateSigner().key) } })),
    "endorsement_invalid",
  ],
  ["K is the anchor", asking(({ host }) => ({ key: host.anchor })), "endorsement_invalid"],
  ["K is the proxy's key", asking(({ host }) => ({ key: host.signer })), "key_reused"],
  [
    "R that has expired",
    asking(({ rig }) => ({ request: { iat: rig.now() - 361, exp: rig.now() - 61 } })),
    "request_expired",
  ],
  [
    "R of the future",
    asking(({ rig }) => ({ request: { iat: rig.now() + 61, exp: rig.now() + 361 } })),
    "not_yet_valid",
  ],
  [
    "R that lives too long",
    asking(({ rig }) => ({ request: { exp: rig.now() + 301 } })),
    "request_invalid",
  ],
  [
    "E that has expired",
    asking(({ rig }) => ({ evidence: { iat: rig.now() - 361 } })),
    "evidence_invalid",
  ],
  [
    "E of the future",
    asking(({ rig }) => ({ evidence: { iat: rig.now() + 61 } })),
    "evidence_invalid",
  ],
  [
    "N that has expired",
    asking(({ rig }) => ({ endorsement: { iat: rig.now() - 900, exp: rig.now() } })),
    "endorsement_invalid",
  ],
  [
    "N of the future",
    asking(({ rig }) => ({ endorsement: { iat: rig.now() + 61, exp: rig.now() + 100 } })),
    "endorsement_invalid",
  ],
  [
    "R in another trust domain",
    async (scene) => {
      const { host } = scene;
      const { anchor } = host;
      host.anchor = generateSigner(); // the first one is an installation's already
      const posted = await make(scene, { request: { sub: "spiffe://example.com/agent/mailer" } });
      host.anchor = anchor;
      return posted;
    },
    "entry_unknown",
  ],
  ["R for another server", asking(() => ({ request: { aud: ELSEWHERE } })), "request_invalid"],
  ["E for another server", asking(() => ({ evidence: { aud: ELSEWHERE } })), "evidence_invalid"],
  [
    "N for another server",
    asking(() => ({ endorsement: { aud: ELSEWHERE } })),
    "endorsement_invalid",
  ],
  ...PORTS.map(
    (aud) => [`R for ${aud}`, asking(() => ({ request: { aud } })), "request_invalid"] as const,
  ),
  ["cs of nobody", asking(() => ({ cs: d(9) })), "endorsement_invalid"],
  [
    "E that is no token",
    async (scene) => ({ ...(await make(scene)), evidence: "a.b" }),
    "malformed_token",
  ],
  [
    "N without signature",
    async (scene) => {
      const posted = await make(scene);
      return { ...posted, endorsement: posted.endorsement.replace(/[^.]+$/, "") };
    },
    "invalid_signature",
  ],
];

/** A problem document that is whole and tells no more than the table. */
function wordOf(answer: Answered): string {
  const { reason, ...body } = answer.body;
  const row = REFUSALS[reason as keyof typeof REFUSALS]; // looked at next
  expect(answer.type).toBe("application/problem+json");
  expect(body).toEqual({
    type: `urn:countersign:refusal:${textOf(reason)}`,
    title: row.title,
    status: row.status,
    next: expect.stringMatching(/\w/) as string,
  });
  expect(answer.status).toBe(row.status);
  return answer.word;
}

describe("a request for a credential with", () => {
  it.each(ROWS)("%s: is refused, and only the refusal is stored", async (_name, make_, word) => {
    const written: Decision[] = [];
    const scene = await approvedScene({ wrap: watched(written) });
    const posted = await make_(scene);
    written.length = 0;
    expect(wordOf(await scene.host.post(posted))).toBe(word);
    expect(wordOf(await scene.host.post(posted))).toBe(word); // logged once a minute
    expect(
      written.map(({ log, changes, once }) => [log?.type, changes.length, once?.length ?? 0]),
    ).toEqual([["credential.refused", 0, 0]]);
    const record = new TextDecoder().decode(written[0]?.log?.record);
    for (const part of Object.values(posted))
      expect(record).not.toContain(String(part).slice(0, 60));
    // and what it was made from can still be had
    expect((await scene.host.ask({ cs: scene.cs })).word).toBe("200");
    await scene.rig.close();
  });
});

describe("a caller who is nobody stores nothing, whatever he sends", () => {
  const JSON_BODY = { json: { request: "a", evidence: "b", endorsement: "c" } };
  it.each<readonly [string, CallOptions, string]>([
    ["POST /v1/nonce", { json: {} }, "client_certificate_required"],
    ["POST /v1/credential-requests", JSON_BODY, "client_certificate_required"],
    ["POST /v1/presigned-consents", JSON_BODY, "client_certificate_required"],
    [
      "POST /v1/credential-requests",
      { ...JSON_BODY, certificate: new Uint8Array(40) },
      "malformed_certificate",
    ],
    ["GET /v1/state", {}, "client_certificate_required"],
    ["POST /.well-known/est/simplereenroll", { raw: "AAAA" }, "client_certificate_required"],
    ["POST /.well-known/est/simpleenroll", { raw: "AAAA" }, "authentication_failed"],
    [
      "POST /.well-known/est/simpleenroll",
      {
        raw: "AAAA",
        headers: { authorization: `Basic ${btoa(":none")}` },
        type: "application/pkcs10",
      },
      "join_token_invalid",
    ],
  ])("%s → %#", async (what, options, word) => {
    const written: Decision[] = [];
    const scene = await approvedScene({ wrap: watched(written) });
    written.length = 0;
    expect(wordOf(await scene.rig.call("api", what, options))).toBe(word);
    expect(written).toEqual([]);
    await scene.rig.close();
  });
});

describe("the issuer", () => {
  it("is a name, not a place: other ports and addresses change nothing", async () => {
    const moved = { api_port: 9443, public_port: 9080, api_url: "https://10.0.0.1:9443" };
    const scene = await approvedScene({ config: moved });
    expect(scene.rig.world.config.issuer).toBe("https://id.example.org");
    expect((await scene.host.ask({ cs: scene.cs })).word).toBe("200");
    for (const aud of ["https://id.example.org:9443", "https://10.0.0.1:9443"])
      expect((await scene.host.ask({ cs: scene.cs, request: { aud } })).word).toBe(
        "request_invalid",
      );
    await scene.rig.close();
  });
});
