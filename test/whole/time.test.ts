import { describe, expect, it } from "vitest";
import type { DomainTrust, JsonObject } from "../../packages/core/src/index.ts";
import { silentLog } from "../../packages/node/src/index.ts";
import type { Log } from "../../packages/node/src/index.ts";
import { LinkRefusal, relyingParty } from "../../packages/sdk/src/verify/index.ts";
import type { RelyingPartyOptions } from "../../packages/sdk/src/verify/index.ts";
import { publishedBundle } from "../../packages/server/src/cases/trust.ts";
import { makeScene } from "../../packages/server/src/cases/scene.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";
import type { Between, Whole } from "./whole.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;
const AUDIENCE = "https://mail.example.com/";

/** A whole whose agent holds its first credential. */
async function held(between: Between = {}): Promise<Whole> {
  const whole = await makeWhole(between);
  await whole.credential();
  await whole.approve();
  await whole.until(async () => (await whole.status())["state"] === "held");
  return whole;
}

const issued = async ({ scene }: Whole): Promise<number> =>
  (await scene.rig.world.store.credentials()).length;
const asks = async ({ scene }: Whole): Promise<number> =>
  (await scene.rig.world.store.asks()).length;

/** A log whose warnings are kept. */
function listening(): { readonly log: Log; readonly warned: () => number } {
  const skews: unknown[] = [];
  const warn: Log["warn"] = (event, fields) => {
    if (event === "clock.skewed") skews.push(fields);
  };
  return { log: { ...silentLog, warn }, warned: () => skews.length };
}

async function trustOf({ scene }: Whole): Promise<ReadonlyMap<string, DomainTrust>> {
  const origin = "spiffe://example.org";
  const { owner, rig } = scene;
  return new Map([
    [
      origin,
      {
        origin,
        bundle: await publishedBundle(rig.world),
        ownerPins: [{ jkt: owner.jkt, owner: owner.id }],
        isInside: false,
        insecureAcceptServerEnrolment: false,
        insecureAcceptDevelopment: false,
      },
    ],
  ]);
}

/** What a service whose clock is off by this makes of a request sent now. */
async function served(
  whole: Whole,
  skewSeconds: number,
  allowed: Pick<RelyingPartyOptions, "credentialSkewSeconds" | "proofSkewSeconds"> = {},
): Promise<string> {
  const { body } = await whole.call("POST /v1/proof", { aud: AUDIENCE, evidence: true });
  const now = whole.scene.rig.now() + skewSeconds;
  const party = relyingParty({
    trust: await trustOf(whole),
    resources: [AUDIENCE],
    clock: () => now,
    ...allowed,
  });
  const headers: [string, string][] = [
    ["workload-identity-token", textOf(body["wit"])],
    ["authorization", `WPT ${textOf(body["wpt"])}`],
    ["agent-owner-evidence", textOf(body["evidence"])],
  ];
  try {
    return (await party.verifyRequest({ path: "/", headers })).proof;
  } catch (error) {
    if (error instanceof LinkRefusal) return `${error.link} ${error.code}`;
    throw error;
  }
}

describe("T9: the clock of the proxy's host is off", () => {
  it.each<readonly [number, string, "silent" | "warned"]>([
    [0, "202", "silent"],
    [120, "202", "silent"],
    [-120, "202", "silent"],
    [121, "202", "warned"],
    [-121, "202", "warned"],
    [600, "202", "warned"],
    [-600, "202", "warned"],
    [601, "clock_skewed", "silent"],
    [-601, "clock_skewed", "silent"],
    [HOUR, "clock_skewed", "silent"],
    [-HOUR, "clock_skewed", "silent"],
  ])("by %i s → %s, %s", async (skewSeconds, word, said) => {
    const { log, warned } = listening();
    const whole = await makeWhole({ host: { skewSeconds }, log });
    expect((await whole.credential()).word).toBe(word);
    expect(warned() > 0).toBe(said === "warned");
    expect(await issued(whole)).toBe(0);
    await whole.end();
  });

  it.each([600, -600])("by %i s: what it makes is of the server's time", async (skewSeconds) => {
    const whole = await held({ host: { skewSeconds } });
    expect(await served(whole, 0)).toBe("verified");
    await whole.end();
  });
});

describe("T9: the server's clock is off", () => {
  it.each([HOUR, -HOUR])("by %i s: no proxy takes a credential of it", async (seconds) => {
    const host = { skewSeconds: 0 };
    const whole = await makeWhole({ host });
    whole.scene.rig.advance(seconds);
    host.skewSeconds = -seconds;
    expect((await whole.credential()).word).toBe("clock_skewed");
    expect(await issued(whole)).toBe(0);
    await whole.end();
  });
});

describe("T9: the clock of a relying party is off", () => {
  const NOT_YET = "wit not_yet_valid";
  const LATE = "proof expired";
  it.each<readonly [number, string]>([
    [0, "verified"],
    [39, "verified"], // proofs live 30 s, and 10 s are allowed
    [40, LATE],
    [60, LATE],
    [120, LATE],
    [959, LATE],
    [960, "wit expired"],
    [HOUR, "wit expired"],
    [-60, "verified"],
    [-90, "verified"], // nbf stands 30 s before
    [-91, NOT_YET],
    [-120, NOT_YET],
    [-HOUR, "wit lifetime_too_long"],
  ])("by %i s → %s", async (skewSeconds, wanted) => {
    const whole = await held();
    expect(await served(whole, skewSeconds)).toBe(wanted);
    await whole.end();
  });

  it.each<readonly [number, string]>([
    [149, "verified"],
    [150, LATE],
    [-150, "verified"],
    [-151, NOT_YET],
  ])("that allows 120 s, by %i s → %s", async (skewSeconds, wanted) => {
    const whole = await held();
    const allowed = { credentialSkewSeconds: 120, proofSkewSeconds: 120 };
    expect(await served(whole, skewSeconds, allowed)).toBe(wanted);
    await whole.end();
  });
});

describe("T9: the server's clock is set back while it runs", () => {
  it("issues and enrols nothing while behind its newest leaf by more than 60 s, and begins again by itself", async () => {
    const { rig, host } = await makeScene();
    await host.ask(); // the newest leaf
    rig.advance(-61);
    expect((await host.ask()).word).toBe("hold");
    expect(await host.renew()).toBe("hold");
    const order = { scope: "domain", target: "example.org", reason: "" };
    const halt = await rig.call("admin", "POST /v1/halts", { json: order });
    expect(halt.word).toBe("200"); // a halt works always
    expect((await rig.call("public", "GET /bundle")).word).toBe("200");
    await rig.call("admin", `DELETE /v1/halts/${textOf(halt.body["id"])}`);
    rig.advance(1);
    expect((await host.ask()).word).toBe("202");
    expect(await host.renew()).toBe("200");
    await rig.close();
  });

  it("a credential is renewed as soon as the clock has caught up", async () => {
    const whole = await held();
    whole.scene.rig.advance(-61);
    whole.timers.advance(450_000); // its renewal falls due all the same
    await whole.heard();
    expect(await issued(whole)).toBe(1);
    expect((await whole.proof()).word).toBe("200");
    whole.scene.rig.advance(61);
    whole.timers.advance(16_000);
    await whole.until(async () => (await issued(whole)) === 2);
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });
});

describe("T9: the clock of the proxy's host is set while it runs", () => {
  it("back an hour: proofs are too old until it is right; then it renews by itself", async () => {
    const host = { skewSeconds: 0 };
    const whole = await held({ host });
    host.skewSeconds = -HOUR;
    expect(await served(whole, 0)).toBe("proof expired");
    whole.timers.advance(450_000);
    await whole.heard();
    expect(await issued(whole)).toBe(1); // refused: the clocks are too far apart
    host.skewSeconds = 0;
    whole.timers.advance(16_000);
    await whole.until(async () => (await issued(whole)) === 2);
    expect(await served(whole, 0)).toBe("verified");
    await whole.end();
  });

  it("back five minutes: the next word of the server repairs it", async () => {
    const host = { skewSeconds: 0 };
    const { log, warned } = listening();
    const whole = await held({ host, log });
    host.skewSeconds = -300;
    whole.timers.advance(450_000);
    await whole.until(async () => (await issued(whole)) === 2);
    expect(warned()).toBeGreaterThan(0);
    expect(await served(whole, 0)).toBe("verified");
    await whole.end();
  });

  it("back an hour: the bucket of proofs fills as before", async () => {
    const host = { skewSeconds: 0 };
    const whole = await held({ host });
    const spend = async (): Promise<string | undefined> => {
      const words: string[] = [];
      for (let count = 0; count < 11; count += 1) words.push((await whole.proof()).word);
      return words.at(-1);
    };
    expect(await spend()).toBe("rate_limited");
    host.skewSeconds = -HOUR;
    expect((await whole.proof()).word).toBe("rate_limited");
    host.skewSeconds += 1;
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });

  it("forward an hour: the credential is gone; another comes once the clock is right", async () => {
    const host = { skewSeconds: 0 };
    const whole = await held({ host });
    host.skewSeconds = HOUR;
    expect((await whole.proof()).word).toBe("no_credential");
    expect((await whole.credential()).word).toBe("clock_skewed");
    host.skewSeconds = 0;
    expect((await whole.credential()).word).toBe("200");
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });
});

describe("T9: a laptop asleep for a weekend", () => {
  // 7 days, though the owner's key is of software
  const WEEK: JsonObject = { insecure_soft_key_standing: true };

  /** Time passes while the timers of the proxy stand still, as in suspend. */
  async function asleep(whole: Whole, seconds: number): Promise<void> {
    whole.wire.cut();
    await whole.until(() => !whole.w.server().isConnected);
    whole.scene.rig.advance(seconds);
  }

  it("wakes without credentials, says how old its word of the server is, and gets new ones unasked", async () => {
    const whole = await held({ entry: WEEK });
    const before = whole.w.clock();
    await asleep(whole, 3 * DAY);
    expect(whole.w.server()).toMatchObject({ isConnected: false, heardAt: before });
    expect(await whole.status()).toMatchObject({ state: "none" });
    expect((await whole.proof()).word).toBe("no_credential");
    whole.wire.mend();
    await whole.until(() => whole.w.server().isConnected);
    expect((await whole.credential()).word).toBe("200");
    expect((await whole.proof()).word).toBe("200");
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });

  it("a short sleep behind a connection that looks alive: no proofs without word of the server", async () => {
    const whole = await held({ entry: { offline_proofs: false } });
    whole.scene.rig.advance(300); // the credential still lives, and nobody knows what was halted
    expect(whole.w.server().isConnected).toBe(true);
    expect((await whole.proof()).word).toBe("offline");
    whole.wire.cut();
    await whole.until(() => !whole.w.server().isConnected);
    whole.wire.mend();
    await whole.until(() => whole.w.server().heardAt === whole.w.clock());
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });

  it("renews by itself when nobody asks", async () => {
    const whole = await held({ entry: WEEK });
    await asleep(whole, 3 * DAY);
    whole.wire.mend();
    await whole.until(() => whole.w.server().isConnected);
    whole.timers.advance(450_000); // what was left of the wait
    await whole.until(async () => (await whole.status())["state"] === "held");
    expect(await asks(whole)).toBe(1);
    await whole.end();
  });

  it("a grant of a day has ended meanwhile: the owner is asked anew", async () => {
    const whole = await held();
    await asleep(whole, 3 * DAY);
    whole.wire.mend();
    await whole.until(() => whole.w.server().isConnected);
    expect((await whole.credential()).word).toBe("202");
    await whole.approve();
    await whole.until(async () => (await whole.status())["state"] === "held");
    await whole.end();
  });
});
