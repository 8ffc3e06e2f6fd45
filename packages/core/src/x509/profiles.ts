import type { Bytes, Crypto, Jwk, Seconds, Signer } from "../crypto.ts";
import { equalBytes } from "../bytes.ts";
import { oid, sequence, setOf, utf8String } from "../der/write.ts";
import { parseOrigin, parseWorkloadId } from "../identifier/workload.ts";
import { sameKey } from "../jose/jwk.ts";
import { Refusal } from "../refusal.ts";
import {
  authorityKeyId,
  basicConstraints,
  buildCertificate,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyId,
} from "./build.ts";
import type { AltNames } from "./build.ts";
import type { Certificate } from "./certificate.ts";
import { writeExtension } from "./extension.ts";
import { OID } from "./oids.ts";
import { encodeOwnerBinding } from "./owner-binding.ts";
import type { OwnerBinding } from "./owner-binding.ts";
import { keyIdOf } from "./spki.ts";

/** The two hierarchies of a server: nobody who trusts one trusts the other. */
export type Hierarchy = "infrastructure" | "agents";

/** What every certificate needs. */
interface Common {
  /** 16–20 random octets. */
  readonly serial: Bytes;
  readonly notBefore: Seconds;
  /** At most the issuer's own end. */
  readonly notAfter: Seconds;
}

interface Authority extends Common {
  /** For example `spiffe://example.org`: the one URI of the certificate. */
  readonly origin: string;
  readonly hierarchy: Hierarchy;
  /** Common name, for people; at most 64 characters. */
  readonly name: string;
}
/** A root signs itself. */
export type RootTemplate = Authority;
/** An issuing CA under a root. */
export interface IssuingCaTemplate extends Authority {
  readonly key: Jwk;
  readonly issuer: Certificate;
}

interface Leaf extends Common {
  /** Canonical workload identifier. */
  readonly uri: string;
  readonly key: Jwk;
  readonly issuer: Certificate;
}
export interface WicTemplate extends Leaf {
  readonly owner?: OwnerBinding;
}
export interface ServerTlsTemplate extends Leaf {
  readonly dns: readonly string[];
  /** Addresses as text: `127.0.0.1`, `::1`. */
  readonly ips: readonly string[];
}
export type ProxyTemplate = Leaf;
export type GatewayTemplate = Leaf;

const MAX_COMMON_NAME = 64;
const NO_NAME: Bytes = sequence();
/** What is the same in every leaf. */
const END_ENTITY: Bytes = basicConstraints("end entity");
const SIGNS: Bytes = keyUsage("digitalSignature");
const BOTH_ROLES: Bytes = extendedKeyUsage("serverAuth", "clientAuth");

function part(type: string, text: string): Bytes {
  return setOf(sequence(oid(type), utf8String(text)));
}

/** Both roles and both hierarchies have names of their own, whatever common name is given. */
function authorityName(input: Authority, role: string): Bytes {
  const length = input.name.length;
  if (length === 0 || length > MAX_COMMON_NAME)
    throw new Refusal("signer_unsuitable", "a common name has 1 to 64 characters");
  return sequence(
    part(OID.organization, "Countersign"),
    part(OID.organizationalUnit, `${input.hierarchy} ${role}`),
    part(OID.commonName, input.name),
  );
}

/** Refuses a signer that is not the issuer, an issuer that may not issue, and a life that outlives it. */
function checkIssuer(issuer: Certificate, notAfter: Seconds, by: Signer): void {
  const isAble = issuer.basicConstraints?.isCa === true && issuer.keyUsage?.keyCertSign === true;
  if (!isAble || !sameKey(issuer.key, by.key))
    throw new Refusal("signer_unsuitable", "the signer is not the issuing CA");
  if (notAfter > issuer.notAfter)
    throw new Refusal("signer_unsuitable", "the certificate would outlive its issuer");
}

function issuerKeyId(c: Crypto, issuer: Certificate): Bytes {
  return issuer.subjectKeyId ?? keyIdOf(c, issuer.key);
}

/**
 * A self-signed root: CA for one more CA, keyCertSign, the bare origin as its URI.
 * @throws Refusal `signer_unsuitable`, `invalid_identifier`
 */
export async function buildRoot(c: Crypto, input: RootTemplate, by: Signer): Promise<Bytes> {
  const name = authorityName(input, "root");
  const extensions = [
    basicConstraints({ pathLength: 1 }),
    keyUsage("keyCertSign"),
    subjectAltName({ uri: parseOrigin(input.origin).origin }, false),
    subjectKeyId(c, by.key),
  ];
  return buildCertificate(
    c,
    { ...input, issuer: name, subject: name, key: by.key, extensions },
    by,
  );
}

/**
 * An issuing CA under a root: CA for leaves only.
 * @throws Refusal `signer_unsuitable`, `invalid_identifier`
 */
export async function buildIssuingCa(
  c: Crypto,
  input: IssuingCaTemplate,
  by: Signer,
): Promise<Bytes> {
  checkIssuer(input.issuer, input.notAfter, by);
  const subject = authorityName(input, "issuing CA");
  if (equalBytes(subject, input.issuer.subject))
    throw new Refusal("signer_unsuitable", "an issuing CA needs a root above it");
  const extensions = [
    basicConstraints({ pathLength: 0 }),
    keyUsage("keyCertSign"),
    subjectAltName({ uri: parseOrigin(input.origin).origin }, false),
    subjectKeyId(c, input.key),
    authorityKeyId(issuerKeyId(c, input.issuer)),
  ];
  return buildCertificate(c, { ...input, issuer: input.issuer.subject, subject, extensions }, by);
}

/** A leaf: no subject name, its names in a critical subjectAltName. */
function buildLeaf(
  c: Crypto,
  input: Leaf,
  names: AltNames,
  more: readonly Bytes[],
  by: Signer,
): Promise<Bytes> {
  checkIssuer(input.issuer, input.notAfter, by);
  const extensions = [
    subjectAltName({ ...names, uri: parseWorkloadId(names.uri).uri }, true),
    END_ENTITY,
    SIGNS,
    subjectKeyId(c, input.key),
    authorityKeyId(issuerKeyId(c, input.issuer)),
    ...more,
  ];
  return buildCertificate(
    c,
    { ...input, issuer: input.issuer.subject, subject: NO_NAME, extensions },
    by,
  );
}

/**
 * A Workload Identity Certificate that is an X509-SVID too: exactly one URI, for both TLS roles, with the owner
 * binding where there is an owner (draft-ietf-wimse-workload-creds 6.1, draft-ietf-wimse-mutual-tls 3.2).
 * @throws Refusal `signer_unsuitable`, `invalid_identifier`, `malformed_certificate` for an owner binding that does not fit
 */
export async function buildWic(c: Crypto, input: WicTemplate, by: Signer): Promise<Bytes> {
  const owner =
    input.owner === undefined
      ? []
      : [writeExtension(OID.ownerBinding, false, encodeOwnerBinding(input.owner))];
  const more = [BOTH_ROLES, ...owner];
  return buildLeaf(c, input, { uri: input.uri }, more, by);
}

/**
 * The server's TLS certificate: its identifier beside the host names and addresses that clients call.
 * @throws Refusal `signer_unsuitable`, `invalid_identifier`, `configuration_invalid` for an address
 */
export async function buildServerTls(
  c: Crypto,
  input: ServerTlsTemplate,
  by: Signer,
): Promise<Bytes> {
  const { uri, dns, ips } = input;
  return buildLeaf(c, input, { uri, dns, ips }, [extendedKeyUsage("serverAuth")], by);
}

/**
 * A proxy's certificate (LDevID): client of the server only.
 * @throws Refusal `signer_unsuitable`, `invalid_identifier`
 */
export async function buildProxy(c: Crypto, input: ProxyTemplate, by: Signer): Promise<Bytes> {
  return buildLeaf(c, input, { uri: input.uri }, [extendedKeyUsage("clientAuth")], by);
}

/**
 * A gateway's certificate: client of the server, and server of the proxies that it stands before.
 * @throws Refusal `signer_unsuitable`, `invalid_identifier`
 */
export async function buildGateway(c: Crypto, input: GatewayTemplate, by: Signer): Promise<Bytes> {
  return buildLeaf(c, input, { uri: input.uri }, [BOTH_ROLES], by);
}
