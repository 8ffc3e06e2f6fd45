import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64url, concat, utf8 } from "../bytes.ts";
import type { Bytes, Signer } from "../crypto.ts";
import { integer, sequence } from "../der/write.ts";
import type { WebauthnSignature } from "./owner-signature.ts";
import { statementChallenge } from "./statement.ts";

/** Flag bits of authenticator data (WebAuthn 6.1). */
export const FLAG = { UP: 0x01, UV: 0x04, BE: 0x08, BS: 0x10, AT: 0x40, ED: 0x80 } as const;

/** One thing that an authenticator or its browser does otherwise. */
export interface Otherwise {
  readonly rpId?: string;
  readonly flags?: number;
  readonly counter?: number;
  /** Octets after the first 37 of the authenticator data. */
  readonly tail?: Bytes;
  /** Members of the client data; `undefined` leaves one out. */
  readonly client?: Readonly<Record<string, unknown>>;
  /** The client data's text in place of all that. */
  readonly text?: (usual: string) => string;
  readonly authenticatorData?: (usual: Bytes) => Bytes;
  /** The signature as the authenticator writes it. */
  readonly signature?: (usual: Bytes) => Bytes;
}

export const PAGES = {
  rpId: "consent.example.com",
  origins: ["https://consent.example.com"],
} as const;

/** ECDSA in DER, as authenticators write it. */
export function derOf(raw: Bytes): Bytes {
  const half = raw.length / 2;
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

/** A software authenticator and the browser before it: what they make for a statement. */
export async function assertionOf(
  signer: Signer,
  statementBytes: Bytes,
  otherwise: Otherwise = {},
): Promise<WebauthnSignature> {
  const { rpId = PAGES.rpId, flags = FLAG.UP | FLAG.UV, counter = 7 } = otherwise;
  const head = new Uint8Array(5);
  new DataView(head.buffer).setUint8(0, flags);
  new DataView(head.buffer).setUint32(1, counter);
  const usualData = concat(c.sha256(utf8(rpId)), head, otherwise.tail ?? new Uint8Array(0));
  const data = otherwise.authenticatorData?.(usualData) ?? usualData;
  const usualText = JSON.stringify({
    type: "webauthn.get",
    challenge: base64url(statementChallenge(c, statementBytes)),
    origin: PAGES.origins[0],
    crossOrigin: false,
    ...otherwise.client,
  });
  const text = utf8(otherwise.text?.(usualText) ?? usualText);
  const raw = await signer.sign(concat(data, c.sha256(text)));
  const usual = signer.key.kty === "EC" ? derOf(raw) : raw;
  const signature = otherwise.signature?.(usual) ?? usual;
  return { k: "webauthn", a: base64url(data), c: base64url(text), s: base64url(signature) };
}
