import { createPrivateKey } from "node:crypto";
import {
  base64,
  base64url,
  CONSENT_NAMESPACE,
  fromUtf8,
  makeOwnerJws,
  makeSshsig,
  parseOpensshPrivateKey,
  Refusal,
  thumbprint,
} from "@countersign/core";
import type { Bytes, Crypto, EnrolledKey, OwnerKind, OwnerSignature } from "@countersign/core";
import type { Signer } from "@countersign/core";
import { privateKeyFromPem, readPrivateFile, signerOf } from "@countersign/node";

const MAX_KEY_BYTES = 16_384;
const OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----";

/** The key with which this gateway signs for its owner. */
export interface OwnerKey {
  /** As the server has it enrolled. */
  readonly enrolled: EnrolledKey;
  sign(statement: Bytes): Promise<OwnerSignature>;
}

/** Whose key it is, as the configuration says. */
export interface OwnerOfKey {
  readonly owner: string;
  readonly kind: Exclude<OwnerKind, "person">;
}

/** A key that signs: an OpenSSH key as SSHSIG, any other as JWS. */
export function ownerKeyOf(
  c: Crypto,
  signer: Signer,
  form: "sshsig" | "jws",
  of: OwnerOfKey,
): OwnerKey {
  return {
    enrolled: {
      jkt: thumbprint(c, signer.key),
      jwk: signer.key,
      owner: of.owner,
      ownerKind: of.kind,
      isSoftware: true,
      basis: "admin",
    },
    sign: async (statement) =>
      form === "jws"
        ? makeOwnerJws(signer, statement)
        : { k: "sshsig", s: base64(await makeSshsig(c, signer, CONSENT_NAMESPACE, statement)) },
  };
}

function opened(text: string): { readonly signer: Signer; readonly form: "sshsig" | "jws" } {
  if (!text.startsWith(OPENSSH)) return { signer: signerOf(privateKeyFromPem(text)), form: "jws" };
  const { jwk, seedOrScalar } = parseOpensshPrivateKey(text);
  const key = createPrivateKey({ format: "jwk", key: { ...jwk, d: base64url(seedOrScalar) } });
  return { signer: signerOf(key), form: "sshsig" };
}

/**
 * Loads the owner's key: an unencrypted OpenSSH or PKCS#8 private key, mode 0600.
 * @throws Refusal `configuration_invalid` where there is none, `private_mode`, `signer_unsuitable`
 */
export async function loadOwnerKey(c: Crypto, path: string, of: OwnerOfKey): Promise<OwnerKey> {
  const octets = await readPrivateFile(path, MAX_KEY_BYTES);
  if (octets === undefined)
    throw new Refusal(
      "configuration_invalid",
      `${path} is missing`,
      "Correct the setting owner_key.",
    );
  try {
    const { signer, form } = opened(fromUtf8(octets));
    return ownerKeyOf(c, signer, form, of);
  } catch {
    // the words of whoever failed could quote the file
    throw new Refusal("signer_unsuitable", `${path} is not an unencrypted private key`);
  }
}
