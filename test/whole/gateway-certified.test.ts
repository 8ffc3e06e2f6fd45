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
import type { OwnerCa } from "../../packages/core/src/index.ts";
import { makeCompany, x5cOf } from "../../packages/core/src/verify/owner-ca.testing.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { START, textOf } from "../../packages/server/src/world.testing.ts";
import { gatewayThat, logOf, RULE, signingOf } from "./gateway.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const DAY = 86_400;
const LIFE = [START - DAY, START + 30 * DAY] as const;
const company = await makeCompany(LIFE);
const stranger = await makeCompany(LIFE, "Another Corp");

/** Enrols a policy engine by the company's certificate. @returns its id */
async function enrolCertified({ rig }: Scene, signer = generateSigner()): Promise<string> {
  const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
    json: { name: "engine", kind: "policy", jwk: signer.key },
  });
  const jcs = textOf(offered.body["jcs"]);
  const { owner = {} } = offered.body as { owner?: { id?: string } };
  const x5c = x5cOf(await company.certify(owner.id ?? "", signer.key));
  const sig = { ...(await makeOwnerJws(signer, fromBase64url(jcs))) };
  const added = await rig.call("admin", "POST /v1/owner/keys", {
    json: { statement: jcs, sig, comment: "", x5c },
  });
  expect(added.word).toBe("200");
  return owner.id ?? "";
}

describe("N-8: the organisation's certificate goes with what a gateway signs", () => {
  let whole: Whole;
  const heard = logOf();
  beforeEach(async () => {
    const signer = generateSigner();
    whole = await makeWhole({
      server: { ownerCas: [company.ca] },
      gateway: async (scene) => {
        const id = await enrolCertified(scene, signer);
        await scene.put({ owner: id });
        const signing = signingOf({ id, signer }, [RULE], undefined, "jws");
        return gatewayThat(scene, { owners: ["engine"], signing, log: heard.log });
      },
    });
    await whole.credential();
    await heard.until(whole, "consent.signed");
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
  });
  afterEach(() => whole.end());

  /** What a relying party finds that has no pin, but these CAs for owners. */
  async function judge(cas: readonly OwnerCa[]): Promise<unknown> {
    const { rig } = whole.scene;
    const proof = { aud: "https://mail.example.com/", evidence: true };
    const { body } = await whole.call("POST /v1/proof", proof);
    const bundle = readBundle(fromBase64url(textOf(body["evidence"])));
    const trusted = await rig.call("public", "GET /bundle");
    const trust = readTrustBundle(JSON.stringify(trusted.body), rig.now());
    const domain = {
      origin: trust.trustDomain,
      bundle: trust,
      ownerPins: [],
      ownerCas: cas,
      isInside: true,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const presented = presentedOf(textOf(body["wit"]), undefined, bundle);
    try {
      const all = new Map([[domain.origin, domain]]);
      return await verify(c, presented, all, { proof: "logged" }, rig.now());
    } catch (error) {
      if (error instanceof LinkRefusal) return error.code;
      throw error;
    }
  }

  it("a relying party that trusts the company's CA accepts it without a pin", async () => {
    expect(await judge([company.ca])).toMatchObject({
      proof: "logged",
      owner: { kind: "policy", oa: 1, vouchedBy: "x509" },
    });
  });

  it("one that trusts another, or none, does not", async () => {
    expect(await judge([stranger.ca])).toBe("owner_key_unaccepted");
    expect(await judge([])).toBe("owner_key_unaccepted");
  });
});
