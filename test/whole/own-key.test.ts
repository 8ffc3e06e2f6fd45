import { describe, expect, it } from "vitest";
import {
  parseCertificate,
  pemDecode,
  presentedOf,
  readBundle,
  REQUEST,
  requestCode,
  sameKey,
  seal,
  verify,
} from "../../packages/core/src/index.ts";
import type { JsonObject, RequestClaims, Signer } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { publishedBundle } from "../../packages/server/src/cases/trust.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

const OWN: Between = { entry: { custody: "agent" } };

/** R for terms, as the SDK makes it. */
async function make(terms: JsonObject, by: Signer, note?: string): Promise<string> {
  const now = Number(terms["now"]);
  const claims: RequestClaims = {
    aud: textOf(terms["aud"]),
    nonce: textOf(terms["nonce"]),
    iat: now,
    exp: now + 300,
    sub: textOf(terms["sub"]),
    anchor: textOf(terms["anchor"]),
    ...(note === undefined ? {} : { note }),
  };
  return (await seal(c, REQUEST, claims, by)).octets;
}

interface Asked extends Answered {
  readonly key: Signer;
  readonly request: string;
}

/** Terms, a new key, R, an answer. */
async function ask(whole: Whole, pid?: number, note?: string): Promise<Asked> {
  const terms = await whole.call("POST /v1/nonce", {}, pid);
  if (terms.word !== "200") return { ...terms, key: generateSigner(), request: "" };
  const key = generateSigner();
  const request = await make(terms.body, key, note);
  return { ...(await whole.call("POST /v1/credential", { request }, pid)), key, request };
}

/** A whole whose agent holds its first credential, and the key of it. */
async function held(between: Between = OWN): Promise<{ whole: Whole; first: Asked }> {
  const whole = await makeWhole(between);
  await ask(whole);
  await whole.approve();
  return { whole, first: await ask(whole) };
}

const issued = async ({ scene }: Whole): Promise<number> =>
  (await scene.rig.world.store.credentials()).length;
const halt = async ({ scene }: Whole, scope: string, target: string): Promise<string> =>
  textOf(
    (await scene.rig.call("admin", "POST /v1/halts", { json: { scope, target, reason: "" } })).body[
      "id"
    ],
  );

describe("an agent that holds its key", () => {
  it("asks, waits, and comes again with another R: the approval issues nothing by itself", async () => {
    const whole = await makeWhole(OWN);
    const asked = await ask(whole, undefined, "please");
    expect([asked.word, asked.body["code"]]).toEqual(["202", requestCode(c, asked.request)]);
    const [open] = await whole.scene.rig.world.store.asks();
    expect(open?.request).toBe(asked.request);
    const waiting = whole.call("POST /v1/nonce?wait=300", {});
    await whole.approve();
    const terms = await waiting;
    expect(terms.word).toBe("200");
    expect(await issued(whole)).toBe(0);
    // the stored R is spent: it is the new one that a credential is issued upon
    const again = await whole.call("POST /v1/credential", { request: asked.request });
    expect(again.word).toBe("nonce_unknown");
    const key = generateSigner();
    const request = await make(terms.body, key);
    const { word, body } = await whole.call("POST /v1/credential", { request });
    expect([word, body["single"]]).toEqual(["200", false]);
    expect(await issued(whole)).toBe(1);
    await whole.end();
  });

  it("gets both forms over its own key, which a stranger verifies up to the log", async () => {
    const { whole, first } = await held();
    const { owner, rig } = whole.scene;
    const domain = {
      origin: "spiffe://example.org",
      bundle: await publishedBundle(rig.world),
      ownerPins: [{ jkt: owner.jkt, owner: owner.id }],
      isInside: false,
      insecureAcceptServerEnrolment: false,
      insecureAcceptDevelopment: false,
    };
    const wic = (first.body["wic"] as string[]).flatMap((pem) => pemDecode(pem, "CERTIFICATE", 1));
    const bundle = readBundle(first.body["bundle"] ?? null);
    const presented = presentedOf(textOf(first.body["wit"]), wic, bundle);
    const trust = new Map([[domain.origin, domain]]);
    const verdict = await verify(c, presented, trust, { proof: "logged" }, whole.w.clock());
    expect(verdict).toMatchObject({ proof: "logged", agent: first.body["id"] });
    const [leaf = new Uint8Array()] = wic;
    expect(sameKey(parseCertificate(leaf).key, first.key.key)).toBe(true);
    expect(first.body["id"]).toMatch(new RegExp(`^${ENTRY_ID}/[0-9a-f]{16}$`));
    await whole.end();
  });

  it("the proxy renews nothing by itself and holds nothing to prove with", async () => {
    const { whole } = await held();
    await whole.pass(450);
    expect(await issued(whole)).toBe(1);
    expect((await whole.proof()).word).toBe("custody_mismatch");
    const again = await ask(whole);
    expect(again.word).toBe("200");
    expect(await issued(whole)).toBe(2);
    expect(await whole.status()).toMatchObject({ state: "held", n: 2 });
    await whole.end();
  });

  it("a program that changed is not renewed: the owner is asked", async () => {
    const { whole } = await held();
    whole.door.scripts.set(4711, 9);
    expect((await ask(whole)).word).toBe("202");
    expect(await issued(whole)).toBe(1);
    await whole.end();
  });

  it("a denial ends the waiting with its reason", async () => {
    const whole = await makeWhole(OWN);
    await ask(whole);
    const waiting = whole.call("POST /v1/nonce?wait=300", {});
    const [open] = await whole.scene.rig.world.store.asks({ state: "asked" });
    await whole.scene.owner.deny(open?.id ?? "");
    await whole.heard();
    expect((await waiting).word).toBe("approval_denied");
    await whole.end();
  });

  it("who waits too long is told what to wait for", async () => {
    const whole = await makeWhole(OWN);
    await ask(whole);
    const waiting = whole.call("POST /v1/nonce?wait=10", {});
    await whole.heard();
    whole.timers.advance(10_000);
    expect((await waiting).word).toBe("202");
    await whole.end();
  });

  it.each(["entry", "grant", "domain"])(
    "a stop of the %s answers halted, and says so",
    async (scope) => {
      const { whole, first } = await held();
      const cs = (await whole.scene.rig.world.store.credentials())[0]?.cs ?? "";
      const { agents, door } = whole;
      const events: string[] = [];
      agents.listen(door, ({ event }) => events.push(event));
      const terms = await whole.call("POST /v1/nonce", {});
      const target = { entry: ENTRY_ID, grant: cs, domain: "example.org" }[scope] ?? "";
      await halt(whole, scope, target);
      await whole.heard();
      expect(events).toEqual(["halted"]);
      expect(await whole.status()).toMatchObject({ state: "halted" });
      const request = await make(terms.body, generateSigner());
      expect(["halted", "202"]).toContain(
        (await whole.call("POST /v1/credential", { request })).word, // an ended grant may be asked for anew
      );
      expect(await issued(whole)).toBe(1);
      expect(first.word).toBe("200");
      await whole.end();
    },
  );

  it("a stop of the earlier of two approvals is heard although a later one is held", async () => {
    const grant = (...locations: readonly string[]): JsonObject => {
      const ceiling = [{ type: "http_api", locations, actions: [] }];
      return { custody: "agent", grant: { use: "standing", max_ttl: 900, max_live: 8, ceiling } };
    };
    const { whole } = await held({ entry: grant("https://mail.example.com/") });
    const cs = (await whole.scene.rig.world.store.credentials())[0]?.cs ?? "";
    await whole.scene.put(grant("https://mail.example.com/", "https://news.example.com/"));
    await whole.heard();
    await whole.pass(1); // of two approvals the newest is used
    expect((await ask(whole)).word).toBe("202");
    await whole.approve();
    expect((await ask(whole)).word).toBe("200");
    const events: string[] = [];
    whole.agents.listen(whole.door, ({ event }) => events.push(event));
    await halt(whole, "grant", cs);
    await whole.heard();
    expect(events).toEqual(["halted"]);
    await whole.end();
  });

  it("a proxy started anew says of a stopped entry that it is", async () => {
    const whole = await makeWhole(OWN);
    await halt(whole, "entry", ENTRY_ID);
    await whole.heard();
    expect(await whole.status()).toMatchObject({ state: "halted" });
    expect((await whole.call("POST /v1/nonce", {})).word).toBe("halted");
    await whole.end();
  });

  it("an approval for one credential says so: it is not to be renewed", async () => {
    const grant = { use: "single", max_ttl: 900, max_live: 1, ceiling: [] };
    const { whole, first } = await held({ entry: { custody: "agent", grant } });
    expect([first.word, first.body["single"]]).toEqual(["200", true]);
    await whole.end();
  });

  it("a lost server is said, and the next R is good", async () => {
    const { whole } = await held();
    whole.wire.cut();
    expect((await whole.call("POST /v1/nonce", {})).word).toBe("unreachable");
    whole.wire.mend();
    expect((await ask(whole)).word).toBe("200");
    await whole.end();
  });

  it("the server refuses evidence that differs from the entry", async () => {
    const liar = await makeWhole({
      ...OWN,
      // a proxy that keeps the key although the registration leaves it to the agent
      state: (state) => ({
        ...state,
        entries: state.entries.map(({ custody: _custody, ...entry }) => entry),
      }),
    });
    expect((await liar.credential()).word).toBe("custody_mismatch");
    await liar.end();
    const other = await makeWhole({
      state: (state) => ({
        ...state,
        entries: state.entries.map((entry) => ({ ...entry, custody: "agent" as const })),
      }),
    });
    expect((await ask(other)).word).toBe("custody_mismatch");
    await other.end();
  });

  it("a key that leaves the agent's hands by registration is renewed by nobody", async () => {
    const whole = await makeWhole();
    await whole.credential();
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    await whole.scene.put({ custody: "agent" });
    await whole.heard();
    expect((await whole.proof()).word).toBe("custody_mismatch");
    await whole.pass(450);
    expect(await issued(whole)).toBe(1);
    await whole.end();
  });
});
