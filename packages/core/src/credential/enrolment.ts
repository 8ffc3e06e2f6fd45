import type { Bytes } from "../crypto.ts";
import { readAttestation, writeAttestation } from "../attestation/attestation.ts";
import type { Attestation } from "../attestation/attestation.ts";
import { base64url, fromBase64url } from "../bytes.ts";
import { MAX_KEY_SIGNATURES } from "../consent/approval.ts";
import type { KeySignature } from "../consent/approval.ts";
import { readOwnerSignature } from "../consent/owner-signature.ts";
import { Members } from "../json/read.ts";
import { isObject } from "../json/strict.ts";
import type { Json } from "../json/strict.ts";
import { readCertifiedKey } from "./x5c.ts";

/** How one owner key was added: the `key` statement as signed, by the new key first, then by its co-signers. */
export interface EnrolmentStep {
  readonly st: Bytes;
  readonly sigs: readonly KeySignature[];
  /** What the added key's authenticator said of itself when it made the key. It can raise assurance, and refuses nothing. */
  readonly att?: Attestation;
  /** That the statement is in the log; needed where a co-signer was removed since (formats.md 3). */
  readonly logged?: { readonly leaf: Bytes; readonly salt: Bytes; readonly proof: string };
}

/** Longest chain of `key` statements from an accepted key (DESIGN 5.2). */
export const MAX_CHAIN_STEPS = 3;
const SALT_BYTES = 16;
const CODE = "malformed_request";

function readKeySignature(value: Json, where: string): KeySignature {
  if (!isObject(value)) return new Members(value, CODE, where).fail("sigs", "holds no object");
  const { key: _key, ...sig } = value;
  const key = readCertifiedKey(new Members(value, CODE, where).object("key"));
  return { signature: readOwnerSignature(sig), key };
}

function readLogged(members: Members): EnrolmentStep["logged"] {
  const names = ["leaf", "salt", "proof"].filter((name) => members.has(name));
  if (names.length === 0) return undefined;
  if (names.length < 3) members.fail("leaf", "salt and proof come together");
  const salt = fromBase64url(members.text("salt", { maxLength: 22 }));
  if (salt.length !== SALT_BYTES) members.fail("salt", "is not 16 octets");
  const leaf = fromBase64url(members.text("leaf", { maxLength: 2800 }));
  return { leaf, salt, proof: members.text("proof", { maxLength: 16_384 }) };
}

/** @throws Refusal `malformed_request`, `malformed_token`, `invalid_key` */
export function readEnrolmentStep(value: Json, where: string): EnrolmentStep {
  const members = new Members(value, CODE, where);
  const st = fromBase64url(members.text("st", { maxLength: 11_000 }));
  const sigs = members.list("sigs", readKeySignature, MAX_KEY_SIGNATURES);
  const att = members.optional("att", (name) =>
    readAttestation(members.raw(name), `${where}.${name}`),
  );
  const logged = readLogged(members);
  members.end();
  return {
    st,
    sigs,
    ...(att === undefined ? {} : { att }),
    ...(logged === undefined ? {} : { logged }),
  };
}

/** The wire form of one step. */
export function writeEnrolmentStep({ st, sigs, att, logged }: EnrolmentStep): object {
  return {
    st: base64url(st),
    sigs: sigs.map(({ signature, key }) => ({ ...signature, key })),
    ...(att === undefined ? {} : { att: writeAttestation(att) }),
    ...(logged === undefined
      ? {}
      : {
          leaf: base64url(logged.leaf),
          salt: base64url(logged.salt),
          proof: logged.proof,
        }),
  };
}
