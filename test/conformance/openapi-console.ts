import { assertionOf } from "../../packages/core/src/consent/authenticator.testing.ts";
import { base64url, fromBase64url, loginChallenge } from "../../packages/core/src/index.ts";
import type { Json } from "../../packages/core/src/index.ts";
import { nodeCrypto } from "../../packages/node/src/index.ts";
import type { Handler } from "../../packages/node/src/index.ts";
import { OwnerSessions } from "../../packages/server/src/cases/owner-sessions.ts";
import { consoleApp } from "../../packages/server/src/http/console.ts";
import { ENTRY_ID } from "../../packages/server/src/people.testing.ts";
import { seededRandom, textOf } from "../../packages/server/src/world.testing.ts";
import { BOUND, enrolPasskey, PAGES } from "../whole/passkey.ts";
import type { Passkey } from "../whole/passkey.ts";
import type { Whole } from "../whole/whole.ts";
import type { CallOptions, Exchange } from "./openapi-story.ts";

const [ORIGIN] = PAGES.origins;
/** As `passkey.ts` makes it. */
const CREDENTIAL = base64url(new Uint8Array(16).fill(9));

/** The console with nothing but its page. */
export function consoleOf({ scene }: Whole): Handler<object> {
  const page = new TextEncoder().encode("<!doctype html>");
  const site = new Map([["/index.html", { octets: page, type: "text/html; charset=utf-8" }]]);
  const sessions = new OwnerSessions(nodeCrypto, seededRandom("console"));
  return consoleApp(scene.rig.world, { feed: scene.rig.owners, sessions, site });
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
  call(place: "console", what: string, options?: CallOptions): Promise<Exchange>;
}

const first = ({ values }: Exchange): Readonly<Record<string, Json>> =>
  values[0] as Readonly<Record<string, Json>>; // of an answer of ours

async function signIn(apis: Console, passkey: Passkey): Promise<void> {
  const about = await apis.call("console", "POST /v1/owner/sign-in/nonce");
  const nonce = textOf(first(about)["nonce"]);
  const challenge = base64url(loginChallenge(nodeCrypto, nonce));
  const sig = await assertionOf(passkey.signer, new Uint8Array(0), {
    rpId: PAGES.rpId,
    counter: 0,
    flags: BOUND,
    client: { origin: ORIGIN, challenge },
  });
  const json = { nonce, credential_id: CREDENTIAL, sig };
  const { cookie = "" } = await apis.call("console", "POST /v1/owner/sign-in", { json });
  apis.session = /^__Host-countersign=([^;]+);/.exec(cookie)?.[1] ?? "";
}

/** An owner at his console, from the page to signing out; in the end he is signed in again. */
export async function sitAtConsole(apis: Console): Promise<void> {
  const { host, rig } = apis.whole.scene;
  const passkey = await enrolPasskey(rig);
  for (const path of ["/", "/index.html", "/v1/owner/console"])
    await apis.call("console", `GET ${path}`);
  await signIn(apis, passkey);
  await apis.call("console", "GET /v1/owner/me");
  const { body } = await host.ask({ script: 11 });
  apis.question = textOf(body["id"]);
  await apis.call("console", "GET /v1/owner/requests");
  await apis.call("console", "GET /v1/owner/events");
  await apis.call("console", "GET /v1/owner/agents");
  const path = `/v1/owner/requests/${apis.question}`;
  const opened = await apis.call("console", `GET ${path}?jkt=${passkey.jkt}`);
  const statement = textOf(first(opened)["jcs"]);
  const sig = await passkey.sign(fromBase64url(statement));
  const json = { decision: "approve", statement, sig };
  await apis.call("console", `POST ${path}/decision`, { json });
  await apis.call("console", "GET /v1/owner/requests?all=1");
  await apis.call("console", "GET /v1/owner/agents");
  await apis.call("console", "POST /v1/owner/halt", { json: { scope: "entry", target: ENTRY_ID } });
  await apis.call("console", "GET /v1/owner/agents");
  await apis.call("console", "POST /v1/owner/sign-out");
  await apis.call("console", "GET /v1/owner/me");
  await signIn(apis, passkey);
}
