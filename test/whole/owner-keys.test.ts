import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  fromBase64url,
  LinkRefusal,
  presentedOf,
  readBundle,
  readTrustBundle,
  Refusal,
  verify,
  writeEvidenceHeader,
} from "../../packages/core/src/index.ts";
import type { Json, Presented, Trust, TrustBundle } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { enrolOwner } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { ceremonies, CONSOLE, step } from "./invited.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

/** A relying party that has pinned the first key of the owner only, with the trust bundle that it holds. */
function trustOf(bundle: TrustBundle, { jkt, id }: Owner): Trust {
  const domain = {
    origin: bundle.trustDomain,
    bundle,
    ownerPins: [{ jkt, owner: id }],
    isInside: true,
    insecureAcceptServerEnrolment: false,
    insecureAcceptDevelopment: false,
  };
  return new Map([[domain.origin, domain]]);
}

/** A passkey that was made on the console's page, and signed for at the terminal. */
async function passkeyOf(first: Owner): Promise<Owner> {
  const { rig } = first;
  const invited = { name: "alice", co_signer: first.jkt };
  const { body } = await rig.call("admin", "POST /v1/owner/invitations", { json: invited });
  const code = textOf(body["code"]);
  const { passkey, signed } = await ceremonies(rig, code);
  expect((await step(rig, "key", code, signed)).word).toBe("202");
  const json = { jkt: first.jkt, sig: await first.sign(fromBase64url(signed.statement)) };
  const at = `POST /v1/owner/invitations/${textOf(body["id"])}/co-signature`;
  expect((await rig.call("admin", at, { json })).word).toBe("200");
  passkey.counter = 3;
  return passkey;
}

describe.each<readonly [string, (first: Owner) => Promise<Owner>]>([
  ["an SSH key", (first) => enrolOwner(first.rig, "alice", generateSigner("Ed25519"), [first])],
  ["a passkey made in the console", passkeyOf],
])("a second key of an owner, co-signed by the first: %s", (_name, make) => {
  let whole: Whole;
  let first: Owner;
  let second: Owner;
  let old: TrustBundle;
  beforeEach(async () => {
    whole = await makeWhole({ server: { config: CONSOLE } });
    const { rig, owner } = whole.scene;
    first = owner;
    second = await make(first);
    old = await published();
    await whole.credential();
    const [ask] = await rig.world.store.asks({ state: "asked" });
    await second.approve(ask?.id ?? "");
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
  });
  afterEach(() => whole.end());

  const published = async (previous?: TrustBundle): Promise<TrustBundle> => {
    const { rig } = whole.scene;
    const { body } = await rig.call("public", "GET /bundle");
    return readTrustBundle(JSON.stringify(body), rig.now(), previous);
  };
  const remove = async ({ jkt }: Owner): Promise<void> => {
    const { rig } = whole.scene;
    expect((await rig.call("admin", `DELETE /v1/owner/keys/${jkt}`)).word).toBe("200");
    await whole.heard();
  };
  /** What the agent holds, and the evidence as anybody may fetch it. */
  async function shown(): Promise<Presented> {
    const { body } = await whole.credential();
    const { rig } = whole.scene;
    const [row] = await rig.world.store.credentials();
    const at = `/e/${(row?.cs ?? "").slice("sha-256:".length)}`;
    const approval = (await rig.call("public", `GET ${at}`)).body;
    const credential = (await rig.call("public", `GET ${at}/${row?.jti ?? ""}`)).body;
    return presentedOf(textOf(body["wit"]), undefined, readBundle({ approval, credential }));
  }
  const judge = async (presented: Presented, bundle: TrustBundle): Promise<string> => {
    try {
      const demand = { proof: "logged" } as const;
      const trust = trustOf(bundle, first);
      const verdict = await verify(c, presented, trust, demand, whole.scene.rig.now());
      return verdict.owner?.vouchedBy ?? "nobody";
    } catch (error) {
      if (error instanceof LinkRefusal) return `${error.link}: ${error.code}`;
      throw error;
    }
  };

  it("is accepted by a relying party that pins the first alone", async () => {
    const presented = await shown();
    expect(await judge(presented, old)).toBe("chain");
    const { approval } = presented;
    expect(approval?.enr).toHaveLength(1);
    const { enr: _none, ...bare } = approval ?? expect.fail("no approval");
    const unaccepted = "owner-accepted: owner_key_unaccepted";
    expect(await judge({ ...presented, approval: bare }, old)).toBe(unaccepted);
  });

  it("travels in the header, chain and all", async () => {
    const answer = await whole.call("POST /v1/proof", {
      aud: "https://mail.example.com/",
      evidence: true,
    });
    const evidence = textOf(answer.body["evidence"]);
    const octets = fromBase64url(evidence);
    expect(readBundle(octets).approval?.enr).toHaveLength(1);
    expect(evidence).toBe(writeEvidenceHeader(readBundle(octets)));
  });

  it("stays accepted when the first is removed: rotating is adding, then removing", async () => {
    await remove(first);
    const current = await published(old);
    expect(current.sequence).toBe(old.sequence + 1);
    expect(current.removedOwnerKeys).toEqual([first.jkt]);
    expect((await whole.proof()).word).toBe("200");
    const presented = await shown();
    expect(presented.approval?.enr?.[0]?.logged).toBeDefined();
    expect(await judge(presented, current)).toBe("chain");
    expect(await judge(presented, old)).toBe("chain");
  });

  it("removed, is felt at once by the proxy, and by whoever has a current trust bundle", async () => {
    const presented = await shown();
    await remove(second);
    expect((await whole.proof()).word).toBe("halted");
    const { store } = whole.scene.rig.world;
    expect((await store.grants()).map(({ endedWhy }) => endedWhy)).toEqual(["key removed"]);
    const current = await published(old);
    expect(current.removedOwnerKeys).toEqual([second.jkt]);
    expect(await judge(presented, current)).toBe("owner-accepted: owner_key_unaccepted");
    // what an old bundle cannot know ends with the credential's minutes
    expect(await judge(presented, old)).toBe("chain");
    const back: Json = (await whole.scene.rig.call("public", "GET /bundle")).body;
    const older = JSON.stringify({ ...back, spiffe_sequence: old.sequence });
    const refresh = (): unknown => readTrustBundle(older, whole.scene.rig.now(), current);
    expect(refresh).toThrow(Refusal);
    expect((await whole.credential()).word).toBe("202");
  });
});
