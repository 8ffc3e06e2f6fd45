import {
  base64,
  challengeOf,
  judgeAttestation,
  pemEncode,
  readAttestation,
  readAttestationRoot,
  readCbor,
  readRegistration,
  thumbprint,
  writeAttestation,
} from "@countersign/core";
import type { Cbor } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { AT, writeCbor } from "../../packages/core/src/attestation/authenticator.testing.ts";
import { PAGES } from "../../packages/core/src/consent/authenticator.testing.ts";
import { credulous, ofJson, ofOctets, ofText } from "./parser.ts";
import type { Parser } from "./parser.ts";
import type { Samples } from "./samples.ts";

/** The attestation object with another certificate in it. */
function objectWith(obj: Uint8Array, der: Uint8Array): Uint8Array {
  const object = readCbor(obj) as ReadonlyMap<string, Cbor>; // as it was just made
  const statement = object.get("attStmt") as ReadonlyMap<string, Cbor>; // likewise
  return writeCbor(new Map([...object, ["attStmt", new Map([...statement, ["x5c", [der]]])]]));
}

/** CBOR, and what authenticators say of themselves in it. */
export function attestationParsers({ story, attestation, maker }: Samples): readonly Parser[] {
  const { obj, cd } = attestation;
  const jkt = thumbprint(nodeCrypto, story.keys.wit.key);
  const context = { jkt, pages: PAGES, roots: [maker.root], at: AT };
  const ceremony = { challenge: challengeOf(cd, PAGES), pages: PAGES };
  return [
    ofOctets("registration", "cbor", [obj], (octets) =>
      readRegistration(nodeCrypto, { obj: octets, cd }, ceremony),
    ),
    ofOctets("client data of a registration", "json", [cd], (octets) => challengeOf(octets, PAGES)),
    ofOctets("CBOR", "cbor", [obj], readCbor, 8192),
    ofJson("attestation", [writeAttestation(attestation)], (value) =>
      readAttestation(value, "att"),
    ),
    ofOctets("attestation object", "cbor", [obj], (octets) =>
      judgeAttestation(credulous, { ...attestation, obj: octets }, context),
    ),
    ofText(
      "root of a maker",
      "der",
      [pemEncode("CERTIFICATE", maker.root), base64(maker.root)],
      readAttestationRoot,
    ),
    ofOctets("certificate of an attestation", "der", [maker.certificate], (der) =>
      judgeAttestation(credulous, { ...attestation, obj: objectWith(obj, der) }, context),
    ),
    ofOctets("client data of an attestation", "json", [cd], (octets) =>
      judgeAttestation(credulous, { ...attestation, cd: octets }, context),
    ),
  ];
}
