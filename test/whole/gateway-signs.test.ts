import { describe, expect, it } from "vitest";
import {
  fromBase64url,
  fromUtf8,
  parseJson,
  readOwnerConsent,
  readStatement,
  Refusal,
  thumbprint,
  utf8,
  writeOwnerConsent,
} from "../../packages/core/src/index.ts";
import type {
  Json,
  JsonObject,
  OwnerKind,
  PostedOwnerConsent,
  Signer,
} from "../../packages/core/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import type { Outgoing, Target } from "../../packages/node/src/index.ts";
import {
  bringThrough,
  mediatedScene,
  through,
} from "../../packages/server/src/cases/mediate.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { d, enrolOwner } from "../../packages/server/src/people.testing.ts";
import { DOMAIN, textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { gatewayThat, logOf, RULE, signingOf } from "./gateway.ts";
import type { GatewayParts, Heard } from "./gateway.ts";
import { makeWhole } from "./whole.ts";
import type { Whole } from "./whole.ts";

const claimsOf = (issued: Answered): Json =>
  parseJson(fromBase64url(textOf(issued.body["wit"]).split(".")[1] ?? ""), {
    maxBytes: 8192,
    maxDepth: 6,
  });

interface Site {
  readonly whole: Whole;
  readonly heard: Heard;
  /** What the gateway has sent to the server. */
  readonly sent: Outgoing[];
  readonly timers: ManualTimers;
  /** The owner's. */
  readonly key: Signer;
}

/** A proxy behind a gateway that signs for a policy engine, by this rule. */
async function site(
  rule: JsonObject = RULE,
  change: {
    readonly kind?: OwnerKind;
    readonly issuer?: string;
    readonly toServer?: GatewayParts["toServer"];
  } = {},
): Promise<Site> {
  const key = generateSigner("Ed25519");
  const heard = logOf();
  const timers = new ManualTimers();
  const sent: Outgoing[] = [];
  const { toServer = (plain: Target) => plain, kind = "policy" } = change;
  const whole = await makeWhole({
    gateway: async (scene: Scene) => {
      const owner = await enrolOwner(scene.rig, "engine", key, [], kind);
      await scene.put({ owner: owner.id });
      return gatewayThat(scene, {
        owners: ["engine"],
        signing: signingOf(owner, [rule], change.issuer),
        log: heard.log,
        timers,
        toServer: (plain) => {
          const server = toServer(plain);
          const send: Target["send"] = (request) => {
            sent.push(request);
            return server.send(request);
          };
          return { ...server, send };
        },
      });
    },
  });
  return { whole, heard, sent, timers, key };
}

/** The composite that a gateway has sent. */
function compositeOf({ sent }: Pick<Site, "sent">): PostedOwnerConsent {
  const text = fromUtf8(sent.find(({ path }) => path === "/v1/owner-consents")?.body ?? utf8(""));
  return readOwnerConsent(parseJson(text, { maxBytes: 65_536, maxDepth: 8 }));
}

describe("the owner's gateway signs (agent-identity 2.6)", () => {
  it("N-8: what its rules allow, without anybody, and the credential says so", async () => {
    const { whole, heard } = await site();
    expect((await whole.credential()).word).toBe("202");
    await heard.until(whole, "consent.signed");
    await whole.heard();
    const issued = await whole.credential();
    expect(issued.word).toBe("200");
    expect(claimsOf(issued)).toMatchObject({
      countersign_owner: { model: "owner", kind: "policy", oa: 1, n: 1 },
    });
    await whole.pass(450); // and it renews itself, without another signature
    await whole.until(async () => (await whole.scene.rig.world.store.credentials()).length === 2);
    expect(heard.count("consent.signed")).toBe(1);
    await whole.end();
  });

  it("what its rules do not allow is left to a person, with the reason", async () => {
    const { whole, heard } = await site({
      ...RULE,
      measurements: { binary: [d(1)], script: [d(9)] },
    });
    await whole.credential();
    await heard.until(whole, "consent.left_to_a_person");
    expect(JSON.stringify(heard.last("consent.left_to_a_person"))).toContain(
      "measurement_unlisted",
    );
    expect(await whole.scene.rig.world.store.asks({ state: "asked" })).toHaveLength(1);
    expect(await whole.scene.rig.world.store.grants()).toEqual([]);
    await whole.end();
  });

  it("the rate is a bound for all of them, and the program that changed asks again", async () => {
    const { whole, heard } = await site({
      ...RULE,
      measurements: { binary: [d(1)], script: [d(2), d(3), d(4)] },
      rate: { count: 2, window_seconds: 600 },
    });
    for (const script of [2, 3, 4]) {
      whole.door.scripts.set(4711 + script, script);
      await whole.credential(4711 + script);
      const event = script === 4 ? "consent.left_to_a_person" : "consent.signed";
      await heard.until(whole, event, script === 3 ? 2 : 1);
      await whole.heard();
    }
    expect(JSON.stringify(heard.last("consent.left_to_a_person"))).toContain("rate_reached");
    await whole.end();
  });

  it("what the agent says is not in the statement, whatever it says", async () => {
    const { whole, heard, sent } = await site();
    await whole.credential(undefined, "the owner said: sign everything");
    await heard.until(whole, "consent.signed");
    const { statement } = compositeOf({ sent });
    expect(fromUtf8(statement)).not.toContain("sign everything");
    await whole.end();
  });

  it("I-34: a person's key at a gateway makes no grant; the person is still asked", async () => {
    const { whole, heard } = await site(RULE, { kind: "person" });
    await whole.credential();
    await heard.until(whole, "consent.not_signed");
    expect(heard.last("consent.not_signed")).toMatchObject({ code: "approval_unsuitable" });
    expect(await whole.scene.rig.world.store.asks({ state: "asked" })).toHaveLength(1);
    await whole.end();
  });

  it("I-34: collapsed into the proxy, with a key that attests: never signs", async () => {
    const heard = logOf();
    const whole = await makeWhole({
      gateway: async (scene: Scene) => {
        // as if the gateway had been given the proxy's own key for its owner's
        const owner = { id: scene.owner.id, signer: scene.host.signer };
        const signing = signingOf(owner, [RULE]);
        return gatewayThat(scene, { owners: ["alice"], signing, log: heard.log });
      },
    });
    await whole.credential();
    await heard.until(whole, "consent.not_signed");
    expect(heard.last("consent.not_signed")).toMatchObject({ code: "key_reused" });
    await whole.end();
  });

  it("an owner's key that is known as a proxy's is not enrolled, nor the other way round", async () => {
    const { whole } = await site();
    const { rig, host } = whole.scene;
    await expect(enrolOwner(rig, "self", host.signer, [], "policy")).rejects.toThrow("key_reused");
    expect((await rig.world.store.keyOwner(thumbprint(c, host.signer.key)))?.kind).toBe("proxy");
    await whole.end();
  });

  it("an answer of the server that is lost is asked for again, and one grant is made", async () => {
    let lost = 0;
    const { whole, heard, timers } = await site(RULE, {
      toServer: (plain) => ({
        ...plain,
        send: async (request) => {
          const answer = await plain.send(request);
          if (request.path !== "/v1/owner-consents" || lost > 0) return answer;
          lost += 1;
          throw new Refusal("unreachable", "the connection broke");
        },
      }),
    });
    await whole.credential();
    await whole.until(() => {
      timers.advance(5000);
      return heard.count("consent.signed") === 1;
    });
    expect(lost).toBe(1);
    expect(await whole.scene.rig.world.store.grants()).toHaveLength(1);
    await whole.heard();
    expect((await whole.credential()).word).toBe("200");
    await whole.end();
  });
});

describe("I-28: one owner's key in two trust domains", () => {
  it("a statement for X is no use in Y", async () => {
    const x = await site();
    await x.whole.credential();
    await x.heard.until(x.whole, "consent.signed");
    const { statement, sig, request } = compositeOf(x);
    expect(readStatement(c, statement).body).toMatchObject({
      td: DOMAIN,
      aud: `https://id.${DOMAIN}`,
    });

    // a gateway that was taken over brings it to another server, alone and under a question that was asked there
    const y = await mediatedScene({ config: { issuer: "https://id.elsewhere.org" } });
    const nonce = textOf((await through(y, y.host, "POST /v1/nonce", {})).body["nonce"]);
    const posted = await y.host.make({
      nonce,
      request: { aud: "https://id.elsewhere.org" },
      endorsement: { aud: "https://id.elsewhere.org" },
      evidence: { aud: "https://id.elsewhere.org" },
    });
    expect((await through(y, y.host, "POST /v1/credential-requests", posted)).word).toBe("202");
    const bring = async (r: string): Promise<string> =>
      (await bringThrough(y, { json: writeOwnerConsent({ request: r, statement, sig }) })).word;
    expect(await bring(request)).toBe("key_not_enrolled");
    const owner = await enrolOwner(y.rig, "same-key", x.key, [], "policy");
    await y.put({ owner: owner.id });
    expect(await bring(request)).toBe("not_found");
    expect(await bring(posted.request)).toBe("approval_unsuitable");
    expect(await y.rig.world.store.grants()).toEqual([]);
    await x.whole.end();
    await y.rig.close();
  });

  it("rules for X sign nothing that is for Y", async () => {
    const { whole, heard } = await site(RULE, { issuer: "https://id.elsewhere.org" });
    await whole.credential();
    await heard.until(whole, "consent.left_to_a_person");
    expect(JSON.stringify(heard.last("consent.left_to_a_person"))).toContain("another server");
    await whole.end();
  });
});
