import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { PAGES } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";

const [ORIGIN] = PAGES.origins;

const HERE = {
  host: PAGES.rpId,
  origin: ORIGIN,
  "sec-fetch-site": "same-origin",
  "countersign-session": "cookie",
};

/** Headers in the place of the page's own; undefined: without it. */
type Headers = Readonly<Record<string, string | undefined>>;

/** An owner who has signed in at the console; `call` is a call of his page. */
export interface Session {
  call(what: string, json?: object, headers?: Headers): Promise<Answered>;
}

/** A call of the console's page. @param cookie the session's */
export function pageCall(
  rig: Rig,
  what: string,
  {
    json,
    cookie,
    headers = {},
  }: { readonly json?: object; readonly cookie?: string; readonly headers?: Headers } = {},
): Promise<Answered> {
  const sent = Object.entries({ ...HERE, cookie, ...headers }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return rig.call("console", what, {
    headers: Object.fromEntries(sent),
    ...(json === undefined ? {} : { json }),
  });
}

/** Posts a sign-in by this passkey. */
export async function signIn(rig: Rig, passkey: Passkey): Promise<Answered> {
  const { body } = await pageCall(rig, "POST /v1/owner/sign-in/nonce", { json: {} });
  const nonce = textOf(body["nonce"]);
  const json = await passkey.signIn(nonce);
  return pageCall(rig, "POST /v1/owner/sign-in", { json });
}

/** The cookie of a session begun with this passkey. @throws Error with the word of the refusal */
export async function sessionOf(rig: Rig, passkey: Passkey): Promise<string> {
  const answer = await signIn(rig, passkey);
  if (answer.status !== 200) throw new Error(answer.word);
  return (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

/** Signs in with a passkey, as the page does. @throws Error with the word of the refusal */
export async function signInAt(rig: Rig, passkey: Passkey): Promise<Session> {
  const cookie = await sessionOf(rig, passkey);
  return {
    call: (what, json, headers = {}) =>
      pageCall(rig, what, { cookie, headers, ...(json === undefined ? {} : { json }) }),
  };
}
