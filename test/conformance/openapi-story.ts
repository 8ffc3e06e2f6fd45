import { base64url, fromBase64url, REQUEST, seal } from "../../packages/core/src/index.ts";
import type { Bytes, Json, RequestClaims } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto, routesOf } from "../../packages/node/src/index.ts";
import type { Handler } from "../../packages/node/src/index.ts";
import type { FixedDoors } from "../../packages/proxy/src/doors/fixed.ts";
import type { RunDoors } from "../../packages/proxy/src/doors/run.ts";
import { adminApp as proxyAdminApp } from "../../packages/proxy/src/http/admin.ts";
import { doorApp } from "../../packages/proxy/src/http/door.ts";
import { OpenRuns, runApp } from "../../packages/proxy/src/http/run.ts";
import { StandIn, StandInDoor } from "../../packages/proxy/src/world.testing.ts";
import { enrolEdge } from "../../packages/server/src/cases/mediate.testing.ts";
import { presign } from "../../packages/server/src/cases/presign.testing.ts";
import { adminApp } from "../../packages/server/src/http/admin.ts";
import { apiApp } from "../../packages/server/src/http/api.ts";
import type { ApiContext } from "../../packages/server/src/http/peer.ts";
import type { PublicContext } from "../../packages/server/src/http/stop-codes.ts";
import { publicApp } from "../../packages/server/src/http/public.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { enrolSecurityKey } from "../../packages/server/src/security-key.testing.ts";
import { entryOf, START, textOf } from "../../packages/server/src/world.testing.ts";
import type { KeyRing } from "../../packages/server/src/signer/key-ring.ts";
import { credentialOf, Passkey } from "../whole/passkey.ts";
import { signBeforehand } from "../whole/presign.ts";
import { makeWhole } from "../whole/whole.ts";
import type { Whole } from "../whole/whole.ts";
import { valuesOf } from "./openapi-answer.ts";
import { consoleOf, pageHeaders, sitAtConsole } from "./openapi-console.ts";

/** Where calls go; each is one tag of one description. */
export type Place = "door" | "run" | "proxy" | "api" | "public" | "admin" | "console";

/** What any of the applications knows of a connection. */
type Contexts = ApiContext & PublicContext & { readonly peer: StandIn };

/** One call that was answered. */
export interface Exchange {
  readonly place: Place;
  /** `GET /v1/status`, without its query. */
  readonly what: string;
  readonly status: number;
  readonly type: string;
  /** JSON of the body, or of each event's data. */
  readonly values: readonly Json[];
  readonly cookie?: string;
}

export interface CallOptions {
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of an event stream: how many events are read. */
  readonly events?: number;
  /** Calls the server's API as a host that is enrolled. */
  readonly asHost?: boolean;
}

/** Doors that open at once and lead nowhere. */
function doorsOf(): RunDoors {
  const open: RunDoors["open"] = ({ entry }) => {
    const closed = new Promise<never>(() => undefined);
    return Promise.resolve(Object.assign(new StandInDoor(entry.id), { uid: 1001, closed }));
  };
  return { open } as RunDoors; // the one method that is called
}

/** Key files that are always ready to have been changed. */
function ringOf(): KeyRing {
  const prepared = [{ use: "wit", nbf: START, exp: START + 2_592_000 }];
  const ring: Partial<KeyRing> = {
    prepare: () => Promise.resolve(),
    unannounced: () => Promise.resolve(prepared as Awaited<ReturnType<KeyRing["unannounced"]>>),
    noteAnnounced: () => Promise.resolve(),
  };
  return ring as KeyRing; // what a rotation asks of it
}

/** Every application, over one proxy and one server in memory; what they answer is kept. */
export class Apis {
  readonly whole: Whole;
  readonly exchanges: Exchange[] = [];
  /** Certificate of the gateway, which alone makes one of the calls. */
  readonly #gateway: Bytes;
  /** Token of the session at the console, and a question of its owner. */
  session = "";
  question = "";
  readonly #apps: Readonly<Record<Place, Handler<Contexts>>>;

  constructor(whole: Whole, gateway: Bytes) {
    this.whole = whole;
    this.#gateway = gateway;
    const { w, agents, presigned, door, scene } = whole;
    const { world, feed, owners, webhooks } = scene.rig;
    const runs = new OpenRuns();
    // as far as it is asked: its path, its user and who came through it
    const fixed = { doors: [Object.assign(door, { uid: 1001 })] } as unknown as FixedDoors;
    this.#apps = {
      door: doorApp(w, agents, door),
      run: runApp(w, agents, doorsOf(), runs),
      proxy: proxyAdminApp(w, agents, runs, fixed, presigned),
      api: apiApp(world, feed),
      public: publicApp(world),
      admin: adminApp(world, { render: () => "" }, owners, ringOf(), webhooks),
      console: consoleOf(whole),
    };
  }

  routes(place: Place): readonly string[] {
    return routesOf(this.#apps[place]);
  }

  /** @returns the first value of the answer */
  async call(place: Place, what: string, options: CallOptions = {}): Promise<Exchange> {
    const [method = "", path = ""] = what.split(" ");
    const body = options.json === undefined ? undefined : JSON.stringify(options.json);
    const request = new Request(`http://here${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(place === "console" ? pageHeaders(this.session) : {}),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const certificate = what.endsWith("/v1/owner-consents")
      ? this.#gateway
      : this.whole.scene.host.certificate;
    const response = await this.#apps[place](request, {
      peer: new StandIn(),
      ...(options.asHost === false ? {} : { certificate }),
    });
    const cookie = response.headers.get("set-cookie");
    const exchange = {
      place,
      what: `${method} ${path.split("?")[0] ?? ""}`,
      status: response.status,
      type: response.headers.get("content-type")?.split(";")[0] ?? "",
      values: await valuesOf(response, options.events ?? 1),
      ...(cookie === null ? {} : { cookie }),
    };
    this.exchanges.push(exchange);
    return exchange;
  }
}

const member = (exchange: Exchange, ...names: readonly string[]): string => {
  let value: unknown = exchange.values[0];
  for (const name of names) value = (value as Readonly<Record<string, unknown>>)[name];
  return textOf(value as Json); // of an answer of ours
};

/** Everything that every application can be asked, once as it goes well: first issue, proof, renewal, stop. */
export async function tellStory(): Promise<Apis> {
  const taken = { status: 201, headers: {}, body: new Uint8Array(0) };
  const push = {
    signer: generateSigner(),
    contact: "mailto:ops@example.org",
    fetch: () => Promise.resolve(taken),
  };
  const whole = await makeWhole({ server: { config: { console_port: 8444 }, push } });
  const apis = new Apis(whole, await enrolEdge(whole.scene.rig, { name: "other" }));
  await enrol(apis);
  await askAndApprove(apis);
  await apis.call("door", "POST /v1/credential", { json: {} });
  await apis.call("door", "POST /v1/proof", { json: { aud: AUDIENCE, evidence: true } });
  await apis.call("door", "POST /v1/proof", { json: { aud: AUDIENCE } });
  await apis.call("door", "GET /v1/status");
  await signBeforehandHere(apis);
  await readEverything(apis);
  await openRun(apis);
  await askWithOwnKey(apis);
  await stopAndRefuse(apis);
  await askAsHost(apis);
  await sitAtConsole(apis);
  return apis;
}

const AUDIENCE = "https://mail.example.com/";

/** A host, an owner's key, an agent without owner: made, and taken away again. */
async function enrol(apis: Apis): Promise<void> {
  await apis.call("admin", "POST /v1/join-tokens", {
    json: { name: "host-2", life: 600, replace: false },
  });
  await apis.call("admin", "POST /v1/gateway-tokens", {
    json: { name: "edge", owners: [], proxies: ["host-1"], life: 600, replace: false },
  });
  await apis.call("admin", "GET /v1/gateways");
  const signer = generateSigner("Ed25519");
  const offered = await apis.call("admin", "POST /v1/owner/keys/options", {
    json: { name: "bob", kind: "person", jwk: signer.key },
  });
  const statement = member(offered, "jcs");
  const sig = await apis.whole.scene.owner.sign(fromBase64url(statement), signer);
  const added = await apis.call("admin", "POST /v1/owner/keys", {
    json: { statement, sig, comment: "laptop" },
  });
  await apis.call("admin", "GET /v1/owners");
  await registerPasskey(apis);
  await recoverBob(apis);
  await apis.call("admin", `DELETE /v1/owner/keys/${member(added, "jkt")}`);
  await apis.call("admin", "GET /v1/owners");
  await inviteErin(apis);
  await suspendAndResume(apis);
  await apis.call("admin", "POST /v1/entries", {
    json: entryOf({ name: "unbound", binding: "none" }),
  });
  await apis.call("admin", "GET /v1/entries");
  await apis.call("admin", "DELETE /v1/entries/unbound");
}

/** Two ceremonies: the authenticator makes the key, and the key signs its statement. */
async function registerPasskey(apis: Apis): Promise<void> {
  const { rig } = apis.whole.scene;
  const begun = await apis.call("admin", "POST /v1/owner/keys/webauthn/options", {
    json: { name: "dave" },
  });
  const signer = generateSigner();
  const credential = await credentialOf(signer, member(begun, "options", "challenge"));
  const taken = await apis.call("admin", "POST /v1/owner/keys/webauthn/verify", {
    json: { name: "dave", credential },
  });
  const statement = member(taken, "jcs");
  const sig = await new Passkey(rig, "", signer).sign(fromBase64url(statement));
  await apis.call("admin", "POST /v1/owner/keys", { json: { statement, sig, comment: "phone" } });
}

/** Somebody is invited to make a first key. */
async function inviteErin(apis: Apis): Promise<void> {
  const made = await apis.call("admin", "POST /v1/owner/invitations", { json: { name: "erin" } });
  await apis.call("admin", `GET /v1/owner/invitations/${member(made, "id")}`);
}

/** A security key signs for another with a counter that went back. */
async function suspendAndResume(apis: Apis): Promise<void> {
  const { rig } = apis.whole.scene;
  const key = await enrolSecurityKey(rig, 5, [], "carol");
  await enrolSecurityKey(rig, 1, [key], "carol").catch(() => undefined);
  await apis.call("admin", "GET /v1/owners");
  await apis.call("admin", `POST /v1/owner/keys/${key.jkt}/resume`);
}

/** Bob's codes, and two recoveries that are cancelled: by a key of his, and by a code. */
async function recoverBob(apis: Apis): Promise<void> {
  const made = await apis.call("admin", "POST /v1/owner/stop-codes", { json: { owner: "alice" } });
  await announce(apis);
  const listed = await apis.call("admin", "GET /v1/owner/recoveries?owner=alice");
  const recovery = `/v1/owner/recoveries/${member(listed, "recoveries", "0", "id")}`;
  const { owner } = apis.whole.scene;
  const denial = await apis.call("admin", `GET ${recovery}/cancellation?jkt=${owner.jkt}`);
  const statement = member(denial, "jcs");
  const sig = await owner.sign(fromBase64url(statement));
  await apis.call("admin", `POST ${recovery}/cancel`, { json: { statement, sig } });
  await announce(apis);
  const [first, second] = ["0", "1"].map((at) => member(made, "codes", at));
  await apis.call("public", "POST /v1/stop-codes/use", {
    json: { code: first, do: "cancel_recovery" },
  });
  await announce(apis);
  await apis.call("admin", "POST /v1/owner/stop-codes/use", {
    json: { code: second, do: "cancel_recovery" },
  });
  await apis.call("admin", "POST /v1/owner/agents/mailer/unblock");
  await apis.call("admin", "POST /v1/owner/expectations", { json: { agent: "mailer" } });
  await keepWebhook(apis);
  const starters = "/v1/owner/starters?owner=alice";
  await apis.call("admin", `POST ${starters}`, {
    json: { host: "host-1", uid: 1001, listed: true },
  });
  await apis.call("admin", `GET ${starters}`);
}

/** An address that alice's notices are posted to, which nobody answers at. */
async function keepWebhook(apis: Apis): Promise<void> {
  const json = { owner: "alice", url: "https://hooks.example.com/a" };
  const made = await apis.call("admin", "POST /v1/owner/webhooks", { json });
  const webhook = `/v1/owner/webhooks/${member(made, "id")}`;
  await apis.call("admin", `POST ${webhook}/test`, { json: {} });
  await apis.call("admin", `POST ${webhook}/rotate`, { json: {} });
  await apis.call("admin", "GET /v1/owner/webhooks?owner=alice");
  await apis.call("admin", `DELETE ${webhook}`);
}

/** A new key of alice, whose recovery waits. */
async function announce(apis: Apis): Promise<void> {
  const signer = generateSigner("Ed25519");
  const offered = await apis.call("admin", "POST /v1/owner/keys/options", {
    json: { name: "alice", kind: "person", jwk: signer.key },
  });
  const statement = member(offered, "jcs");
  const sig = await apis.whole.scene.owner.sign(fromBase64url(statement), signer);
  await apis.call("admin", "POST /v1/owner/recoveries", { json: { statement, sig, comment: "" } });
}

async function askAndApprove(apis: Apis): Promise<void> {
  const { owner, rig } = apis.whole.scene;
  await apis.call("door", "GET /v1/status");
  apis.whole.door.run = { uid: 1001, since: rig.now() };
  apis.whole.door.hasTerminal = true;
  await apis.call("door", "POST /v1/credential", { json: { note: "I read mail." } });
  apis.whole.door.hasTerminal = false;
  await apis.call("door", "GET /v1/status");
  await apis.call("proxy", "GET /v1/status");
  const inbox = await apis.call("admin", "GET /v1/owner/requests?owner=alice");
  await apis.call("admin", "GET /v1/owner/events?owner=alice");
  const request = `/v1/owner/requests/${member(inbox, "requests", "0", "id")}`;
  await apis.call("admin", `GET ${request}`);
  await apis.call("admin", `GET ${request}?jkt=${owner.jkt}`);
  const [ask] = await rig.world.store.asks({ state: "asked" });
  const shown = ask === undefined ? undefined : await rig.world.store.digits(ask.req);
  const wrong = String((Number(shown?.digits) + 1) % 100).padStart(2, "0");
  const typed = (match: string): Promise<Exchange> =>
    apis.call("admin", `POST ${request}/statement`, { json: { jkt: owner.jkt, match } });
  await typed(wrong);
  const statement = member(await typed(shown?.digits ?? ""), "jcs");
  const sig = await owner.sign(fromBase64url(statement));
  await apis.call("admin", `POST ${request}/decision`, {
    json: { decision: "approve", statement, sig },
  });
  await apis.whole.heard();
  await apis.call("admin", "GET /v1/owner/requests?all=1");
  await apis.call("admin", "GET /v1/owner/habits?owner=alice");
}

/** On the agent's host, as if the server could not be asked. */
async function signBeforehandHere(apis: Apis): Promise<void> {
  const { whole } = apis;
  await apis.call("proxy", "POST /v1/presign", { json: { agent: "mailer", pid: 4711 } });
  const material = await whole.presigned.material({ agent: "mailer" });
  const { statement, ...signed } = await signBeforehand(whole, material);
  const json = { ...signed, statement: base64url(statement) };
  await apis.call("proxy", "POST /v1/presigned", { json });
  await whole.until(async () => (await whole.presigned.list())[0]?.state === "accepted");
  await whole.heard();
  await apis.call("proxy", "GET /v1/status");
}

/** What a proxy calls, by the test's own hand: another anchor, so the first installation is replaced. */
async function askAsHost(apis: Apis): Promise<void> {
  const { host } = apis.whole.scene;
  const checkpoint = await apis.whole.scene.rig.world.store.checkpoint();
  await apis.call("api", "POST /v1/nonce", { json: { seen: { seq: 1, checkpoint } } });
  await apis.call("api", "POST /v1/beats", { json: { beat: "A".repeat(22) } });
  const asked = await apis.call("api", "POST /v1/credential-requests", {
    json: await host.make({ script: 9 }),
  });
  const cs = await apis.whole.scene.owner.approve(member(asked, "id"));
  await apis.call("api", "POST /v1/credential-requests", {
    json: await host.make({ script: 9, cs }),
  });
  const beforehand = await presign(apis.whole.scene);
  await apis.call("api", "POST /v1/presigned-consents", { json: beforehand.json });
  await apis.call("api", "POST /v1/owner-consents", { json: beforehand.json }); // nobody asked so
  await apis.call("api", "GET /v1/state");
  await apis.call("api", "GET /.well-known/est/cacerts", { asHost: false });
}

async function readEverything(apis: Apis): Promise<void> {
  for (const path of [
    "status",
    "grants",
    "credentials",
    "log?from=0&to=50",
    "log/0",
    "halts",
    "former-logs",
  ])
    await apis.call("admin", `GET /v1/${path}`);
  const grants = await apis.call("admin", "GET /v1/grants");
  const cs = member(grants, "grants", "0", "cs").slice("sha-256:".length);
  const issued = await apis.call("admin", "GET /v1/credentials");
  const jti = member(issued, "credentials", "0", "jti");
  const paths = ["bundle", "jwks", `e/${cs}`, `e/${cs}/${jti}`, "healthz", "readyz"];
  for (const path of paths) await apis.call("public", `GET /${path}`);
  for (const path of ["checkpoint", "entry/0", "proof/0"])
    await apis.call("public", `GET /log/${path}`);
  await apis.call("proxy", "GET /v1/evidence?entry=mailer");
  await apis.call("admin", "POST /v1/keys/rotate", { json: { wit: true } });
}

async function openRun(apis: Apis): Promise<void> {
  const opened = await apis.call("run", "POST /v1/runs", { json: { agent: "mailer" } });
  await apis.call("run", "GET /v1/runs/inside");
  await apis.call("run", `GET /v1/runs/events?door=${member(opened, "door")}`, { events: 0 });
  await apis.call("proxy", "GET /v1/status");
}

/** The registration leaves the key to the agent, which makes R itself. */
async function askWithOwnKey(apis: Apis): Promise<void> {
  const { whole } = apis;
  await whole.scene.put({ custody: "agent", x509_evidence: "approval" });
  await whole.heard();
  const terms = await apis.call("door", "POST /v1/nonce", { json: {} });
  const { now, expires_in: _life, ...claims } = terms.values[0] as Record<string, string>;
  const iat = Number(now);
  const r = { ...claims, iat, exp: iat + 300 } as unknown as RequestClaims; // what the door gave, and times
  const { octets } = await seal(nodeCrypto, REQUEST, r, generateSigner());
  await apis.call("door", "POST /v1/credential", { json: { request: octets } });
  await apis.call("door", "POST /v1/proof", { json: { aud: AUDIENCE } });
  await whole.scene.put({});
  await whole.heard();
}

/** A stop ends the credential: the door says so in its events, and to whoever asks. */
async function stopAndRefuse(apis: Apis): Promise<void> {
  const events = apis.call("door", "GET /v1/events", { events: 1 });
  const halt = { scope: "entry", target: ENTRY_ID, reason: "drill" };
  const stop = await apis.call("admin", "POST /v1/halts", { json: halt });
  await apis.whole.heard();
  await events;
  await apis.call("door", "POST /v1/proof", { json: { aud: AUDIENCE } });
  await apis.call("door", "GET /v1/status");
  await apis.call("admin", "GET /v1/halts");
  await apis.call("proxy", "GET /v1/status");
  await apis.call("admin", `DELETE /v1/halts/${member(stop, "id")}`);
}
