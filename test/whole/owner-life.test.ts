// The life of an owner's keys, seen by a relying party that refreshes its trust bundle through the SDK.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fromBase64url, LinkRefusal } from "../../packages/core/src/index.ts";
import type {
  HeaderLines,
  JsonObject,
  OwnerKind,
  OwnerPin,
  Trust,
} from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { relyingParty } from "../../packages/sdk/src/verify/index.ts";
import type { RelyingParty } from "../../packages/sdk/src/verify/index.ts";
import { publishedBundle } from "../../packages/server/src/cases/trust.ts";
import { enrolOwner, Owner } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const SERVICE = "https://mail.example.com/drafts";

describe("an owner's key, for a service with the SDK", () => {
  let whole: Whole;
  beforeEach(async () => {
    whole = await makeWhole();
  });
  afterEach(() => whole.end());

  /** A service with these pins, and the trust bundle as it is now. */
  async function service(
    ownerPins: readonly OwnerPin[],
    kinds?: readonly OwnerKind[],
  ): Promise<RelyingParty> {
    const { world } = whole.scene.rig;
    const bundle = await publishedBundle(world);
    const domain = {
      origin: bundle.trustDomain,
      bundle,
      ownerPins,
      isInside: true,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const trust: Trust = new Map([[domain.origin, domain]]);
    return relyingParty({
      trust,
      resources: ["https://mail.example.com"],
      clock: whole.scene.rig.now,
      ...(kinds === undefined ? {} : { demand: { kinds } }),
    });
  }
  /** The agent asks, and this owner's key approves; it then holds a credential of it. */
  async function approved(by: Owner): Promise<void> {
    await whole.credential();
    const [ask] = await whole.scene.rig.world.store.asks({ state: "asked" });
    await by.approve(ask?.id ?? "");
    await whole.heard();
    await whole.until(async () => (await whole.status())["state"] === "held");
  }
  /** What the agent sends with one call. */
  async function call(): Promise<HeaderLines> {
    const { body } = await whole.call("POST /v1/proof", { aud: SERVICE, evidence: true });
    return [
      ["workload-identity-token", textOf(body["wit"])],
      ["authorization", `WPT ${textOf(body["wpt"])}`],
      ["agent-owner-evidence", textOf(body["evidence"])],
    ];
  }
  async function judge(party: RelyingParty, headers: HeaderLines): Promise<string> {
    try {
      const caller = await party.verifyRequest({ path: "/drafts", headers });
      return caller.owner?.vouchedBy ?? "nobody";
    } catch (error) {
      if (error instanceof LinkRefusal) return error.code;
      throw error;
    }
  }
  const refresh = async (party: RelyingParty): Promise<void> =>
    party.refreshTrust((await whole.scene.rig.call("public", "GET /bundle")).text);
  const code = async (): Promise<string> => {
    const { body } = await whole.scene.rig.call("admin", "POST /v1/owner/stop-codes", {
      json: { owner: "alice" },
    });
    return (body["codes"] as readonly string[])[0] ?? ""; // as the server says it
  };

  it.each<readonly [string, (jkt: string) => Promise<string>]>([
    [
      "an administrator",
      async (jkt) => (await whole.scene.rig.call("admin", `DELETE /v1/owner/keys/${jkt}`)).word,
    ],
    [
      "a printed code",
      async (jkt) => {
        const json = { code: await code(), do: "remove_key", jkt };
        return (await whole.scene.rig.call("public", "POST /v1/stop-codes/use", { json })).word;
      },
    ],
  ])("taken away by %s is refused from the next refresh on", async (_who, remove) => {
    const { owner } = whole.scene;
    await approved(owner);
    const party = await service([{ jkt: owner.jkt, owner: owner.id }]);
    expect(await judge(party, await call())).toBe("pin");
    const [late, later] = [await call(), await call()];
    expect(await remove(owner.jkt)).toBe("200");
    await whole.heard();
    // its minutes are not over for a service that has not heard; the proxy gives nothing more
    expect((await whole.proof(SERVICE)).word).toBe("halted");
    expect(await judge(party, late)).toBe("pin");
    await refresh(party);
    expect(await judge(party, later)).toBe("owner_key_unaccepted");
  });

  it.each<readonly [OwnerKind, string]>([
    ["person", "pin"],
    ["device", "assurance_insufficient"],
    ["policy", "assurance_insufficient"],
  ])("of a %s issues, and a service that takes persons only says %s", async (kind, word) => {
    const other = await enrolOwner(whole.scene.rig, "other", generateSigner(), [], kind);
    expect(await whole.scene.put({ owner: other.id })).toBe("200");
    await whole.heard();
    await approved(other);
    const pin: OwnerPin = { jkt: other.jkt, owner: other.id, kind };
    expect(await judge(await service([pin]), await call())).toBe("pin");
    expect(await judge(await service([pin], ["person"]), await call())).toBe(word);
    expect(await judge(await service([pin], [kind]), await call())).toBe("pin");
  });

  it("that came by two other persons is accepted where one of them enrols, and the lost one no more", async () => {
    const { rig, owner } = whole.scene;
    const bob = await enrolOwner(rig, "bob");
    const carol = await enrolOwner(rig, "carol");
    await approved(owner);
    const old = await call();
    const fresh = new Owner(rig, owner.id, generateSigner("Ed25519"));
    const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
      json: { name: "alice", kind: "person", jwk: fresh.signer.key },
    });
    const bytes = fromBase64url(textOf(offered.body["jcs"]));
    const co = [bob, carol].map(async (one) => ({ jkt: one.jkt, sig: await one.sign(bytes) }));
    const json: JsonObject = {
      statement: offered.body["jcs"] ?? "",
      sig: await fresh.sign(bytes),
      comment: "",
      co_signatures: await Promise.all(co),
    };
    const lost: OwnerPin = { jkt: owner.jkt, owner: owner.id, kind: "person" };
    const party = await service([lost]);
    expect((await rig.call("admin", "POST /v1/owner/recoveries", { json })).word).toBe("200");
    await whole.heard();
    await refresh(party);
    expect(await judge(party, old)).toBe("owner_key_unaccepted");
    await approved(fresh);
    const enrols: OwnerPin = { jkt: carol.jkt, owner: carol.id, kind: "person", enrols: true };
    const { enrols: _no, ...silent } = enrols;
    expect(await judge(await service([lost, silent]), await call())).toBe("owner_key_unaccepted");
    expect(await judge(await service([lost, enrols]), await call())).toBe("chain");
    expect(await judge(await service([{ jkt: fresh.jkt }]), await call())).toBe("pin");
    // carol's own key is taken away later: what she vouched for before is in the log
    await rig.call("admin", `DELETE /v1/owner/keys/${carol.jkt}`);
    await whole.heard();
    const wit = async (): Promise<string> => textOf((await whole.credential()).body["wit"]);
    const before = await wit();
    await whole.pass(450); // the next credential brings that proof along
    await whole.until(async () => (await wit()) !== before);
    expect(await judge(await service([lost, enrols]), await call())).toBe("chain");
  });
});
