// What a server claims of a passkey that its maker attests, and what a relying party makes of it.
import { afterEach, describe, expect, it } from "vitest";
import { makeMaker } from "../../packages/core/src/attestation/authenticator.testing.ts";
import {
  base64,
  presentedOf,
  readBundle,
  readTrustBundle,
  verify,
} from "../../packages/core/src/index.ts";
import type { Bytes, DomainTrust, Verdict } from "../../packages/core/src/index.ts";
import { nodeCrypto as c } from "../../packages/node/src/index.ts";
import { APP, enrolSecurityKey } from "../../packages/server/src/security-key.testing.ts";
import type { SecurityKey } from "../../packages/server/src/security-key.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { BOUND, enrolPasskey, SYNCED, usualMaker } from "./passkey.ts";
import type { PasskeyOtherwise } from "./passkey.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const { root } = await usualMaker();
const { root: other } = await makeMaker();

let whole: Whole;
afterEach(() => whole.end());

/** An agent that a passkey has approved; the passkey was added with a security key's signature, or on the server's word. */
async function approvedBy(
  serverRoots: readonly Bytes[],
  flags: number,
  otherwise: PasskeyOtherwise & { readonly isCoSigned?: boolean },
): Promise<SecurityKey> {
  whole = await makeWhole({ server: { config: { attestation_roots: serverRoots.map(base64) } } });
  const { rig } = whole.scene;
  const vouching = await enrolSecurityKey(rig);
  vouching.counter += 1;
  const { isCoSigned = true, ...rest } = otherwise;
  const coSigners = isCoSigned ? [vouching] : [];
  const passkey = await enrolPasskey(rig, flags, { ...rest, coSigners });
  expect((await whole.credential()).status).toBe(202);
  const [ask] = await rig.world.store.asks({ state: "asked" });
  await passkey.approve(ask?.id ?? "");
  await whole.heard();
  await whole.until(async () => (await whole.status())["state"] === "held");
  return vouching;
}

async function judged(trust: (own: DomainTrust) => DomainTrust): Promise<Verdict> {
  const { rig } = whole.scene;
  const bundle = readTrustBundle(
    JSON.stringify((await rig.call("public", "GET /bundle")).body),
    rig.now(),
  );
  const domain = trust({
    origin: bundle.trustDomain,
    bundle,
    ownerPins: [],
    isInside: true,
    insecureAcceptServerEnrolment: true,
    insecureAcceptDevelopment: false,
  });
  const held = await whole.credential();
  const [row] = await rig.world.store.credentials();
  const at = `/e/${(row?.cs ?? "").slice("sha-256:".length)}`;
  const approval = (await rig.call("public", `GET ${at}`)).body;
  const credential = (await rig.call("public", `GET ${at}/${row?.jti ?? ""}`)).body;
  const shown = presentedOf(
    textOf(held.body["wit"]),
    undefined,
    readBundle({ approval, credential }),
  );
  return verify(c, shown, new Map([[domain.origin, domain]]), { proof: "logged" }, rig.now());
}

describe("assurance 4 is claimed only of a key that a configured maker attests and another key co-signed", () => {
  it.each<
    readonly [string, readonly Bytes[], number, PasskeyOtherwise & { isCoSigned?: boolean }, number]
  >([
    ["attested and co-signed", [root], BOUND, {}, 4],
    ["no root is configured", [], BOUND, {}, 3],
    ["another maker's root is configured", [other], BOUND, {}, 3],
    ["nobody co-signed", [root], BOUND, { isCoSigned: false }, 3],
    ["the passkey can be copied", [root], SYNCED, {}, 3],
    ["there is no attestation", [root], BOUND, { attestation: "none" }, 3],
    ["the key attests itself", [root], BOUND, { attestation: "self" }, 3],
  ])("%s → $4", async (_name, serverRoots, flags, otherwise, oa) => {
    await approvedBy(serverRoots, flags, otherwise);
    const [grant] = await whole.scene.rig.world.store.grants();
    expect(grant?.assurance).toBe(oa);
    // on the server's word alone it is never more than 3
    expect(await judged((own) => own)).toMatchObject({
      owner: { vouchedBy: "server", oa: 3, assuranceLowered: oa > 3 },
    });
  });

  it("a relying party that knows maker and co-signer computes the same, one that does not lowers it", async () => {
    const vouching = await approvedBy([root], BOUND, {});
    const pin = { jkt: vouching.jkt, app: APP, kind: "person" as const };
    const of = (attested: boolean, roots: readonly Bytes[]): Promise<Verdict> =>
      judged((own) => ({
        ...own,
        ownerPins: [{ ...pin, attested }],
        attestationRoots: roots,
        insecureAcceptServerEnrolment: false,
      }));
    expect(await of(true, [root])).toMatchObject({
      owner: { vouchedBy: "chain", oa: 4, assuranceLowered: false, attestation: "verified" },
    });
    expect(await of(true, [other])).toMatchObject({
      owner: { oa: 3, assuranceLowered: true, attestation: "untrusted" },
    });
    expect(await of(false, [root])).toMatchObject({
      owner: { oa: 3, assuranceLowered: true, attestation: "verified" },
    });
  });
});
