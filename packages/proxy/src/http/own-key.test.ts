import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open, parseJsonObject, REQUEST, requestCode, seal, thumbprint } from "@countersign/core";
import type {
  Entry,
  JsonObject,
  PostedRequest,
  ProxyState,
  RequestClaims,
  Signer,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c } from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Agents } from "../agents/agents.ts";
import { Endorsed, HandedNonces, SeenKeys } from "../agents/own-key.ts";
import type { Uplink } from "../uplink/server.ts";
import { d, makeWorld, StandIn, StandInDoor, viewOf } from "../world.testing.ts";
import { doorApp } from "./door.ts";

const START = 1_800_000_000;
const ISSUER = "https://id.example.org";
const OWN: Entry = {
  id: "spiffe://example.org/agent/mailer",
  proxy: "spiffe://example.org/proxy/host-1",
  uid: 1001,
  door: "run",
  facts: [],
  pins: [],
  interpreterOptions: [],
  audiences: ["*"],
  binding: "none",
  grant: { use: "standing", maxTtlSeconds: 900, maxLive: 8, ceiling: [] },
  evidence: "public",
  offlineProofs: true,
  custody: "agent",
  insecureSameUid: false,
  insecureSoftKeyStanding: false,
};
const { custody: _custody, ...PLAIN } = OWN;
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "own-key-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Answered {
  /** The refusal's code, or the status. */
  readonly word: string;
  readonly body: JsonObject;
}

/** A door of an agent that holds its key, before a server that asks the owner about everything it is sent. */
class Scene {
  readonly sent: PostedRequest[] = [];
  readonly door: StandInDoor = new StandInDoor(OWN.id);
  readonly anchor: Promise<string>;
  now = START;
  entry: Entry = OWN;
  #nonces = 0;
  readonly #app: ReturnType<typeof doorApp>;
  readonly agents: Agents;

  constructor() {
    const proxy = generateSigner();
    const state = (): ProxyState => ({
      issuer: ISSUER,
      trustDomain: "example.org",
      now: this.now,
      seq: 1,
      checkpoint: "",
      entries: [this.entry],
      stops: [],
      asks: [],
      approvals: [],
      trustBundle: "{}",
      development: false,
    });
    const asked = { id: "ask", deadline: START + 3600, next: "wait", reasons: [] };
    const uplink: Pick<Uplink, "nonce" | "request"> = {
      nonce: () => {
        this.#nonces += 1;
        const nonce = `nonce-${this.#nonces}`.padEnd(32, "0");
        return Promise.resolve({ nonce, now: this.now, expires_in: 120 });
      },
      request: (posted) => {
        this.sent.push(posted);
        return Promise.resolve({ state: "asked", ...asked } as Awaited<
          ReturnType<Uplink["request"]>
        >);
      },
    };
    const w = makeWorld({
      folder,
      identity: { id: OWN.proxy, signer: proxy } as unknown as Parameters<
        typeof makeWorld
      >[0]["identity"], // its certificate is not asked for
      clock: () => this.now,
      timers: { after: () => () => undefined },
      random: (byteCount) => new Uint8Array(byteCount),
      uplink: () => uplink as Uplink, // the two calls of a request
      server: () => viewOf(state(), this.now),
    });
    this.agents = new Agents(w);
    this.#app = doorApp(w, this.agents, this.door);
    this.anchor = w.anchors.signer(OWN.id).then(({ key }) => thumbprint(c, key));
  }

  async call(path: string, json: object, pid = 1): Promise<Answered> {
    const request = new Request(`http://door${path}`, {
      method: "POST",
      body: JSON.stringify(json),
      headers: { "content-type": "application/json" },
    });
    const response = await this.#app(request, { peer: new StandIn(pid) });
    const body = parseJsonObject(await response.text(), { maxBytes: 65_536, maxDepth: 8 });
    const { reason } = body;
    return { word: typeof reason === "string" ? reason : String(response.status), body };
  }

  async nonce(pid?: number): Promise<string> {
    const { nonce } = (await this.call("/v1/nonce", {}, pid)).body;
    if (typeof nonce !== "string") throw new Error("no nonce");
    return nonce;
  }

  /** R as an agent makes it, with one thing changed. */
  async make(change: Partial<RequestClaims> = {}, by: Signer = generateSigner()): Promise<string> {
    const claims: RequestClaims = {
      aud: ISSUER,
      nonce: change.nonce ?? (await this.nonce()),
      iat: this.now,
      exp: this.now + 300,
      sub: OWN.id,
      anchor: await this.anchor,
      ...change,
    };
    return (await seal(c, REQUEST, claims, by)).octets;
  }

  async ask(change?: Partial<RequestClaims>, by?: Signer): Promise<Answered> {
    return this.call("/v1/credential", { request: await this.make(change, by) });
  }
}

describe("the door of an agent that holds its key", () => {
  it("says what R is made from, and no more", async () => {
    const scene = new Scene();
    const { word, body } = await scene.call("/v1/nonce", {});
    expect(word).toBe("200");
    expect(body).toEqual({
      aud: ISSUER,
      nonce: "nonce-1".padEnd(32, "0"),
      now: START,
      sub: OWN.id,
      anchor: await scene.anchor,
      expires_in: 120,
    });
  });

  it("sends R on as it is, with evidence that says where its key is not", async () => {
    const scene = new Scene();
    const request = await scene.make({ note: "please" });
    const { word, body } = await scene.call("/v1/credential", { request });
    expect([word, body["code"]]).toEqual(["202", requestCode(c, request)]);
    const [posted] = scene.sent;
    expect(posted?.request).toBe(request);
    const payload = posted?.evidence.split(".")[1] ?? "";
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      req: (await open(c, REQUEST, request)).digest,
      cnf: { jwk: (await open(c, REQUEST, request)).key },
      submods: { agent: { countersign_proc: { key: { store: "agent", exportable: true } } } },
    });
  });

  const foreign = "foreign".padEnd(32, "0");
  it.each<readonly [string, (scene: Scene) => Promise<Answered>, string]>([
    ["in order", (s) => s.ask(), "202"],
    ["under a nonce of nobody", (s) => s.ask({ nonce: foreign }), "nonce_unknown"],
    [
      "before a nonce was handed out",
      async (s) => s.call("/v1/credential", { request: await s.make({ nonce: foreign }) }),
      "nonce_unknown",
    ],
    [
      "under a nonce of another program at this door",
      async (s) => {
        s.door.scripts.set(2, 9);
        await s.nonce();
        return s.ask({ nonce: await s.nonce(2) });
      },
      "nonce_unknown",
    ],
    [
      "under a nonce that is over",
      async (s) => {
        const nonce = await s.nonce();
        s.now += 120;
        return s.ask({ nonce });
      },
      "nonce_expired",
    ],
    [
      "under a nonce used before",
      async (s) => {
        const nonce = await s.nonce();
        await s.ask({ nonce, sub: "spiffe://example.org/agent/other" });
        return s.ask({ nonce });
      },
      "nonce_unknown",
    ],
    [
      "of another entry",
      (s) => s.ask({ sub: "spiffe://example.org/agent/other" }),
      "request_invalid",
    ],
    [
      "of another installation",
      (s) => s.ask({ anchor: thumbprint(c, generateSigner().key) }),
      "request_invalid",
    ],
    ["for another server", (s) => s.ask({ aud: "https://id.example.com" }), "request_invalid"],
    ["that is over", (s) => s.ask({ iat: START - 400, exp: START - 100 }), "request_expired"],
    ["of the future", (s) => s.ask({ iat: START + 61, exp: START + 200 }), "not_yet_valid"],
    ["that lives too long", (s) => s.ask({ exp: START + 301 }), "request_invalid"],
    [
      "signed by another key",
      async (s) => {
        const [head, body] = (await s.make()).split(".");
        const tail = (await s.make()).split(".")[2];
        return s.call("/v1/credential", { request: `${head}.${body}.${tail}` });
      },
      "invalid_signature",
    ],
    ["that is no token", (s) => s.call("/v1/credential", { request: "R" }), "nonce_unknown"],
    [
      "that is no token, a nonce handed out",
      async (s) => {
        await s.nonce();
        return s.call("/v1/credential", { request: "R" });
      },
      "malformed_token",
    ],
    [
      "that is larger than any",
      (s) => s.call("/v1/credential", { request: "x".repeat(16_385) }),
      "malformed_request",
    ],
    [
      "larger than a body",
      (s) => s.call("/v1/credential", { request: "x".repeat(33_000) }),
      "too_large",
    ],
    [
      "with a note beside it",
      async (s) => s.call("/v1/credential", { request: await s.make(), note: "hello" }),
      "malformed_request",
    ],
    [
      "that would wait",
      async (s) => s.call("/v1/credential?wait=10", { request: await s.make() }),
      "malformed_request",
    ],
    [
      "by a program that changed before the answer",
      async (s) => {
        const request = await s.make();
        s.door.isStillTrue = false;
        return s.call("/v1/credential", { request });
      },
      "program_changed",
    ],
    ["none: a plain request", (s) => s.call("/v1/credential", {}), "custody_mismatch"],
    [
      "none: a proof",
      (s) => s.call("/v1/proof", { aud: "https://a.example/" }),
      "custody_mismatch",
    ],
    [
      "where the proxy holds the key",
      async (s) => {
        const request = await s.make();
        s.entry = PLAIN;
        return s.call("/v1/credential", { request });
      },
      "custody_mismatch",
    ],
    [
      "terms, where the proxy holds the key",
      (s) => {
        s.entry = PLAIN;
        return s.call("/v1/nonce", {});
      },
      "custody_mismatch",
    ],
    ["terms with a member", (s) => s.call("/v1/nonce", { sub: OWN.id }), "malformed_request"],
    ["terms, waited for too long", (s) => s.call("/v1/nonce?wait=301", {}), "malformed_request"],
  ])("R %s → %#", async (_name, act, word) => {
    const scene = new Scene();
    const { word: got, body } = await act(scene);
    expect(got).toBe(word);
    if (word !== "202") expect(body["next"]).toBeTruthy();
    // what is refused here is refused here: the server never hears of it
    expect(scene.sent).toHaveLength(["202", "program_changed"].includes(word) ? 1 : 0);
  });

  it("takes a key once, whichever program sends it", async () => {
    const scene = new Scene();
    scene.door.scripts.set(2, 9);
    const key = generateSigner();
    const again = await scene.nonce();
    const request = await scene.make({ nonce: await scene.nonce(2) }, key);
    expect((await scene.ask({}, key)).word).toBe("202");
    expect((await scene.ask({ nonce: again }, key)).word).toBe("key_reused");
    expect((await scene.call("/v1/credential", { request }, 2)).word).toBe("key_reused");
  });

  it("asks the owner once, however many processes come", async () => {
    const scene = new Scene();
    const nonces = [await scene.nonce(), await scene.nonce()];
    const [one, two] = await Promise.all(nonces.map((nonce) => scene.ask({ nonce })));
    expect(one?.body["code"]).toBe(two?.body["code"]);
    expect((await scene.call("/v1/nonce", {})).word).toBe("202");
    expect(scene.sent).toHaveLength(1);
  });

  it("hands out ten nonces a second", async () => {
    const scene = new Scene();
    for (let i = 0; i < 10; i += 1) expect((await scene.call("/v1/nonce", {})).word).toBe("200");
    expect((await scene.call("/v1/nonce", {})).word).toBe("rate_limited");
  });
});

describe("what is remembered of agents' keys", () => {
  it("sixteen nonces, the newest", () => {
    const nonces = new HandedNonces();
    for (let i = 0; i <= 16; i += 1) nonces.hand(`n${i}`, 10);
    expect(() => nonces.spend("n0", 1)).toThrow("nonce_unknown");
    expect(() => nonces.spend("n16", 1)).not.toThrow();
    expect(() => nonces.spend("n16", 1)).toThrow("nonce_unknown");
    expect(() => nonces.spend("n1", 10)).toThrow("nonce_expired");
  });

  it("the newest keys", () => {
    const keys = new SeenKeys();
    for (let i = 0; i < 5000; i += 1) keys.add(`k${i}`);
    expect(() => keys.add("k4999")).toThrow("key_reused");
    expect(() => keys.add("k0")).not.toThrow();
  });

  it("a statement for as long as the last credential under it", () => {
    const endorsed = new Endorsed();
    endorsed.note(d(1), 10);
    endorsed.note(d(1), 5);
    endorsed.note(d(2), 20);
    expect(endorsed.live(9)).toEqual([d(1), d(2)]);
    expect(endorsed.live(10)).toEqual([d(2)]);
  });
});
