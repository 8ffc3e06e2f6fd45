import { fromBase64url, statementChallenge } from "@countersign/core";
import { base64url } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import type { Home } from "../e2e/countersign.ts";
import type { Page } from "playwright-core";
import type { Desk } from "./browser.ts";

/** What the page of the test sees of the platform; the test's own program has no browser. */
declare const PublicKeyCredential: {
  parseCreationOptionsFromJSON(options: object): object;
  parseRequestOptionsFromJSON(options: object): object;
};
declare const navigator: {
  readonly credentials: {
    create(options: object): Promise<{ toJSON(): Record<string, unknown> }>;
    get(options: object): Promise<{ toJSON(): Record<string, unknown> }>;
  };
};

interface Assertion {
  readonly response: {
    readonly authenticatorData: string;
    readonly clientDataJSON: string;
    readonly signature: string;
  };
}

/** Lets the authenticator of a page sign a statement, as the console does. */
export async function assertAt(
  page: Page,
  of: { readonly statement: string; readonly credentialId: string; readonly rpId: string },
): Promise<object> {
  const challenge = base64url(statementChallenge(nodeCrypto, fromBase64url(of.statement)));
  const made = (await page.evaluate(
    async (wanted) =>
      (
        await navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON({
            challenge: wanted.challenge,
            rpId: wanted.rpId,
            userVerification: "required",
            allowCredentials: [{ id: wanted.credentialId, type: "public-key" }],
          }),
        })
      ).toJSON(),
    { ...of, challenge },
  )) as unknown as Assertion; // as WebAuthn says
  const { authenticatorData: a, clientDataJSON: c, signature: s } = made.response;
  return { k: "webauthn", a, c, s };
}

/** Makes a passkey of this desk's authenticator the owner's, with both ceremonies on a page of the console's origin. */
export async function enrolPasskey(
  desk: Desk,
  home: Home,
  at: { readonly origin: string; readonly name: string; readonly comment: string },
): Promise<{ readonly jkt: string }> {
  const post = (path: string, json: object): Promise<Record<string, unknown>> =>
    home.local("server.sock", path, json);
  await desk.page.goto(`${at.origin}/signed.svg`);
  const { options } = await post("/v1/owner/keys/webauthn/options", { name: at.name });
  const credential = await desk.page.evaluate(
    async (creation) =>
      (
        await navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(creation),
        })
      ).toJSON(),
    options as object,
  );
  const offered = await post("/v1/owner/keys/webauthn/verify", { name: at.name, credential });
  const statement = String(offered["jcs"]);
  const credentialId = String(offered["credential_id"]);
  const sig = await assertAt(desk.page, { statement, credentialId, rpId: "localhost" });
  const key = await post("/v1/owner/keys", {
    statement,
    comment: at.comment,
    sig,
  });
  if (typeof key["jkt"] !== "string") throw new Error(JSON.stringify(key));
  return { jkt: key["jkt"] };
}
