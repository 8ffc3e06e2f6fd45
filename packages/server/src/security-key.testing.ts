import {
  base64,
  CONSENT_NAMESPACE,
  concat,
  fromBase64url,
  sshKeyOf,
  sshsigSignedData,
  utf8,
  writeSshsig,
} from "@countersign/core";
import type { Bytes, JsonObject, Signer } from "@countersign/core";
import { generateSigner, nodeCrypto } from "@countersign/node";
import { Owner } from "./people.testing.ts";
import { textOf } from "./world.testing.ts";
import type { Rig } from "./world.testing.ts";

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

export const APP = "ssh:agent-consent";

/** An owner with a security key whose next counter the test says. */
export class SecurityKey extends Owner {
  counter = 1;

  override async sign(bytes: Bytes, by: Signer = this.signer): Promise<JsonObject> {
    return { k: "sshsig", s: base64(await securityKeySign(by, APP, bytes, this.counter)) };
  }
}

/** Enrols a security key at this counter; as `enrolOwner`. */
export async function enrolSecurityKey(
  rig: Rig,
  counter = 1,
  coSigners: readonly Owner[] = [],
  name = "alice",
): Promise<SecurityKey> {
  const signer = generateSigner("Ed25519");
  const offered = await rig.call("admin", "POST /v1/owner/keys/options", {
    json: { name, kind: "person", jwk: signer.key, app: APP },
  });
  const { jcs, owner } = offered.body;
  if (typeof jcs !== "string") throw new Error(offered.word);
  const made = new SecurityKey(rig, textOf((owner as JsonObject)["id"]), signer); // as the server says it
  made.counter = counter;
  const bytes = fromBase64url(jcs);
  const co = coSigners.map(async (one) => ({ jkt: one.jkt, sig: await one.sign(bytes) }));
  const added = await rig.call("admin", "POST /v1/owner/keys", {
    json: {
      statement: jcs,
      sig: await made.sign(bytes),
      comment: "",
      co_signatures: await Promise.all(co),
    },
  });
  if (added.status !== 200) throw new Error(added.word);
  return made;
}
