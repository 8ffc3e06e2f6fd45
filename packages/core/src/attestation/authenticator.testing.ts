import { generateSigner, nodeCrypto as c, nodeRandom } from "../../../node/src/crypto.ts";
import { base64url, concat, fromBase64url, utf8 } from "../bytes.ts";
import { FLAG } from "../consent/authenticator-data.ts";
import { derOf, PAGES } from "../consent/authenticator.testing.ts";
import type { ConsentPages } from "../consent/client-data.ts";
import type { Bytes, Jwk, Seconds, Signer } from "../crypto.ts";
import { octetString, oid, printableString, sequence, setOf, utf8String } from "../der/write.ts";
import { basicConstraints, buildCertificate, keyUsage } from "../x509/build.ts";
import { writeExtension } from "../x509/extension.ts";
import { OID } from "../x509/oids.ts";
import type { Attestation } from "./attestation.ts";
import type { Cbor } from "./cbor.ts";

/** The second at which everything here is valid. */
export const AT: Seconds = 1_800_000_000;
export const AAGUID: Bytes = new Uint8Array(16).map((_, i) => i + 1);
const DAY = 86_400;

function head(type: number, value: number): Bytes {
  if (value < 24) return Uint8Array.of((type << 5) | value);
  const count = value < 256 ? 1 : value < 65_536 ? 2 : 4;
  const octets = Array.from({ length: count }, (_, i) =>
    Math.floor(value / 256 ** (count - 1 - i)),
  );
  return Uint8Array.of((type << 5) | (23 + Math.log2(count) + 1), ...octets);
}

/** A value in the one form that the reader takes. */
export function writeCbor(value: Cbor): Bytes {
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xf5 : 0xf4);
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return concat(head(3, utf8(value).length), utf8(value));
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (value instanceof Map)
    return concat(
      head(5, value.size),
      ...[...(value as ReadonlyMap<string | number, Cbor>)].flatMap(([name, item]) => [
        writeCbor(name),
        writeCbor(item),
      ]),
    );
  const list = value as readonly Cbor[]; // no other kind is left
  return concat(head(4, list.length), ...list.map(writeCbor));
}

/** A COSE key. */
export function coseOf(key: Jwk): Cbor {
  const x = fromBase64url(key.x);
  return key.kty === "OKP"
    ? new Map<number, Cbor>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, x],
      ])
    : new Map<number, Cbor>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, x],
        [-3, fromBase64url(key.y)],
      ]);
}

/** A maker of authenticators: its root, and the certificate and key that all devices of one make share. */
export interface Maker {
  readonly root: Bytes;
  readonly rootKey: Signer;
  readonly certificate: Bytes;
  readonly signer: Signer;
}

/** The attestation certificate, otherwise. */
export interface CertificateOtherwise {
  /** Attributes of the subject; an empty text leaves one out. */
  readonly subject?: Partial<Record<"country" | "vendor" | "unit" | "name", string>>;
  readonly aaguid?: Bytes | "none" | "critical";
  readonly extensions?: readonly Bytes[];
  readonly notAfter?: Seconds;
  /** Before and after `AT`, in place of a year; for readers that look at the clock of the machine. */
  readonly validSeconds?: Seconds;
  readonly key?: "P-256" | "Ed25519";
}

const AAGUID_EXTENSION = "1.3.6.1.4.1.45724.1.1.4";

export function subjectOf(otherwise?: CertificateOtherwise["subject"]): Bytes {
  const text = {
    country: "SE",
    vendor: "Example Keys AB",
    unit: "Authenticator Attestation",
    name: "Example Keys EE 1",
    ...otherwise,
  };
  const part = (id: string, value: Bytes): Bytes => setOf(sequence(oid(id), value));
  return sequence(
    ...(text.country === "" ? [] : [part("2.5.4.6", printableString(text.country))]),
    ...(text.vendor === "" ? [] : [part(OID.organization, utf8String(text.vendor))]),
    ...(text.unit === "" ? [] : [part(OID.organizationalUnit, utf8String(text.unit))]),
    ...(text.name === "" ? [] : [part(OID.commonName, utf8String(text.name))]),
  );
}

function extensionsOf({ aaguid = AAGUID, extensions }: CertificateOtherwise): readonly Bytes[] {
  const make =
    aaguid === "none"
      ? []
      : aaguid === "critical"
        ? [writeExtension(AAGUID_EXTENSION, true, octetString(AAGUID))]
        : [writeExtension(AAGUID_EXTENSION, false, octetString(aaguid))];
  return [...(extensions ?? [basicConstraints("end entity")]), ...make];
}

const ROOT_NAME: Bytes = sequence(setOf(sequence(oid(OID.commonName), utf8String("Example root"))));

export async function makeMaker(otherwise: CertificateOtherwise = {}): Promise<Maker> {
  const rootKey = generateSigner();
  const signer = generateSigner(otherwise.key ?? "P-256");
  const valid = otherwise.validSeconds ?? 365 * DAY;
  const common = { issuer: ROOT_NAME, notBefore: AT - valid };
  const root = await buildCertificate(
    c,
    {
      ...common,
      serial: nodeRandom(16),
      subject: ROOT_NAME,
      notAfter: AT + 3650 * DAY,
      key: rootKey.key,
      extensions: [basicConstraints({ pathLength: 1 }), keyUsage("keyCertSign")],
    },
    rootKey,
  );
  const certificate = await buildCertificate(
    c,
    {
      ...common,
      serial: nodeRandom(16),
      subject: subjectOf(otherwise.subject),
      notAfter: otherwise.notAfter ?? AT + valid,
      key: signer.key,
      extensions: extensionsOf(otherwise),
    },
    rootKey,
  );
  return { root, rootKey, certificate, signer };
}

/** One thing that authenticator or browser do otherwise when a key is made. */
export interface RegistrationOtherwise {
  readonly pages?: ConsentPages;
  readonly rpId?: string;
  readonly flags?: number;
  readonly aaguid?: Bytes;
  /** The key inside, in place of the new one. */
  readonly cose?: Cbor;
  /** Octets after the key. */
  readonly tail?: Bytes;
  readonly authData?: (usual: Bytes) => Bytes;
  readonly client?: Readonly<Record<string, unknown>>;
  readonly statement?: (usual: Map<string, Cbor>) => Cbor;
  readonly object?: (usual: Map<string, Cbor>) => Cbor;
  readonly octets?: (usual: Bytes) => Bytes;
  readonly signature?: (usual: Bytes) => Bytes;
}

function authDataOf(key: Jwk, pages: ConsentPages, otherwise: RegistrationOtherwise): Bytes {
  const { rpId = pages.rpId, flags = FLAG.UP | FLAG.UV | FLAG.AT } = otherwise;
  const id = new Uint8Array(16).fill(9);
  const usual = concat(
    c.sha256(utf8(rpId)),
    Uint8Array.of(flags, 0, 0, 0, 1),
    otherwise.aaguid ?? AAGUID,
    Uint8Array.of(0, id.length),
    id,
    writeCbor(otherwise.cose ?? coseOf(key)),
    otherwise.tail ?? new Uint8Array(0),
  );
  return otherwise.authData?.(usual) ?? usual;
}

/** A software authenticator of this maker that makes a key: what is registered, with a packed attestation. */
export async function registrationOf(
  key: Jwk,
  maker: Pick<Maker, "certificate" | "signer">,
  otherwise: RegistrationOtherwise = {},
): Promise<Attestation> {
  const pages = otherwise.pages ?? PAGES;
  const authData = authDataOf(key, pages, otherwise);
  const cd = utf8(
    JSON.stringify({
      type: "webauthn.create",
      challenge: base64url(nodeRandom(32)),
      origin: pages.origins[0],
      crossOrigin: false,
      ...otherwise.client,
    }),
  );
  const raw = await maker.signer.sign(concat(authData, c.sha256(cd)));
  const isEc = maker.signer.key.kty === "EC";
  const usual = isEc ? derOf(raw) : raw;
  const statement = new Map<string, Cbor>([
    ["alg", isEc ? -7 : -8],
    ["sig", otherwise.signature?.(usual) ?? usual],
    ["x5c", [maker.certificate]],
  ]);
  const object = new Map<string, Cbor>([
    ["fmt", "packed"],
    ["attStmt", otherwise.statement?.(statement) ?? statement],
    ["authData", authData],
  ]);
  const octets = writeCbor(otherwise.object?.(object) ?? object);
  return { fmt: "packed", obj: otherwise.octets?.(octets) ?? octets, cd };
}
