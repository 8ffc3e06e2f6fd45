import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  fromBase64url,
  LinkRefusal,
  makeOwnerJws,
  presentedOf,
  readBundle,
  readTrustBundle,
  verify,
} from "../../packages/core/src/index.ts";
import type {
  Bytes,
  JsonObject,
  OwnerCa,
  Presented,
  Signer,
  Trust,
  Verdict,
} from "../../packages/core/src/index.ts";
import { octetString } from "../../packages/core/src/der/write.ts";
import { writeExtension } from "../../packages/core/src/x509/extension.ts";
import { makeCompany, x5cOf } from "../../packages/core/src/verify/owner-ca.testing.ts";
import type {
  CertificateChange,
  Company,
} from "../../packages/core/src/verify/owner-ca.testing.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { checkCertificate } from "../../packages/server/src/cases/owner-certificate.ts";
import { partiesOf } from "../../packages/server/src/cases/quorum.testing.ts";
import { enrolOwner, Owner } from "../../packages/server/src/people.testing.ts";
import { START, textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const DAY = 86_400;
const LIFE = [START - DAY, START + 30 * DAY] as const;
const company = await makeCompany(LIFE);
const stranger = await makeCompany(LIFE, "Another Corp");

/** An owner who signs JWS. */
class JwsOwner extends Owner {
  override async sign(bytes: Bytes, by: Signer = this.signer): Promise<JsonObject> {
    return { ...(await makeOwnerJws(by, bytes)) };
  }
}

interface Enrolment {
  readonly by?: Company;
  readonly change?: CertificateChange;
  readonly named?: string;
  readonly certified?: Signer;
  readonly x5c?: readonly string[];
  readonly app?: string;
}

describe("an owner's key that a company's CA certifies", () => {
  let whole: Whole;
  let owner: Owner;
  const signer = generateSigner();
  const begin = async (cas: readonly OwnerCa[]): Promise<void> => {
    whole = await makeWhole({ server: { ownerCas: cas } });
    ({ owner } = whole.scene);
  };
  beforeEach(() => begin([company.ca]));
  afterEach(() => whole.end());

  /** Adds a key to alice, with her certificate for it. @returns the word of the answer */
  async function enrol(of: Enrolment = {}): Promise<string> {
    const { rig } = whole.scene;
    const app = of.app === undefined ? {} : { app: of.app };
    const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
      json: { name: "alice", kind: "person", jwk: signer.key, ...app },
    });
    const jcs = textOf(offered.body["jcs"]);
    const { key } = of.certified ?? signer;
    const leaf = await (of.by ?? company).certify(of.named ?? owner.id, key, of.change);
    const sig = await new JwsOwner(rig, owner.id, signer).sign(fromBase64url(jcs));
    const x5c = of.x5c ?? x5cOf(leaf);
    const answer = await rig.call("admin", "POST /v1/owner/keys", {
      json: { statement: jcs, sig, comment: "", x5c },
    });
    return answer.status === 200 ? textOf(answer.body["basis"]) : answer.word;
  }

  /** Has the key approve what the agent asks. */
  async function approve(): Promise<void> {
    const certified = new JwsOwner(whole.scene.rig, owner.id, signer);
    await whole.credential();
    const [ask] = await whole.scene.rig.world.store.asks({ state: "asked" });
    await certified.approve(ask?.id ?? "");
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
  }

  async function shown(): Promise<Presented> {
    const { body } = await whole.call("POST /v1/proof", {
      aud: "https://mail.example.com/",
      evidence: true,
    });
    const bundle = readBundle(fromBase64url(textOf(body["evidence"])));
    return presentedOf(textOf(body["wit"]), undefined, bundle);
  }
  async function judge(presented: Presented, cas: readonly OwnerCa[]): Promise<Verdict | string> {
    const { rig } = whole.scene;
    const { body } = await rig.call("public", "GET /bundle");
    const bundle = readTrustBundle(JSON.stringify(body), rig.now());
    const domain = {
      origin: bundle.trustDomain,
      bundle,
      ownerPins: [],
      ownerCas: cas,
      isInside: true,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const trust: Trust = new Map([[domain.origin, domain]]);
    try {
      return await verify(c, presented, trust, { proof: "logged" }, rig.now());
    } catch (error) {
      if (error instanceof LinkRefusal) return `${error.link}: ${error.code}`;
      throw error;
    }
  }

  it("approves, and a service that knows the CA alone accepts the agent", async () => {
    expect(await enrol()).toBe("x509");
    await approve();
    const presented = await shown();
    expect(await judge(presented, [company.ca])).toMatchObject({
      proof: "logged",
      owner: { id: owner.id, vouchedBy: "x509", oa: 2, assuranceLowered: false },
    });
    const [, claims = ""] = presented.wit.split(".");
    const said = JSON.parse(Buffer.from(claims, "base64url").toString()) as JsonObject;
    expect(said["countersign_owner"]).toMatchObject({ eb: "x509", oa: 2 });
    expect(await judge(presented, [stranger.ca])).toBe("owner-accepted: owner_key_unaccepted");
    expect(await judge(presented, [])).toBe("owner-accepted: owner_key_unaccepted");
  });

  it("is published with the approval, and listed with its end", async () => {
    await enrol();
    await approve();
    const { rig } = whole.scene;
    const [grant] = await rig.world.store.grants();
    const path = `/e/${(grant?.cs ?? "").slice("sha-256:".length)}`;
    const { body } = await rig.call("public", `GET ${path}`);
    expect(body["key"]).toMatchObject({ x5c: [expect.any(String)] });
    const { body: listed } = await rig.call("admin", "GET /v1/owners");
    expect(JSON.stringify(listed)).toContain(`"certified_until":${LIFE[1]}`);
  });

  it("counts among several owners, and a service that knows the CA alone accepts both", async () => {
    const { rig, put } = whole.scene;
    expect(await enrol()).toBe("x509");
    const bob = await enrolOwner(rig, "bob");
    const key = generateSigner();
    const offer = { json: { name: "bob", kind: "person", jwk: key.key } };
    const jcs = textOf((await rig.call("admin", "POST /v1/owner/keys/options", offer)).body["jcs"]);
    const his = new JwsOwner(rig, bob.id, key);
    const added = {
      statement: jcs,
      sig: await his.sign(fromBase64url(jcs)),
      comment: "",
      x5c: x5cOf(await company.certify(bob.id, key.key)),
    };
    expect((await rig.call("admin", "POST /v1/owner/keys", { json: added })).word).toBe("200");
    expect(await put({ parties: partiesOf(2, owner, bob) })).toBe("200");
    await whole.heard();
    await whole.credential();
    const [ask] = await rig.world.store.asks({ state: "asked" });
    const id = ask?.id ?? "";
    const hers = new JwsOwner(rig, owner.id, signer);
    for (const one of [hers, his])
      expect((await one.decide(id, await one.open(id))).word).toBe("200");
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const { body } = await whole.credential();
    const [row] = await rig.world.store.credentials();
    const at = `/e/${(row?.cs ?? "").slice("sha-256:".length)}`;
    const approval = (await rig.call("public", `GET ${at}`)).body;
    const credential = (await rig.call("public", `GET ${at}/${row?.jti ?? ""}`)).body;
    const presented = presentedOf(
      textOf(body["wit"]),
      undefined,
      readBundle({ approval, credential }),
    );
    expect(await judge(presented, [company.ca])).toMatchObject({
      owner: { parties: { accepted: [{ vouchedBy: "x509" }, { id: bob.id, vouchedBy: "x509" }] } },
    });
    expect(await judge(presented, [stranger.ca])).toBe("owner-accepted: owner_key_unaccepted");
  });

  it("vouches for the owner's next key, also where the service knows the CA alone", async () => {
    await enrol();
    const certified = new JwsOwner(whole.scene.rig, owner.id, signer);
    const next = await enrolOwner(whole.scene.rig, "alice", generateSigner("Ed25519"), [certified]);
    await whole.credential();
    const [ask] = await whole.scene.rig.world.store.asks({ state: "asked" });
    await next.approve(ask?.id ?? "");
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const presented = await shown();
    expect(await judge(presented, [company.ca])).toMatchObject({ owner: { vouchedBy: "chain" } });
    expect(await judge(presented, [stranger.ca])).toBe("owner-accepted: owner_key_unaccepted");
  });

  /** Certificates as large as some companies make them. */
  const large: CertificateChange = {
    more: [writeExtension("1.3.6.1.4.1.32473.9.1", false, octetString(new Uint8Array(9000)))],
  };

  it("with certificates that fit no header is still accepted: the service fetches them", async () => {
    expect(await enrol({ change: large })).toBe("x509");
    await approve();
    const { rig } = whole.scene;
    const aud = "https://mail.example.com/";
    const asked = await whole.call("POST /v1/proof", { aud, evidence: true });
    expect([asked.word, asked.body["next"]]).toEqual([
      "too_large",
      expect.stringContaining("evidence_origin"),
    ]);
    const { body } = await whole.credential();
    const [row] = await rig.world.store.credentials();
    const at = `/e/${(row?.cs ?? "").slice("sha-256:".length)}`;
    const approval = (await rig.call("public", `GET ${at}`)).body;
    const credential = (await rig.call("public", `GET ${at}/${row?.jti ?? ""}`)).body;
    const bundle = readBundle({ approval, credential });
    const presented = presentedOf(textOf(body["wit"]), undefined, bundle);
    expect(await judge(presented, [company.ca])).toMatchObject({ owner: { vouchedBy: "x509" } });
  });

  it("with more than a certificate of an agent could carry is refused before there is a grant", async () => {
    await whole.end();
    whole = await makeWhole({
      server: { ownerCas: [company.ca] },
      entry: { x509_evidence: "approval" },
    });
    ({ owner } = whole.scene);
    const leaf = await company.certify(owner.id, signer.key, large);
    expect(await enrol({ x5c: x5cOf(leaf) })).toBe("x509");
    await whole.credential();
    const [ask] = await whole.scene.rig.world.store.asks({ state: "asked" });
    const certified = new JwsOwner(whole.scene.rig, owner.id, signer);
    await expect(certified.approve(ask?.id ?? "")).rejects.toThrow("too_large");
    expect(await whole.scene.rig.world.store.grants()).toEqual([]);
  });

  it("that is removed signs nothing any more, whatever the CA says", async () => {
    await enrol();
    await approve();
    const presented = await shown();
    const { jkt } = new Owner(whole.scene.rig, owner.id, signer);
    expect((await whole.scene.rig.call("admin", `DELETE /v1/owner/keys/${jkt}`)).word).toBe("200");
    expect(await judge(presented, [company.ca])).toBe("owner-accepted: owner_key_unaccepted");
  });

  it.each<readonly [string, Enrolment, string]>([
    ["another owner", { named: "urn:agent-owner:example.org:mallory-01" }, "owner_key_unaccepted"],
    ["no owner", { change: { uris: [] } }, "owner_key_unaccepted"],
    ["another key", { certified: generateSigner() }, "owner_key_unaccepted"],
    ["no owners' usage", { change: { ekus: [] } }, "wrong_purpose"],
    ["another CA", { by: stranger }, "untrusted_chain"],
    ["a life that is over", { change: { validity: [LIFE[0], START] } }, "expired"],
    ["a life that begins later", { change: { validity: [START + 1, LIFE[1]] } }, "not_yet_valid"],
    ["a CA's own rights", { change: { isCa: true } }, "not_end_entity"],
    ["no form", { x5c: ["AAAA"] }, "malformed_certificate"],
    ["no octets", { x5c: [] }, "malformed_request"],
    ["too many above it", { x5c: Array.from({ length: 5 }, () => "AAAA") }, "malformed_request"],
    ["too much above it", { x5c: ["A".repeat(16_388)] }, "too_large"],
  ])("is not enrolled by a certificate with %s", async (_name, of, wanted) => {
    expect(await enrol(of)).toBe(wanted);
    const { id } = owner;
    expect(await whole.scene.rig.world.store.ownerKeys(id)).toHaveLength(1);
  });

  it("speaks for no security key, whose holder could write its flags himself", async () => {
    const { world } = whole.scene.rig;
    const x5c = x5cOf(await company.certify(owner.id, signer.key));
    const key = { owner: owner.id, jwk: signer.key, x5c };
    await checkCertificate(world, key, START);
    const refused = checkCertificate(world, { ...key, app: "ssh:" }, START);
    await expect(refused).rejects.toThrow("key_unsupported");
  });

  it("is not enrolled where the server knows no CA of owners", async () => {
    await whole.end();
    await begin([]);
    expect(await enrol()).toBe("untrusted_chain");
  });

  it("approves nothing more once its certificate is over", async () => {
    expect(await enrol({ change: { validity: [LIFE[0], START + 60] } })).toBe("x509");
    await whole.credential();
    const [ask] = await whole.scene.rig.world.store.asks({ state: "asked" });
    await whole.pass(60);
    const certified = new JwsOwner(whole.scene.rig, owner.id, signer);
    await expect(certified.approve(ask?.id ?? "")).rejects.toThrow("expired");
    expect(await whole.scene.rig.world.store.grants()).toEqual([]);
  });
});
