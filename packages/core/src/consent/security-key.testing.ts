import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { concat, utf8 } from "../bytes.ts";
import type { Bytes, Signer } from "../crypto.ts";
import { sshKeyOf, sshTypeOf } from "./ssh/key.ts";
import { CONSENT_NAMESPACE, sshsigSignedData, writeSshsig } from "./ssh/sshsig.ts";
import { sshMpint, sshString, sshUint32 } from "./ssh/wire.ts";

const TOUCHED_AND_KNOWN = 0x05;

/** The SSHSIG that a security key would make: a key in software, flags and counter inside what it signs. */
export async function securityKeySign(
  signer: Signer,
  app: string,
  message: Bytes,
  counter = 1,
): Promise<Bytes> {
  const namespace = CONSENT_NAMESPACE;
  const inner = sshsigSignedData(c, namespace, "sha512", message);
  const said = concat(Uint8Array.of(TOUCHED_AND_KNOWN), sshUint32(counter));
  const raw = await signer.sign(concat(c.sha256(utf8(app)), said, c.sha256(inner)));
  const { kind, blob: publicKey } = sshKeyOf(signer.key, app);
  const halves = [raw.subarray(0, 32), raw.subarray(32)].map(sshMpint);
  const body = signer.key.kty === "EC" ? concat(...halves) : raw;
  const signature = concat(sshString(sshTypeOf(kind)), sshString(body), said);
  return writeSshsig({ publicKey, namespace, hash: "sha512", signature });
}
