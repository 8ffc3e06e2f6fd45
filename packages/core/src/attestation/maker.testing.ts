import { generateKeyPairSync, sign as signWith } from "node:crypto";
import { generateSigner, nodeRandom } from "../../../node/src/crypto.ts";
import type { Bytes, Seconds, Signer } from "../crypto.ts";
import {
  bitString,
  explicit,
  integer,
  nullValue,
  oid,
  sequence,
  setOf,
  time,
  utf8String,
} from "../der/write.ts";
import { writeAlgorithm, writeSignature } from "../x509/algorithm.ts";
import { basicConstraints, keyUsage } from "../x509/build.ts";
import { OID } from "../x509/oids.ts";
import { spkiOf } from "../x509/spki.ts";
import { AT, subjectOf } from "./authenticator.testing.ts";

const DAY = 86_400;

/** A key that signs certificates, of any kind that makers use. */
export interface Hand {
  readonly spki: Bytes;
  /** AlgorithmIdentifier of its signatures. */
  readonly algorithm: Bytes;
  /** The BIT STRING of a signature. */
  readonly sign: (tbs: Bytes) => Promise<Bytes>;
}

export function ecHand(signer: Signer = generateSigner()): Hand {
  return {
    spki: spkiOf(signer.key),
    algorithm: writeAlgorithm(signer.alg),
    sign: async (tbs) => writeSignature(signer.alg, await signer.sign(tbs)),
  };
}

export function rsaHand(modulusLength = 2048): Hand {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength });
  return {
    spki: new Uint8Array(publicKey.export({ format: "der", type: "spki" })),
    algorithm: sequence(oid("1.2.840.113549.1.1.11"), nullValue()),
    sign: async (tbs) => bitString(new Uint8Array(signWith("sha256", tbs, privateKey))),
  };
}

export const nameOf = (text: string): Bytes =>
  sequence(setOf(sequence(oid(OID.commonName), utf8String(text))));

/** What stands in one certificate of a chain, from the leaf up; what is absent is as the rules have it. */
export interface ChainCertificate {
  readonly hand?: Hand;
  readonly subject?: Bytes;
  /** In place of the subject of the one above. */
  readonly issuer?: Bytes;
  /** Who signs in place of the one above. */
  readonly by?: Hand;
  readonly extensions?: readonly Bytes[];
  readonly notBefore?: Seconds;
  readonly notAfter?: Seconds;
}

async function certificateOf(one: Required<ChainCertificate>): Promise<Bytes> {
  const serial = nodeRandom(16);
  serial[0] = 0x41;
  const { algorithm } = one.by;
  const tbs = sequence(
    explicit(0, integer(2)),
    integer(serial),
    algorithm,
    one.issuer,
    sequence(time(one.notBefore), time(one.notAfter)),
    one.subject,
    one.hand.spki,
    explicit(3, sequence(...one.extensions)),
  );
  return sequence(tbs, algorithm, await one.by.sign(tbs));
}

function extensionsAt(index: number): readonly Bytes[] {
  if (index === 0) return [basicConstraints("end entity")];
  return [basicConstraints({ pathLength: index - 1 }), keyUsage("keyCertSign")];
}

/** Certificates of a maker, DER, leaf first, root last; the leaf's key is `signer`. */
export async function makeChain(
  signer: Signer,
  parts: readonly ChainCertificate[],
): Promise<readonly Bytes[]> {
  const full = parts.map((part, index) => ({
    hand: index === 0 ? ecHand(signer) : ecHand(),
    subject: index === 0 ? subjectOf() : nameOf(`Example CA ${index}`),
    extensions: extensionsAt(index),
    notBefore: AT - DAY,
    notAfter: AT + DAY,
    ...part,
  }));
  return Promise.all(
    full.map((one, index) => {
      const above = full[index + 1] ?? one;
      return certificateOf({ issuer: above.subject, by: above.hand, ...one });
    }),
  );
}
