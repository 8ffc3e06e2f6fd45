import { fromBase64url } from "../../packages/core/src/index.ts";
import type { JsonObject, Signer } from "../../packages/core/src/index.ts";
import { generateSigner } from "../../packages/node/src/index.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";
import { pageCall } from "./console-page.ts";
import { credentialOf, Passkey } from "./passkey.ts";

/** The configuration of a server whose owners have a console. */
export const CONSOLE = { console_port: 8444 };

/** One step of an enrolment, as the page takes it. */
export const step = (rig: Rig, what: string, code: string, more: object = {}): Promise<Answered> =>
  pageCall(rig, `POST /v1/owner/enrolment/${what}`, { json: { code, ...more } });

/** A key that was made on the page, and what the page posts of it last. */
export interface Begun {
  readonly passkey: Passkey;
  readonly signed: { readonly statement: string; readonly comment: string; sig: JsonObject };
}

/** Both ceremonies of a key, up to the post that enrols or offers it. */
export async function ceremonies(
  rig: Rig,
  code: string,
  signer: Signer = generateSigner(),
): Promise<Begun> {
  const { body } = await step(rig, "options", code);
  const challenge = textOf((body["options"] as JsonObject)["challenge"]); // as the server says it
  const { body: taken } = await step(rig, "verify", code, {
    credential: await credentialOf(signer, challenge),
  });
  const statement = textOf(taken["jcs"]);
  const passkey = new Passkey(rig, textOf((taken["owner"] as JsonObject)["id"]), signer);
  const sig = await passkey.sign(fromBase64url(statement));
  passkey.counter += 1;
  return { passkey, signed: { statement, comment: "MacBook", sig } };
}

/** The keys of an owner, as an administrator is told them. */
export async function keysOf(rig: Rig, name: string): Promise<readonly JsonObject[]> {
  const { body } = await rig.call("admin", "GET /v1/owners");
  const owner = (body["owners"] as readonly JsonObject[]).find((one) => one["name"] === name);
  return (owner?.["keys"] ?? []) as readonly JsonObject[]; // as the server says it
}

/** The records of one type that the log holds, oldest first. */
export async function recordsOf(rig: Rig, type: string): Promise<readonly JsonObject[]> {
  return (await rig.world.store.logRows(0, 1000))
    .filter((row) => row.type === type)
    .map(({ record }) => JSON.parse(new TextDecoder().decode(record)) as JsonObject); // written by us
}
