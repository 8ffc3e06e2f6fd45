import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { apiOf } from "../../packages/cli/src/sockets.ts";
import type { LocalApi } from "../../packages/cli/src/sockets.ts";
import { PolicyEngine } from "../../packages/cli/src/policy/engine.ts";
import type { Decided, EngineParts } from "../../packages/cli/src/policy/engine.ts";
import { signedFile } from "../../packages/cli/src/policy/signed-file.ts";
import {
  fromBase64url,
  fromUtf8,
  readPolicyRules,
  Refusal,
  thumbprint,
} from "../../packages/core/src/index.ts";
import type { JsonObject, OwnerSignature } from "../../packages/core/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import {
  generateSigner,
  handlerTarget,
  nodeCrypto as c,
  parseConfigDocument,
} from "../../packages/node/src/index.ts";
import { makeScene } from "../../packages/server/src/cases/scene.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { d, enrolOwner, ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import { makeWhole } from "./whole.ts";

const RULE: JsonObject = {
  name: "mailers",
  entries: [ENTRY_ID],
  hosts: ["spiffe://example.org/proxy/host-1"],
  measurements: { binary: [d(1)], script: [d(2), d(3)] },
  insecure_any_installation: true,
  ceiling: [],
  any_service: true,
  use: ["standing"],
  longest_grant_seconds: 86_400,
  max_ttl_seconds: 900,
  max_issue: 2000,
  max_live: 8,
  rate: { count: 1, window_seconds: 7200 },
  insecure_ignore_warnings: true,
};

/** A policy engine at work for one owner, whose key is its own. */
class Desk {
  readonly decided: Decided[] = [];
  readonly parts: EngineParts;
  engine: PolicyEngine;

  constructor(rig: Rig, owner: Owner, path: string, change: Partial<EngineParts> = {}) {
    this.parts = {
      api: apiOf(handlerTarget((request) => rig.admin(request, {}))),
      owner: owner.id,
      jkt: owner.jkt,
      signer: { sign: async (bytes) => (await owner.sign(bytes)) as unknown as OwnerSignature }, // as it makes it
      rules: readPolicyRules({ v: 1, issuer: "https://id.example.org", rules: [RULE] }),
      signed: signedFile(path),
      clock: rig.now,
      timers: new ManualTimers(),
      isDryRun: false,
      onDecided: (one) => void this.decided.push(one),
      ...change,
    };
    this.engine = new PolicyEngine(this.parts);
  }

  async look(): Promise<void> {
    const { requests } = await this.parts.api.get("/v1/owner/requests");
    for (const ask of requests as readonly JsonObject[]) await this.engine.examine(ask); // as the server lists them
  }

  get words(): readonly string[] {
    return this.decided.map(({ do: what, reasons, refused }) =>
      [what, ...(reasons ?? []).map(({ code }) => code), refused ?? ""].join(" ").trim(),
    );
  }
}

it("the rules that docs/operations.md shows are rules", async () => {
  const page = await readFile(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const [, text = ""] = /```yaml\n(v: 1\n.*?)```/s.exec(page) ?? [];
  expect(parseConfigDocument(text, readPolicyRules).rules).toHaveLength(1);
});

describe("a policy engine as owner", () => {
  let scene: Scene;
  let owner: Owner;
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "policy-"));
    path = join(folder, "rules.signed");
    scene = await makeScene();
    owner = await enrolOwner(scene.rig, "rules", generateSigner(), [], "policy");
    expect(await scene.put({ owner: owner.id })).toBe("200");
  });
  afterEach(async () => {
    await scene.rig.close();
    await rm(folder, { recursive: true });
  });
  const desk = (change: Partial<EngineParts> = {}): Desk =>
    new Desk(scene.rig, owner, path, change);
  const states = async (): Promise<readonly string[]> =>
    (await scene.rig.world.store.asks()).map(({ state }) => state);

  it("signs what lies inside its rules; the credential says that no person did", async () => {
    const whole = await makeWhole();
    const { rig } = whole.scene;
    const engineOwner = await enrolOwner(rig, "rules", generateSigner(), [], "policy");
    expect(await whole.scene.put({ owner: engineOwner.id })).toBe("200");
    await whole.heard();
    expect((await whole.credential()).word).toBe("202");
    const [ask] = await rig.world.store.asks({ state: "asked" });
    const measured = ask?.facts["measurements"] as readonly JsonObject[]; // as they were appraised
    const measurements = Object.fromEntries(measured.map(({ n, d: digest }) => [n, [digest]]));
    const rules = readPolicyRules({
      v: 1,
      issuer: "https://id.example.org",
      rules: [{ ...RULE, measurements }],
    });
    const at = new Desk(rig, engineOwner, path, { rules });
    await at.look();
    expect(at.words).toEqual(["signed"]);
    await whole.until(async () => (await whole.status())["state"] === "held");
    const [, claims = ""] = textOf((await whole.credential()).body["wit"]).split(".");
    const wit = JSON.parse(fromUtf8(fromBase64url(claims))) as JsonObject;
    expect(wit["countersign_owner"]).toMatchObject({
      id: engineOwner.id,
      kind: "policy",
      oa: 1,
      model: "server",
    });
    await whole.end();
  });

  it("leaves what lies outside, once each, and denies nothing", async () => {
    const at = desk();
    await scene.host.ask({ script: 9 });
    await at.look();
    await at.look();
    expect(at.words).toEqual(["left measurement_unlisted"]);
    expect(await states()).toEqual(["asked"]);
    await scene.host.ask({ script: 8 });
    await at.look();
    expect(at.words).toHaveLength(2);
  });

  it("does not sign what a lying server puts in front of it", async () => {
    await scene.host.ask({});
    const real = desk();
    const other = (await scene.host.make({ script: 3 })).request;
    const lies: readonly ((view: JsonObject) => JsonObject)[] = [
      (view) => ({ ...view, request: other }),
      (view) => ({ ...view, request: `${textOf(view["request"])}x` }),
      ({ appraisal: _none, ...view }) => view,
    ];
    const strict = { ...RULE, insecure_ignore_warnings: false };
    for (const lie of lies) {
      const { api } = real.parts;
      const lying: LocalApi = {
        ...api,
        get: async (at) => (at.includes("jkt=") ? lie(await api.get(at)) : api.get(at)),
      };
      const rules = readPolicyRules({ v: 1, issuer: "https://id.example.org", rules: [strict] });
      const at = desk({ api: lying, rules });
      await at.look();
      expect(at.words[0]).toMatch(/^left /);
    }
    expect(await scene.rig.world.store.grants()).toEqual([]);
  });

  it("leaves an installation that no person has looked at, whatever the server says of host and program", async () => {
    const seen = thumbprint(c, scene.host.anchor.key);
    const listed = { ...RULE, installation_keys: [seen], insecure_any_installation: false };
    const rules = readPolicyRules({ v: 1, issuer: "https://id.example.org", rules: [listed] });
    const at = desk({ rules });
    // the listed host and the listed program, by an anchor that somebody put there
    scene.host.anchor = generateSigner();
    await scene.host.ask({});
    await at.look();
    expect(at.words).toEqual(["left installation_unlisted"]);
    const strange = thumbprint(c, scene.host.anchor.key);
    expect(at.decided[0]?.reasons?.[0]?.text).toContain(strange);
    expect(await scene.rig.world.store.grants()).toEqual([]);
    const both = { ...listed, installation_keys: [seen, strange] };
    const now = desk({
      rules: readPolicyRules({ v: 1, issuer: "https://id.example.org", rules: [both] }),
    });
    await now.look();
    expect(now.words).toEqual(["signed"]);
  });

  it("signs once where the answer is lost", async () => {
    let posts = 0;
    const timers = new ManualTimers();
    const real = desk();
    const { api } = real.parts;
    const losing: LocalApi = {
      ...api,
      post: async (at, value) => {
        posts += 1;
        const answer = await api.post(at, value);
        if (posts > 1) return answer;
        setImmediate(() => timers.advance(1000));
        throw new Refusal("unreachable", "lost");
      },
    };
    await scene.host.ask({});
    const at = desk({ api: losing, timers });
    await at.look();
    expect(at.words).toEqual(["signed"]);
    expect(posts).toBe(2);
    expect(await scene.rig.world.store.grants()).toHaveLength(1);
    expect(await states()).toEqual(["approved"]);
  });

  it("counts over a restart, and signs again when the window is over", async () => {
    await scene.host.ask({});
    const first = desk();
    await first.look();
    expect(first.words).toEqual(["signed"]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await scene.host.ask({ script: 3 });
    const timers = new ManualTimers();
    const again = desk({ timers });
    await again.look();
    expect(again.words).toEqual(["left rate_reached"]);
    await again.look();
    expect(again.words).toHaveLength(1);
    // the request is over by then; another one finds room
    scene.rig.advance(7200);
    await scene.host.ask({ script: 3 });
    await again.look();
    expect(again.words).toEqual(["left rate_reached", "signed"]);
    await again.engine.close();
  });

  it("takes up by itself what only the rate held back", async () => {
    const rules = readPolicyRules({
      v: 1,
      issuer: "https://id.example.org",
      rules: [{ ...RULE, rate: { count: 1, window_seconds: 600 } }],
    });
    const timers = new ManualTimers();
    const at = desk({ rules, timers });
    await scene.host.ask({});
    await at.look();
    await scene.host.ask({ script: 3 });
    await at.look();
    expect(at.words).toEqual(["signed", "left rate_reached"]);
    scene.rig.advance(600);
    timers.advance(600_000);
    // one that nobody knows is looked at after what the timer has begun
    await at.engine.examine({ req: "none", id: "none", agent: "none", proxy: "none" });
    expect(at.words).toEqual(["signed", "left rate_reached", "signed"]);
    await at.engine.close();
  });

  it("counts before it signs: what fails in between costs a place", async () => {
    await scene.host.ask({});
    const broken = desk({ signer: { sign: () => Promise.reject(new Refusal("key_unsupported")) } });
    await broken.look();
    expect(broken.words).toEqual(["left key_unsupported"]);
    const at = desk();
    await at.look();
    expect(at.words).toEqual(["left rate_reached"]);
  });

  it("signs nothing where its counts cannot be read or written", async () => {
    await scene.host.ask({});
    await writeFile(path, "not JSON", { mode: 0o600 });
    await expect(desk().look()).rejects.toMatchObject({ code: "configuration_invalid" });
    const full = {
      read: desk().parts.signed.read,
      write: () => Promise.reject(new Refusal("indeterminate")),
    };
    await rm(path);
    await expect(desk({ signed: full }).look()).rejects.toMatchObject({ code: "indeterminate" });
    expect(await states()).toEqual(["asked"]);
  });

  it("says what it would sign, and does nothing", async () => {
    await scene.host.ask({});
    const at = desk({ isDryRun: true });
    await at.look();
    await at.look();
    expect(at.words).toEqual(["would_sign"]);
    expect(await states()).toEqual(["asked"]);
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("says nothing of what somebody else has decided meanwhile", async () => {
    await scene.host.ask({});
    const at = desk();
    const { requests } = await at.parts.api.get("/v1/owner/requests");
    const [ask] = requests as readonly JsonObject[]; // as the server lists them
    await owner.deny(textOf(ask?.["id"]));
    await at.engine.examine(ask ?? {});
    expect(at.words).toEqual([]);
  });
});
