import { beforeAll, describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { concat } from "../bytes.ts";
import { FLAG } from "../consent/authenticator-data.ts";
import { PAGES } from "../consent/authenticator.testing.ts";
import { octetString, sequence } from "../der/write.ts";
import { thumbprint } from "../jose/jwk.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { basicConstraints, keyUsage } from "../x509/build.ts";
import { writeExtension } from "../x509/extension.ts";
import { judgeAttestation, readAttestation, writeAttestation } from "./attestation.ts";
import type { AttestationContext, AttestationResult } from "./attestation.ts";
import {
  AAGUID,
  AT,
  coseOf,
  makeMaker,
  registrationOf,
  writeCbor,
} from "./authenticator.testing.ts";
import type {
  CertificateOtherwise,
  Maker,
  RegistrationOtherwise,
} from "./authenticator.testing.ts";
import type { Cbor } from "./cbor.ts";

const SIGNERS = { ES256: generateSigner("P-256"), Ed25519: generateSigner("Ed25519") };
const UP_UV_AT = FLAG.UP | FLAG.UV | FLAG.AT;
const other = generateSigner().key;
const ONE_OCTET = Uint8Array.of(0);

let maker: Maker;
let stranger: Maker;
beforeAll(async () => {
  [maker, stranger] = [await makeMaker(), await makeMaker()];
});

const without = (name: string) => (usual: Map<string, Cbor>) =>
  new Map([...usual].filter(([key]) => key !== name));
const put = (name: string, value: Cbor) => (usual: Map<string, Cbor>) =>
  new Map<string, Cbor>([...usual, [name, value]]);
const ec = (change: readonly (readonly [number, Cbor])[]): Cbor =>
  new Map([...(coseOf(other) as ReadonlyMap<number, Cbor>), ...change]); // as the writer makes it

type Row = readonly [name: string, otherwise: RegistrationOtherwise, wanted: AttestationResult];
const ROWS: readonly Row[] = [
  ["as an authenticator makes it", {}, "verified"],
  [
    "with extension data",
    { flags: UP_UV_AT | FLAG.ED, tail: writeCbor(new Map([["credProtect", 2]])) },
    "verified",
  ],
  [
    "with members in another order",
    { object: (usual) => new Map([...usual].toReversed()) },
    "verified",
  ],
  ["with a member of the browser's", { client: { extra: null } }, "verified"],
  ["signed by the key itself", { statement: without("x5c") }, "untrusted"],
  // client data
  ["made as an assertion", { client: { type: "webauthn.get" } }, "invalid"],
  ["at another origin", { client: { origin: "https://evil.test" } }, "invalid"],
  ["inside another page", { client: { crossOrigin: true } }, "invalid"],
  ["with topOrigin", { client: { topOrigin: PAGES.origins[0] } }, "invalid"],
  // authenticator data
  ["for another RP ID", { rpId: "example.com" }, "invalid"],
  ["without touch", { flags: FLAG.UV | FLAG.AT }, "invalid"],
  ["without PIN or finger", { flags: FLAG.UP | FLAG.AT }, "invalid"],
  ["without the flag of an attested key", { flags: FLAG.UP | FLAG.UV }, "invalid"],
  ["backed up, not eligible", { flags: UP_UV_AT | FLAG.BS }, "invalid"],
  ["of another make than the certificate", { aaguid: new Uint8Array(16) }, "invalid"],
  ["with octets after its end", { tail: ONE_OCTET }, "invalid"],
  ["extensions that are not there", { flags: UP_UV_AT | FLAG.ED }, "invalid"],
  [
    "extensions that are no map",
    { flags: UP_UV_AT | FLAG.ED, tail: Uint8Array.of(0x80) },
    "invalid",
  ],
  ["shorter than its head", { authData: (usual) => usual.subarray(0, 36) }, "invalid"],
  ["that ends in the AAGUID", { authData: (usual) => usual.subarray(0, 50) }, "invalid"],
  ["that ends in the credential id", { authData: (usual) => usual.subarray(0, 60) }, "invalid"],
  [
    "a credential id of 1024 octets",
    {
      authData: (usual) => concat(usual.subarray(0, 53), Uint8Array.of(4, 0), new Uint8Array(1100)),
    },
    "invalid",
  ],
  // the key inside
  ["of another key", { cose: coseOf(other) }, "invalid"],
  ["a key with another algorithm", { cose: ec([[3, -257]]) }, "invalid"],
  ["a key on another curve", { cose: ec([[-1, 2]]) }, "invalid"],
  ["a key of another type", { cose: ec([[1, 3]]) }, "invalid"],
  ["a key with a member more", { cose: ec([[2, ONE_OCTET]]) }, "invalid"],
  ["a key with a short coordinate", { cose: ec([[-2, ONE_OCTET]]) }, "invalid"],
  ["a key that is no map", { cose: [] }, "invalid"],
  // the statement
  ["another algorithm", { statement: put("alg", -8) }, "invalid"],
  ["RS256", { statement: put("alg", -257) }, "invalid"],
  ["an algorithm in words", { statement: put("alg", "ES256") }, "invalid"],
  ["without algorithm", { statement: without("alg") }, "invalid"],
  ["without signature", { statement: without("sig") }, "invalid"],
  ["a member more", { statement: put("ecdaaKeyId", ONE_OCTET) }, "invalid"],
  ["no certificate in the list", { statement: put("x5c", []) }, "invalid"],
  ["a text for a certificate", { statement: put("x5c", ["A"]) }, "invalid"],
  ["octets that are no certificate", { statement: put("x5c", [ONE_OCTET]) }, "invalid"],
  [
    "five certificates",
    {
      statement: put(
        "x5c",
        Array.from({ length: 5 }, () => ONE_OCTET),
      ),
    },
    "invalid",
  ],
  ["a statement that is no map", { statement: () => [] }, "invalid"],
  [
    "a signature with one octet more",
    { signature: (usual) => concat(usual, ONE_OCTET) },
    "invalid",
  ],
  ["no signature octets", { signature: () => new Uint8Array(0) }, "invalid"],
  // the object
  ["another fmt inside", { object: put("fmt", "tpm") }, "invalid"],
  ["an object with a member more", { object: put("ep", true) }, "invalid"],
  ["an object without authData", { object: without("authData") }, "invalid"],
  ["authData that is no octets", { object: put("authData", "A") }, "invalid"],
  ["octets after the object", { octets: (usual) => concat(usual, ONE_OCTET) }, "invalid"],
  ["no object", { octets: () => new Uint8Array(0) }, "invalid"],
];

type CertificateRow = readonly [string, CertificateOtherwise, AttestationResult];
const CERTIFICATES: readonly CertificateRow[] = [
  ["without AAGUID", { aaguid: "none" }, "verified"],
  ["of an Ed25519 key", { key: "Ed25519" }, "verified"],
  [
    "with key usage",
    { extensions: [basicConstraints("end entity"), keyUsage("digitalSignature")] },
    "verified",
  ],
  ["for another make", { aaguid: new Uint8Array(16) }, "invalid"],
  ["with an AAGUID of 15 octets", { aaguid: AAGUID.subarray(1) }, "invalid"],
  ["without country", { subject: { country: "" } }, "invalid"],
  ["with a country in words", { subject: { country: "Sweden" } }, "invalid"],
  ["without vendor", { subject: { vendor: "" } }, "invalid"],
  ["of another unit", { subject: { unit: "Authenticator attestation" } }, "invalid"],
  ["without unit", { subject: { unit: "" } }, "invalid"],
  ["without name", { subject: { name: "" } }, "invalid"],
  ["that is a CA", { extensions: [basicConstraints({ pathLength: 0 })] }, "invalid"],
  [
    "that does not say that it is no CA",
    { extensions: [writeExtension("1.2.3.4", false, octetString(AAGUID))] },
    "invalid",
  ],
  ["with a critical AAGUID", { aaguid: "critical" }, "untrusted"],
  [
    "with a critical extension that nobody knows",
    { extensions: [basicConstraints("end entity"), writeExtension("1.2.3.4", true, sequence())] },
    "untrusted",
  ],
  ["that was over when the key was made", { notAfter: AT - 1 }, "untrusted"],
];

describe.each(Object.entries(SIGNERS))("packed attestation of an %s key", (_alg, { key }) => {
  const context = (change: Partial<AttestationContext> = {}): AttestationContext => ({
    jkt: thumbprint(c, key),
    pages: PAGES,
    roots: [stranger.root, maker.root],
    at: AT,
    ...change,
  });

  it.each(ROWS)("%s → $2", async (_name, otherwise, wanted) => {
    const attestation = await registrationOf(key, maker, otherwise);
    expect((await judgeAttestation(c, attestation, context())).result).toBe(wanted);
  });

  it.each(CERTIFICATES)("by a certificate %s → $2", async (_name, otherwise, wanted) => {
    const own = await makeMaker(otherwise);
    const attestation = await registrationOf(key, own);
    const found = await judgeAttestation(c, attestation, context({ roots: [own.root] }));
    expect(found.result).toBe(wanted);
  });

  it.each<readonly [string, () => Partial<AttestationContext>]>([
    ["no root is configured", () => ({ roots: [] })],
    ["the maker's root is not configured", () => ({ roots: [stranger.root] })],
    ["the certificate is not valid yet", () => ({ at: AT - 366 * 86_400 })],
  ])("is untrusted where %s", async (_name, change) => {
    const attestation = await registrationOf(key, maker);
    expect(await judgeAttestation(c, attestation, context(change()))).toEqual({
      result: "untrusted",
    });
  });

  it("tells make and model, and whether the key can be copied", async () => {
    const judged = async (flags: number): Promise<object> =>
      judgeAttestation(c, await registrationOf(key, maker, { flags }), context());
    const aaguid = "01020304-0506-0708-090a-0b0c0d0e0f10";
    expect(await judged(UP_UV_AT)).toEqual({ result: "verified", aaguid, isDeviceBound: true });
    expect(await judged(UP_UV_AT | FLAG.BE)).toEqual({
      result: "verified",
      aaguid,
      isDeviceBound: false,
    });
  });

  it("counts in no other format, and none is none", async () => {
    const attestation = await registrationOf(key, maker);
    const judged = async (fmt: string): Promise<string> =>
      (await judgeAttestation(c, { ...attestation, fmt }, context())).result;
    for (const fmt of ["tpm", "android-key", "apple", "fido-u2f", "ssh-sk-attest-v01"])
      expect(await judged(fmt)).toBe("unknown_format");
    expect(await judged("none")).toBe("none");
    expect(await judgeAttestation(c, undefined, context())).toEqual({ result: "none" });
  });

  it("with any one octet changed is not verified", async () => {
    const attestation = await registrationOf(key, maker);
    for (const name of ["obj", "cd"] as const)
      for (let at = 0; at < attestation[name].length; at += 1) {
        const octets = Uint8Array.from(attestation[name]);
        octets[at] = (octets[at] ?? 0) ^ 1;
        const changed = { ...attestation, [name]: octets };
        const { result } = await judgeAttestation(c, changed, context());
        expect([name, at, result]).not.toEqual([name, at, "verified"]);
      }
  });
});

describe("an attestation on the wire", async () => {
  const attestation = await registrationOf(SIGNERS.ES256.key, await makeMaker());
  const written = JSON.parse(JSON.stringify(writeAttestation(attestation))) as Record<
    string,
    string
  >; // three texts

  it("reads back", () => {
    expect(readAttestation(written, "att")).toEqual(attestation);
  });

  const bad = "malformed_request";
  it.each<readonly [string, object, string]>([
    ["as written", {}, "accepted"],
    ["of another format, whatever it holds", { fmt: "tpm", obj: "AAAA" }, "accepted"],
    ["6144 octets", { obj: "A".repeat(8192) }, "accepted"],
    ["6145 octets", { obj: `${"A".repeat(8192)}AA` }, bad],
    ["client data of 4096 octets", { cd: "A".repeat(5462) }, "accepted"],
    ["client data of 4098 octets", { cd: "A".repeat(5464) }, bad],
    ["no obj", { obj: undefined }, bad],
    ["no cd", { cd: undefined }, bad],
    ["no fmt", { fmt: undefined }, bad],
    ["a fmt with a space", { fmt: "packed " }, bad],
    ["a fmt too long", { fmt: "a".repeat(33) }, bad],
    ["a member more", { roots: [] }, bad],
    ["padding", { obj: "AA==" }, "malformed_token"],
  ])("%s → $2", async (_name, change, wanted) => {
    const value = JSON.parse(JSON.stringify({ ...written, ...change })) as Record<string, string>; // as above
    expect(await outcomeOf(() => readAttestation(value, "att"))).toBe(wanted);
  });
});
