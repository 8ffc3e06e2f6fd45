import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  fromBase64url,
  fromUtf8,
  LinkRefusal,
  parseCertificate,
  pemDecode,
  presentedOf,
  readBundle,
  readStatement,
  readTrustBundle,
  verify,
} from "../../packages/core/src/index.ts";
import type {
  Bundle,
  Bytes,
  ConsentPages,
  CredentialStatement,
  JsonObject,
  OwnerPin,
  Refusal,
  StandingApproval,
  Trust,
  Verdict,
} from "../../packages/core/src/index.ts";
import { FLAG } from "../../packages/core/src/consent/authenticator.testing.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import { checkApproval } from "../../packages/proxy/src/agents/approval.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { BOUND, enrolPasskey, PAGES, SYNCED, usualMaker } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";
import { signBeforehand } from "./presign.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const ISSUER = "https://id.example.org";
let whole: Whole;
beforeEach(async () => (whole = await makeWhole()));
afterEach(() => whole.end());

/** Where the evidence comes from that is shown to a relying party, and whether it sees the certificate too. */
interface Shown {
  readonly from: "fetch" | "header";
  readonly withCertificate: boolean;
}

/** The evidence of this very credential: it may be renewed at any moment. */
async function bundleFrom(from: Shown["from"], wit: string): Promise<Bundle> {
  if (from === "header") {
    const wanted = { aud: "https://mail.example.com/", evidence: true };
    const { body } = await whole.call("POST /v1/proof", wanted);
    return readBundle(fromBase64url(textOf(body["evidence"])));
  }
  const { rig } = whole.scene;
  const [, claims = ""] = wit.split(".");
  const { jti } = JSON.parse(fromUtf8(fromBase64url(claims))) as JsonObject;
  const row = await rig.world.store.credentialByJti(textOf(jti));
  const at = `/e/${(row?.cs ?? "").slice("sha-256:".length)}`;
  const approval = (await rig.call("public", `GET ${at}`)).body;
  const credential = (await rig.call("public", `GET ${at}/${row?.jti ?? ""}`)).body;
  return readBundle({ approval, credential });
}

/** What a relying party finds that has pinned this key. */
async function judged(
  pin: OwnerPin,
  roots: readonly Bytes[] = [],
  { from, withCertificate }: Shown = { from: "fetch", withCertificate: false },
): Promise<Verdict | string> {
  const { rig } = whole.scene;
  const { body } = await rig.call("public", "GET /bundle");
  const bundle = readTrustBundle(JSON.stringify(body), rig.now());
  const domain = {
    origin: bundle.trustDomain,
    bundle,
    ownerPins: [pin],
    attestationRoots: roots,
    isInside: true,
    insecureAcceptServerEnrolment: false,
    insecureAcceptDevelopment: false,
  };
  const trust: Trust = new Map([[domain.origin, domain]]);
  const held = await whole.credential();
  expect(held.status).toBe(200);
  const wic = (held.body["wic"] as readonly string[]).map((pem) =>
    pemDecode(pem, "CERTIFICATE", 1),
  );
  const chain = withCertificate ? wic.flat() : undefined;
  const wit = textOf(held.body["wit"]);
  const shown = presentedOf(wit, chain, await bundleFrom(from, wit));
  try {
    return await verify(c, shown, trust, { proof: "logged" }, rig.now());
  } catch (error) {
    if (error instanceof LinkRefusal) return `${error.link}: ${error.code}`;
    throw error;
  }
}

function readApproval({ approval }: StandingApproval): CredentialStatement {
  const { body } = readStatement(c, approval.st);
  return body.kind === "credential" ? body : expect.fail("of another kind");
}

async function asked(script = 2): Promise<string> {
  const pid = 4711 + script - 2;
  whole.door.scripts.set(pid, script);
  expect((await whole.credential(pid)).status).toBe(202);
  return (await whole.scene.rig.world.store.asks({ state: "asked" }))[0]?.id ?? "";
}

describe.each([
  ["that stays on its device", BOUND],
  ["that is synced", SYNCED],
])("an agent that was approved with a passkey %s", (_kind, flags) => {
  let passkey: Passkey;
  beforeEach(async () => {
    passkey = await enrolPasskey(whole.scene.rig, flags);
    await passkey.approve(await asked());
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
  });

  it("is issued, and a relying party that pins the passkey accepts owner and assurance", async () => {
    const verdict = await judged({ jkt: passkey.jkt, app: PAGES.rpId, owner: passkey.id });
    expect(verdict).toMatchObject({
      proof: "logged",
      owner: { id: passkey.id, oa: 3, vouchedBy: "pin", assuranceLowered: false },
    });
    expect((await whole.proof()).word).toBe("200");
  });

  it("is refused where the passkey is pinned as a software key, or as one of another page", async () => {
    const unaccepted = "owner-accepted: owner_key_unaccepted";
    expect(await judged({ jkt: passkey.jkt })).toBe(unaccepted);
    expect(await judged({ jkt: passkey.jkt, app: "consent.example.com" })).toBe(unaccepted);
  });

  it("stands for days, as what a security key approves", async () => {
    const [grant] = await whole.scene.rig.world.store.grants();
    expect((grant?.exp ?? 0) - (grant?.nbf ?? 0)).toBe(7 * 86_400);
    expect(grant?.key).toMatchObject({ app: PAGES.rpId });
  });

  it("goes on when the passkey is suspended; nothing more is opened or approved with it", async () => {
    const first = await asked(3);
    const bytes = await passkey.open(first);
    passkey.counter = 3; // as before: somebody signs with a copy
    expect((await passkey.decide(first, bytes)).word).toBe("counter_regressed");
    passkey.counter = 4;
    expect((await passkey.decide(first, bytes)).word).toBe("key_suspended");
    await expect(passkey.open(first)).rejects.toThrow(/^key_suspended$/);
    expect((await whole.proof()).word).toBe("200");
    const { owners } = (await whole.scene.rig.call("admin", "GET /v1/owners")).body;
    expect(JSON.stringify(owners)).toContain("suspended_at");
    const { word } = await whole.scene.rig.call(
      "admin",
      `POST /v1/owner/keys/${passkey.jkt}/resume`,
    );
    expect(word).toBe("200");
    await passkey.approve(first);
  });
});

describe("an approval by a passkey", () => {
  type Row = readonly [string, (passkey: Passkey) => void, string];
  it.each<Row>([
    ["as its authenticator makes it", () => undefined, "200"],
    ["whose authenticator does not count", (p) => (p.counter = 0), "counter_regressed"],
    ["that became one that may be copied", (p) => (p.flags |= FLAG.BE), "signature_invalid"],
    ["without PIN or finger", (p) => (p.flags = FLAG.UP), "user_not_verified"],
    ["without touch", (p) => (p.flags = FLAG.UV), "user_not_present"],
    [
      "at another origin",
      (p) => (p.otherwise = { client: { origin: "https://evil.test" } }),
      "origin_mismatch",
    ],
    ["for another RP ID", (p) => (p.otherwise = { rpId: "example.org" }), "origin_mismatch"],
    [
      "over another statement",
      (p) => (p.otherwise = { client: { challenge: "A".repeat(43) } }),
      "challenge_mismatch",
    ],
  ])("%s → $2", async (_name, change, word) => {
    const passkey = await enrolPasskey(whole.scene.rig);
    const id = await asked();
    const bytes = await passkey.open(id);
    change(passkey);
    expect((await passkey.decide(id, bytes)).word).toBe(word);
  });

  it("that is synced may have been copied meanwhile, and may not count at all", async () => {
    const rig = whole.scene.rig;
    const passkey = await enrolPasskey(rig, SYNCED & ~FLAG.BS);
    passkey.flags = SYNCED;
    await passkey.approve(await asked());
  });

  it("is not endorsed by a proxy that has heard of other pages, or of none", async () => {
    const { w, scene } = whole;
    const passkey = await enrolPasskey(scene.rig);
    await passkey.approve(await asked());
    await whole.heard();
    await whole.until(() => (w.server().state?.approvals.length ?? 0) > 0);
    const [standing] = w.server().state?.approvals ?? [];
    const entry = w.server().state?.entries[0];
    if (standing === undefined || entry === undefined) return expect.fail("no approval");
    const judge = async (pages: ConsentPages | undefined): Promise<string> => {
      const other = { ...w, server: () => ({ ...w.server(), pages }) };
      const { agent } = readApproval(standing);
      const of = { entry, anchor: agent.jkt, measurements: agent.meas, issuer: ISSUER };
      return checkApproval(other, standing, { ...of, trustDomain: "example.org" }).then(
        () => "endorsed",
        (error: Refusal) => error.code,
      );
    };
    expect(await judge(PAGES)).toBe("endorsed");
    expect(await judge({ ...PAGES, origins: ["https://consent.example.org:1"] })).toBe(
      "origin_mismatch",
    );
    expect(await judge({ ...PAGES, rpId: "example.org" })).toBe("signature_invalid");
    expect(await judge(undefined)).toBe("origin_mismatch");
  });

  it("signed beforehand is kept by the proxy and taken by the server", async () => {
    const passkey = await enrolPasskey(whole.scene.rig);
    await asked();
    const material = await whole.presigned.material({ agent: "mailer" });
    const made = await signBeforehand(whole, material, (body) => ({
      owner: { ...body.owner, jkt: passkey.jkt },
    }));
    const sig = (await passkey.sign(made.statement)) as JsonObject & { k: "webauthn" };
    const key = { jwk: passkey.signer.key, app: PAGES.rpId };
    const signed = { statement: made.statement, key, sig: sig as never }; // as the authenticator wrote it
    passkey.otherwise = { client: { origin: "https://evil.test" } };
    const elsewhere = (await passkey.sign(made.statement)) as never;
    await expect(whole.presigned.keep({ ...signed, sig: elsewhere })).rejects.toMatchObject({
      code: "origin_mismatch",
    });
    await whole.presigned.keep(signed);
    await whole.until(async () => (await whole.presigned.list())[0]?.state === "accepted");
    await whole.heard();
    expect((await whole.credential()).status).toBe(200);
  });

  it("is vouched for by the key that co-signed its enrolment, and its attestation goes with it", async () => {
    const { owner, rig } = whole.scene;
    const passkey = await enrolPasskey(rig, BOUND, { coSigners: [owner] });
    await passkey.approve(await asked());
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
    const { root } = await usualMaker();
    const finding = async (roots: readonly Bytes[], shown?: Shown): Promise<unknown> => {
      const verdict = await judged({ jkt: owner.jkt, owner: owner.id }, roots, shown);
      if (typeof verdict === "string") return verdict;
      expect(verdict.owner).toMatchObject({ id: owner.id, vouchedBy: "chain", oa: 2 });
      return verdict.owner?.attestation;
    };
    expect(await finding([])).toBe("untrusted");
    expect(await finding([root])).toBe("verified");
    // neither header nor certificate has room for it beside a chain
    expect(await finding([root], { from: "header", withCertificate: false })).toBe("none");
    await whole.scene.put({ x509_evidence: "approval" });
    await whole.heard();
    await whole.pass(600); // it renews, with the approval in the certificate
    await whole.until(async () => {
      const [leaf = ""] = (await whole.credential()).body["wic"] as readonly string[];
      const [der = new Uint8Array()] = pemDecode(leaf, "CERTIFICATE", 1);
      return parseCertificate(der).ownerBinding?.evidence !== undefined;
    });
    expect(await finding([root], { from: "fetch", withCertificate: true })).toBe("verified");
    expect(await finding([root], { from: "header", withCertificate: true })).toBe("none");
  });
});
