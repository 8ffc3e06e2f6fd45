import { fromBase64url } from "../../packages/core/src/index.ts";
import type { Json, JsonObject } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto } from "../../packages/node/src/index.ts";
import type { Handler } from "../../packages/node/src/index.ts";
import { OwnerSessions } from "../../packages/server/src/cases/owner-sessions.ts";
import { consoleApp } from "../../packages/server/src/http/console.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { seededRandom, textOf } from "../../packages/server/src/world.testing.ts";
import { credentialOf, enrolPasskey, PAGES, Passkey } from "../whole/passkey.ts";
import { pushBrowser } from "../whole/push-browser.ts";
import type { Whole } from "../whole/whole.ts";
import type { CallOptions, Exchange } from "./openapi-story.ts";

const [ORIGIN] = PAGES.origins;

/** The console with nothing but its page. */
export function consoleOf({ scene }: Whole): Handler<object> {
  const page = new TextEncoder().encode("<!doctype html>");
  const site = new Map([["/index.html", { octets: page, type: "text/html; charset=utf-8" }]]);
  const sessions = new OwnerSessions(nodeCrypto, seededRandom("console"));
  const { owners: feed, feed: states } = scene.rig;
  return consoleApp(scene.rig.world, { feed, heeded: states.heeded, sessions, site });
}

/** What the page says of itself with every call. */
export const pageHeaders = (token: string): Readonly<Record<string, string>> => ({
  host: new URL(ORIGIN).host,
  origin: ORIGIN,
  "sec-fetch-site": "same-origin",
  "countersign-session": "cookie",
  cookie: `__Host-countersign=${token}`,
});

interface Console {
  readonly whole: Whole;
  /** Token of the session in which calls are made. */
  session: string;
  /** A question of the owner who is signed in. */
  question: string;
  call(place: "console" | "admin", what: string, options?: CallOptions): Promise<Exchange>;
}

const first = ({ values }: Exchange): Readonly<Record<string, Json>> =>
  values[0] as Readonly<Record<string, Json>>; // of an answer of ours

async function signIn(apis: Console, passkey: Passkey): Promise<void> {
  const about = await apis.call("console", "POST /v1/owner/sign-in/nonce");
  const nonce = textOf(first(about)["nonce"]);
  const json = await passkey.signIn(nonce);
  const { cookie = "" } = await apis.call("console", "POST /v1/owner/sign-in", { json });
  apis.session = /^__Host-countersign=([^;]+);/.exec(cookie)?.[1] ?? "";
}

/** The registration of a passkey: its owner, and what is posted of it, signed. */
async function registered(
  apis: Console,
  path: string,
  code: object,
): Promise<{ passkey: Passkey; bytes: Uint8Array; posted: JsonObject }> {
  const { rig } = apis.whole.scene;
  const signer = generateSigner();
  const begun = first(await apis.call("console", `POST ${path}/options`, { json: code }));
  const { challenge } = begun["options"] as JsonObject; // as the server says it
  const credential = await credentialOf(signer, textOf(challenge));
  const json = { ...code, credential };
  const taken = first(await apis.call("console", `POST ${path}/verify`, { json }));
  const statement = textOf(taken["jcs"]);
  const passkey = new Passkey(rig, "", signer);
  const bytes = fromBase64url(statement);
  return {
    passkey,
    bytes,
    posted: { statement, sig: await passkey.sign(bytes), comment: "phone" },
  };
}

/** A first key by a link, which is then cancelled. */
async function enrolByLink(apis: Console): Promise<void> {
  const { rig } = apis.whole.scene;
  const made = await rig.call("admin", "POST /v1/owner/invitations", { json: { name: "frank" } });
  const code = { code: textOf(made.body["code"]) };
  const { posted } = await registered(apis, "/v1/owner/enrolment", code);
  const json = { ...code, ...posted };
  await apis.call("console", "POST /v1/owner/enrolment/key", { json });
  await apis.call("console", "POST /v1/owner/enrolment/cancel", { json: code });
}

/** A passkey of an owner who has a key: that one signs for it. */
async function enrolFurther(apis: Console): Promise<void> {
  const { rig, owner } = apis.whole.scene;
  const invited = { name: "alice", co_signer: owner.jkt };
  const offer = async (): Promise<{ at: string; code: object; bytes: Uint8Array; jkt: string }> => {
    const made = first(await apis.call("admin", "POST /v1/owner/invitations", { json: invited }));
    const code = { code: textOf(made["code"]) };
    const { posted, bytes, passkey } = await registered(apis, "/v1/owner/enrolment", code);
    const json = { ...code, ...posted };
    await apis.call("console", "POST /v1/owner/enrolment/key", { json });
    await apis.call("console", "POST /v1/owner/enrolment/state", {
      json: { ...code, jkt: passkey.jkt },
    });
    const at = `/v1/owner/invitations/${textOf(made["id"])}`;
    await apis.call("admin", `GET ${at}`);
    return { at, code, bytes, jkt: passkey.jkt };
  };
  const declined = await offer();
  await apis.call("admin", `POST ${declined.at}/decline`, { json: {} });
  await apis.call("admin", `GET ${declined.at}`);
  const { at, bytes, jkt } = await offer();
  const json = { jkt: owner.jkt, sig: await owner.sign(bytes) };
  await apis.call("admin", `POST ${at}/co-signature`, { json });
  await rig.call("admin", `DELETE /v1/owner/keys/${jkt}`);
}

/** A second key, said to be his and removed again; printed codes. */
async function keepKeys(apis: Console, passkey: Passkey): Promise<void> {
  const { passkey: fresh, bytes, posted } = await registered(apis, "/v1/owner/keys/webauthn", {});
  const co = [{ jkt: passkey.jkt, sig: await passkey.sign(bytes) }];
  passkey.counter += 1;
  await apis.call("console", "POST /v1/owner/keys", { json: { ...posted, co_signatures: co } });
  await apis.call("console", `POST /v1/owner/keys/${fresh.jkt}/known`, { json: {} });
  await apis.call("console", "GET /v1/owner/keys");
  await apis.call("console", `DELETE /v1/owner/keys/${fresh.jkt}`);
  await apis.call("console", "POST /v1/owner/stop-codes", { json: {} });
}

/** A browser that takes notices, and then none. */
async function takeNotices(apis: Console): Promise<void> {
  const path = "/v1/owner/push-subscriptions";
  const { subscription } = pushBrowser("https://push.example.com/send/1");
  const json = { subscription, name: "Mac" };
  const id = textOf(first(await apis.call("console", `POST ${path}`, { json }))["id"]);
  await apis.call("console", `GET ${path}`);
  await apis.call("console", `POST ${path}/${id}/test`, { json: {} });
  await apis.call("console", `DELETE ${path}/${id}`);
}

/** An owner at his console, from the page to signing out; in the end he is signed in again. */
export async function sitAtConsole(apis: Console): Promise<void> {
  const { host, rig } = apis.whole.scene;
  const passkey = await enrolPasskey(rig);
  for (const path of ["/", "/index.html", "/v1/owner/console"])
    await apis.call("console", `GET ${path}`);
  await signIn(apis, passkey);
  await apis.call("console", "GET /v1/owner/me");
  await enrolByLink(apis);
  await enrolFurther(apis);
  await keepKeys(apis, passkey);
  await takeNotices(apis);
  const { body } = await host.ask({ script: 11 });
  apis.question = textOf(body["id"]);
  await apis.call("console", "GET /v1/owner/requests");
  await apis.call("console", "GET /v1/owner/events");
  await apis.call("console", "GET /v1/owner/agents");
  await apis.call("console", "POST /v1/owner/expectations", { json: { agent: "mailer" } });
  const user = { host: "host-1", uid: 1001 };
  await apis.call("console", "POST /v1/owner/starters", { json: { ...user, listed: true } });
  await apis.call("console", "GET /v1/owner/starters");
  const unwanted = `/v1/owner/requests/${apis.question}`;
  await apis.call("console", `POST ${unwanted}/block`, { json: {} });
  await apis.call("console", "GET /v1/owner/agents");
  await apis.call("console", "POST /v1/owner/agents/mailer/unblock", { json: {} });
  rig.advance(1);
  apis.question = textOf((await host.ask({ script: 11 })).body["id"]);
  const path = `/v1/owner/requests/${apis.question}`;
  const opened = await apis.call("console", `GET ${path}?jkt=${passkey.jkt}`);
  const statement = textOf(first(opened)["jcs"]);
  const sig = await passkey.sign(fromBase64url(statement));
  passkey.counter += 1;
  const json = { decision: "approve", statement, sig };
  await apis.call("console", `POST ${path}/decision`, { json });
  await apis.call("console", "GET /v1/owner/requests?all=1");
  await apis.call("console", "GET /v1/owner/agents");
  const halt = { scope: "entry", target: ENTRY_ID };
  const stop = await apis.call("console", "POST /v1/owner/halt", { json: halt });
  await apis.call("console", `GET /v1/owner/stops/${textOf(first(stop)["id"])}`);
  await apis.call("console", "GET /v1/owner/agents");
  await apis.call("console", "GET /v1/owner/agents/mailer");
  await apis.call("console", "GET /v1/owner/habits");
  await apis.call("console", "GET /v1/owner/log");
  await apis.call("console", "GET /v1/owner/log?before=3");
  await apis.call("console", "POST /v1/owner/sign-out");
  await signIn(apis, passkey);
  await apis.call("console", "POST /v1/owner/sign-out-everywhere");
  await apis.call("console", "GET /v1/owner/me");
  await signIn(apis, passkey);
}
