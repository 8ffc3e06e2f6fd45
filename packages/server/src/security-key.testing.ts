import {
  CONSENT_NAMESPACE,
  concat,
  sshKeyOf,
  sshsigSignedData,
  utf8,
  writeSshsig,
} from "@countersign/core";
import type { Bytes, Signer } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";

const TOUCHED_AND_KNOWN = 0x05;

function u32(value: number): Bytes {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}

function string(data: Bytes | string): Bytes {
  const octets = typeof data === "string" ? utf8(data) : data;
  return concat(u32(octets.length), octets);
}

/** The SSHSIG that a security key would make: an Ed25519 key in software, flags and counter inside what it signs. */
export async function securityKeySign(
  signer: Signer,
  app: string,
  message: Bytes,
  counter = 1,
): Promise<Bytes> {
  const namespace = CONSENT_NAMESPACE;
  const inner = sshsigSignedData(nodeCrypto, namespace, "sha512", message);
  const said = concat(Uint8Array.of(TOUCHED_AND_KNOWN), u32(counter));
  const raw = await signer.sign(
    concat(nodeCrypto.sha256(utf8(app)), said, nodeCrypto.sha256(inner)),
  );
  const signature = concat(string("sk-ssh-ed25519@openssh.com"), string(raw), said);
  const publicKey = sshKeyOf(signer.key, app).blob;
  return writeSshsig({ publicKey, namespace, hash: "sha512", signature });
}
