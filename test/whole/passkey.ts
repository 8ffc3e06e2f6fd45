import {
  makeMaker,
  registrationOf,
} from "../../packages/core/src/attestation/authenticator.testing.ts";
import type {
  Maker,
  RegistrationOtherwise,
} from "../../packages/core/src/attestation/authenticator.testing.ts";
import { assertionOf, FLAG } from "../../packages/core/src/consent/authenticator.testing.ts";
import type { Otherwise } from "../../packages/core/src/consent/authenticator.testing.ts";
import { base64url, fromBase64url, loginChallenge, spkiOf } from "../../packages/core/src/index.ts";
import type { Bytes, Cbor, JsonObject, Signer } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto } from "../../packages/node/src/index.ts";
import { Owner } from "../../packages/server/src/people.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered, Rig } from "../../packages/server/src/world.testing.ts";

export const PAGES = {
  rpId: "consent.example.org",
  origins: ["https://consent.example.org"],
} as const;
/** What every passkey has as its credential id. */
export const CREDENTIAL: string = base64url(new Uint8Array(16).fill(9));
const UP_UV = FLAG.UP | FLAG.UV;
/** Flags of a passkey that stays on its device, of one that may be copied, and of one that was. */
export const BOUND: number = UP_UV;
export const ELIGIBLE: number = UP_UV | FLAG.BE;
export const SYNCED: number = ELIGIBLE | FLAG.BS;

const YEARS = 20 * 365 * 86_400;
let maker: Promise<Maker> | undefined;
/** Certificates of this maker are valid whenever the tests run: the library looks at the clock of the machine. */
export const usualMaker = (): Promise<Maker> => (maker ??= makeMaker({ validSeconds: YEARS }));

/** What authenticator, browser or page do otherwise. */
export interface PasskeyOtherwise extends RegistrationOtherwise {
  /** Attestation: none, by the key itself, or by the maker's certificate (default). */
  readonly attestation?: "none" | "self" | "maker";
  /** Members of the credential that the page posts, and of its `response`. */
  readonly page?: JsonObject;
  readonly response?: JsonObject;
}

const bare = (usual: Map<string, Cbor>): Cbor =>
  new Map([...usual].filter(([name]) => name !== "x5c"));

/** The credential that the page posts. */
export async function credentialOf(
  signer: Signer,
  challenge: string,
  otherwise: PasskeyOtherwise = {},
): Promise<JsonObject> {
  const { attestation = "maker", page, response, ...rest } = otherwise;
  const made = await registrationOf(
    signer.key,
    attestation === "self" ? { ...(await usualMaker()), signer } : await usualMaker(),
    {
      pages: PAGES,
      flags: BOUND | FLAG.AT,
      ...rest,
      client: { challenge, ...rest.client },
      ...(attestation === "self" ? { statement: bare } : {}),
      ...(attestation === "none"
        ? {
            object: (usual) =>
              new Map<string, Cbor>([
                ["fmt", "none"],
                ["attStmt", new Map()],
                ["authData", usual.get("authData") ?? ""],
              ]),
          }
        : {}),
    },
  );
  return {
    id: CREDENTIAL,
    rawId: CREDENTIAL,
    type: "public-key",
    authenticatorAttachment: "platform",
    clientExtensionResults: { credProps: { rk: true } },
    response: {
      clientDataJSON: base64url(made.cd),
      attestationObject: base64url(made.obj),
      transports: ["internal"],
      publicKey: base64url(spkiOf(signer.key)),
      publicKeyAlgorithm: signer.key.kty === "EC" ? -7 : -8,
      ...response,
    },
    ...page,
  };
}

/** An owner with a passkey: authenticator and browser in software. */
export class Passkey extends Owner {
  /** That its next signature shows; a sign-in takes one by itself. */
  counter = 2;
  flags: number = BOUND;
  otherwise: Otherwise = {};

  override async sign(bytes: Bytes, by: Signer = this.signer): Promise<JsonObject> {
    const { counter, flags, otherwise } = this;
    const client = { origin: PAGES.origins[0], ...otherwise.client };
    const usual = { rpId: PAGES.rpId, counter, flags, ...otherwise, client };
    return { ...(await assertionOf(by, bytes, usual)) };
  }

  /** What a page posts to sign in with it. */
  async signIn(
    nonce: string,
    otherwise: Otherwise & { readonly by?: Signer; readonly id?: string } = {},
  ): Promise<{ nonce: string; credential_id: string; sig: JsonObject }> {
    const { by = this.signer, id = CREDENTIAL, ...rest } = otherwise;
    const { counter, flags } = this;
    const challenge = base64url(loginChallenge(nodeCrypto, nonce));
    const client = { origin: PAGES.origins[0], challenge, ...rest.client };
    const usual = { rpId: PAGES.rpId, counter, flags, ...rest, client };
    const sig = await assertionOf(by, new Uint8Array(0), usual);
    this.counter += 1;
    return { nonce, credential_id: id, sig: { ...sig } };
  }
}

/** Begins a registration. @returns its challenge */
export async function beginRegistration(rig: Rig, name = "alice"): Promise<string> {
  const { body } = await rig.call("admin", "POST /v1/owner/keys/webauthn/options", {
    json: { name },
  });
  return textOf((body["options"] as JsonObject)["challenge"]); // as the server says it
}

export function register(rig: Rig, credential: JsonObject, name = "alice"): Promise<Answered> {
  const json = { name, credential };
  return rig.call("admin", "POST /v1/owner/keys/webauthn/verify", { json });
}

/** Enrols a passkey by both ceremonies. @throws Error with the word of the refusal */
export async function enrolPasskey(
  rig: Rig,
  flags: number = BOUND,
  otherwise: PasskeyOtherwise & {
    readonly key?: Signer;
    /** Of the owner; default alice. */
    readonly name?: string;
    readonly coSigners?: readonly Owner[];
  } = {},
): Promise<Passkey> {
  const { key: signer = generateSigner(), name, coSigners = [], ...rest } = otherwise;
  const made = { flags: flags | FLAG.AT, ...rest };
  const credential = await credentialOf(signer, await beginRegistration(rig, name), made);
  const taken = await register(rig, credential, name);
  const { jcs, owner } = taken.body;
  if (typeof jcs !== "string") throw new Error(taken.word);
  const passkey = new Passkey(rig, textOf((owner as JsonObject)["id"]), signer); // as the server says it
  passkey.flags = flags;
  const bytes = fromBase64url(jcs);
  const co = coSigners.map(async (one) => ({ jkt: one.jkt, sig: await one.sign(bytes) }));
  const json = {
    statement: jcs,
    sig: await passkey.sign(bytes),
    comment: "phone",
    co_signatures: await Promise.all(co),
  };
  const added = await rig.call("admin", "POST /v1/owner/keys", { json });
  if (added.status !== 200) throw new Error(added.word);
  for (const one of [passkey, ...coSigners]) if (one instanceof Passkey) one.counter += 1;
  return passkey;
}
