import { base64url, Members } from "@countersign/core";
import type { Json } from "@countersign/core";
import { json, readJsonBody } from "@countersign/node";
import type { Routes } from "@countersign/node";
import { beginRegistration, takeRegistration } from "../cases/passkeys.ts";
import type { NewPasskey } from "../cases/passkeys.ts";
import type { World } from "../world.ts";
import { ownerView } from "./owner-view.ts";

const MAX_BODY_BYTES = 32_768;
const MAX_TRANSPORTS = 8;
const BAD = "malformed_request";

/** The credential as a page's `toJSON()` writes it (WebAuthn 5.1); what it repeats of the attestation object is not read. */
export function readCredential(members: Members): Omit<NewPasskey, "name"> {
  members.choice("type", ["public-key"] as const);
  const id = members.text("id", { maxLength: 1364 });
  if (members.text("rawId", { maxLength: 1364 }) !== id) members.fail("rawId", "is not id");
  members.raw("authenticatorAttachment");
  members.raw("clientExtensionResults");
  const inner = members.object("response");
  const transport = (item: Json): string =>
    typeof item === "string" && /^[a-z-]{1,32}$/.test(item)
      ? item
      : inner.fail("transports", "holds something else");
  const publicKey = inner.optional("publicKey", (name) => inner.text(name, { maxLength: 256 }));
  for (const repeated of ["authenticatorData", "publicKeyAlgorithm"]) inner.raw(repeated);
  const read = {
    id,
    clientDataJSON: inner.text("clientDataJSON", { maxLength: 5462 }),
    attestationObject: inner.text("attestationObject", { maxLength: 10_923 }),
    transports:
      inner.optional("transports", (name) => inner.list(name, transport, MAX_TRANSPORTS)) ?? [],
    ...(publicKey === undefined ? {} : { publicKey }),
  };
  inner.end();
  members.end();
  return read;
}

/** The two calls of a registration; what the new key signs then goes to `POST /v1/owner/keys`, as of any other key. */
export function passkeyRoutes(w: World): Routes<object> {
  return {
    "POST /v1/owner/keys/webauthn/options": async (request) => {
      const posted = new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, "registration");
      const name = posted.text("name", { maxLength: 64 });
      posted.end();
      const { owner, options, exp } = await beginRegistration(w, name);
      return json({ owner: ownerView(owner), options, expires_at: exp });
    },
    "POST /v1/owner/keys/webauthn/verify": async (request) => {
      const posted = new Members(await readJsonBody(request, MAX_BODY_BYTES), BAD, "registration");
      const name = posted.text("name", { maxLength: 64 });
      const credential = readCredential(posted.object("credential"));
      posted.end();
      const { owner, statement } = await takeRegistration(w, { ...credential, name });
      return json({
        owner: ownerView(owner),
        jcs: base64url(statement.bytes),
        digest: statement.cs,
        credential_id: credential.id,
      });
    },
  };
}
