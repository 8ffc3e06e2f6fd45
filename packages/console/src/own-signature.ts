import { readJwk, verifyApproval } from "@countersign/core";
import type { JsonObject, OwnerSignature, Statement } from "@countersign/core";
import type { App } from "./app.ts";

/**
 * Verifies the owner's own signature in this browser, as a stranger would. The statement names the key by its thumbprint, so
 * whatever key the server shows must have that one.
 * @param keys those of the owner, as the server shows them
 * @throws Refusal as `verifyApproval`
 */
export async function verifyOwn(
  { c, place }: Pick<App, "c" | "place">,
  statement: Statement,
  sig: OwnerSignature,
  keys: readonly JsonObject[],
): Promise<void> {
  const jwk = keys.find((item) => item["jkt"] === statement.body.owner.jkt)?.["jwk"];
  const pages = { rpId: place.rpId, origins: [window.location.origin] };
  const key = { jwk: readJwk(jwk), app: place.rpId };
  await verifyApproval(c, statement, sig, key, { pages });
}
