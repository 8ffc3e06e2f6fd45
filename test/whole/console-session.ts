import type { JsonObject } from "../../packages/core/src/index.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { PAGES } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";

const [ORIGIN] = PAGES.origins;
const HERE = {
  host: "consent.example.org",
  origin: ORIGIN,
  "sec-fetch-site": "same-origin",
  "countersign-session": "cookie",
};

type Headers = Readonly<Record<string, string | undefined>>;

/** An owner who has signed in at the console; `call` is a call of his page. */
export interface Session {
  call(what: string, json?: JsonObject, headers?: Headers): Promise<Answered>;
}

/** A call of the console's page. */
function callOf(
  rig: Rig,
  what: string,
  json: JsonObject | undefined,
  more: Headers,
): Promise<Answered> {
  const headers = Object.fromEntries(
    Object.entries({ ...HERE, ...more }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
  return rig.call("console", what, { headers, ...(json === undefined ? {} : { json }) });
}

/** Signs in with a passkey, as the page does. */
export async function signInAt(rig: Rig, passkey: Passkey): Promise<Session> {
  const nonce = textOf((await callOf(rig, "POST /v1/owner/sign-in/nonce", {}, {})).body["nonce"]);
  const posted = await passkey.signIn(nonce);
  const entered = await callOf(rig, "POST /v1/owner/sign-in", posted, {});
  const [cookie] = (entered.headers.get("set-cookie") ?? "").split(";");
  return { call: (what, json, headers = {}) => callOf(rig, what, json, { cookie, ...headers }) };
}
