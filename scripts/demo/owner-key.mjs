// The owner's key of the demo: a file as `ssh-keygen -t ed25519` makes it, without OpenSSH at hand.
import { writeFile } from "node:fs/promises";
import {
  CONSENT_NAMESPACE,
  fromBase64url,
  makeSshsig,
  sshKeyOf,
  writeArmor,
  writeOpensshPrivateKey,
  writePublicKeyLine,
} from "@countersign/core";
import {
  generatePrivateKey,
  nodeCrypto,
  nodeRandom,
  publicJwkOf,
  signerOf,
} from "@countersign/node";

/** Makes a key and writes it to `path` (mode 0600) and `path`.pub. */
export async function makeOwnerKey(path) {
  const secret = generatePrivateKey("Ed25519");
  const jwk = publicJwkOf(secret);
  const seed = fromBase64url(secret.export({ format: "jwk" }).d);
  const line = writePublicKeyLine(sshKeyOf(jwk), "demo");
  const file = writeOpensshPrivateKey(nodeRandom, { jwk, seed, comment: "demo" });
  await writeFile(path, file, { mode: 0o600 });
  await writeFile(`${path}.pub`, `${line}\n`);
  const signer = signerOf(secret);
  return {
    path,
    /** A line of `allowed_signers`: this key, for approvals only. */
    allowed: `owner namespaces="${CONSENT_NAMESPACE}" ${line}\n`,
    /** What `ssh-keygen -Y sign -n agent-consent-v1@countersign` writes. */
    sign: async (octets) =>
      writeArmor(await makeSshsig(nodeCrypto, signer, CONSENT_NAMESPACE, octets)),
  };
}
