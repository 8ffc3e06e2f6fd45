import { parseWorkloadId, sealWit, thumbprint } from "@countersign/core";
import type { Signer, WitDraft } from "@countersign/core";
import { generateSigner, nodeCrypto } from "../../packages/node/src/crypto.ts";

/** A WIT of 900 s issued at second 1000, with the changes named. */
export async function sealFor(
  subject: string,
  issuer: Signer,
  change: Partial<WitDraft> = {},
): Promise<{ readonly octets: string; readonly kid: string; readonly holder: Signer }> {
  const holder = generateSigner();
  const draft: WitDraft = {
    iss: "https://id.example.org",
    sub: parseWorkloadId(subject),
    iat: 1000,
    nbf: 970,
    exp: 1900,
    jti: "AAAAAAAAAAAAAAAAAAAAAA",
    confirmation: { key: holder.key, alg: holder.alg },
    ...change,
  };
  const { octets } = await sealWit(nodeCrypto, draft, issuer);
  return { octets, kid: thumbprint(nodeCrypto, issuer.key), holder };
}
