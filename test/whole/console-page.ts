import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { PAGES } from "./passkey.ts";
import type { Passkey } from "./passkey.ts";

const [ORIGIN] = PAGES.origins;

/** A call of the console's page. @param cookie the session's */
export function pageCall(
  rig: Rig,
  what: string,
  { json, cookie }: { readonly json?: object; readonly cookie?: string } = {},
): Promise<Answered> {
  return rig.call("console", what, {
    headers: {
      host: PAGES.rpId,
      origin: ORIGIN,
      "sec-fetch-site": "same-origin",
      "countersign-session": "cookie",
      ...(cookie === undefined ? {} : { cookie }),
    },
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
