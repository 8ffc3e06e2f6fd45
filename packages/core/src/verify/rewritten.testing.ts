import { nodeCrypto as c, nodeRandom } from "../../../node/src/crypto.ts";
import { base64url, fromBase64url, utf8 } from "../bytes.ts";
import type { IssueParts } from "../credential/issue.ts";
import type { Signer } from "../crypto.ts";
import { parseJsonObject } from "../json/strict.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { buildWic } from "../x509/profiles.ts";
import type { StoryOptions } from "./story.testing.ts";

/** The same token with other claims, signed again. */
export async function rewritten(
  wit: string,
  by: Signer,
  change: StoryOptions["claims"],
): Promise<string> {
  if (change === undefined) return wit;
  const [header = "", payload = ""] = wit.split(".");
  const claims = parseJsonObject(fromBase64url(payload), { maxBytes: 8192, maxDepth: 8 });
  const input = `${header}.${base64url(utf8(JSON.stringify(change(claims))))}`;
  return `${input}.${base64url(await by.sign(utf8(input)))}`;
}

/** The same certificate with another owner binding, signed again. */
export async function rebound(
  chain: readonly Uint8Array[],
  ca: IssueParts["ca"],
  change: StoryOptions["binding"],
): Promise<readonly Uint8Array[]> {
  const [der = new Uint8Array(), ...above] = chain;
  if (change === undefined) return chain;
  const { notBefore, notAfter, uris, key, ownerBinding } = parseCertificate(der);
  if (ownerBinding === undefined) throw new TypeError("the certificate names an owner");
  const [serial, uri = ""] = [nodeRandom(20), ...uris];
  const leaf = { serial, notBefore, notAfter, uri, key, issuer: ca.certificate };
  return [await buildWic(c, { ...leaf, owner: change(ownerBinding) }, ca.signer), ...above];
}
