import {
  fromUtf8,
  hex,
  isCredentialStatement,
  isObject,
  parseCertificate,
  parseCompact,
  parseJsonObject,
  parseTlogProof,
  pemDecode,
  readApprovalPart,
  readBundle,
  readConfirmationJwk,
  readJwk,
  readOwnerClaim,
  readStatement,
  readTrustBundle,
  Refusal,
  signedText,
  thumbprint,
} from "@countersign/core";
import type {
  ApprovalPart,
  Bytes,
  Certificate,
  CredentialPart,
  Crypto,
  Json,
  JsonObject,
  Jwk,
  OwnerClaim,
  Seconds,
  Statement,
} from "@countersign/core";
import { printable } from "@countersign/node";
import { duration, instant } from "./terminal.ts";

/** What a file is and says. Nothing of it was verified. */
export interface Inspection {
  readonly kind: "token" | "certificates" | "bundle" | "approval" | "trust bundle";
  readonly title: string;
  readonly value: JsonObject;
  readonly lines: readonly string[];
}

const MAX_TOKEN_BYTES = 16_384;
const MAX_CERTIFICATES = 8;
const LOOSE = { maxBytes: 1_048_576, maxDepth: 16, nullAllowed: true, fractionsAllowed: true };
const DER_SEQUENCE = 0x30;

/** A line of a name and a value; values come from strangers. */
function field(name: string, value: string): string {
  return `  ${name.padEnd(12)}${printable(value)}`;
}

/** The last second of the year 9999: what lies behind it has no usual spelling. */
const LAST_INSTANT = 253_402_300_799;

function when(at: Seconds, now: Seconds): string {
  if (at > LAST_INSTANT) return `second ${at}`;
  const words = at >= now ? `in ${duration(at - now)}` : `${duration(now - at)} ago`;
  return `${instant(at)} (${words})`;
}

function timeField(name: string, value: Json | undefined, now: Seconds): readonly string[] {
  const isTime = typeof value === "number" && value >= 0;
  return isTime ? [field(name, when(Math.floor(value), now))] : [];
}

function keyWords(c: Crypto, key: Jwk): string {
  return `${key.crv}, thumbprint ${thumbprint(c, key)}`;
}

function ownerLines(c: Crypto, owner: OwnerClaim, now: Seconds): readonly string[] {
  return [
    field("owner", `${owner.id} (${owner.kind})`),
    field(
      "  key",
      `${keyWords(c, owner.jwk)}, enrolled by ${owner.eb}${owner.eb === "tofu" ? " (first use: nobody has checked whose it is)" : ""}`,
    ),
    field("  statement", owner.cs),
    field("  approval", `ends ${when(owner.exp, now)}`),
    field("  assurance", `${owner.oa} of 4, ${owner.model}-mediated, issue ${owner.n} under it`),
  ];
}

/** A claim that does not have its form is shown as such: looking must not depend on its being right. */
function orFault(name: string, lines: () => readonly string[]): readonly string[] {
  try {
    return lines();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [field(name, `not well formed (${error.message})`)];
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : value === undefined ? "-" : JSON.stringify(value);
}

function witLines(c: Crypto, claims: JsonObject, now: Seconds): readonly string[] {
  const { cnf, countersign_owner: owner } = claims;
  return [
    field("agent", textOf(claims["sub"])),
    field("issuer", textOf(claims["iss"])),
    ...timeField("issued", claims["iat"], now),
    ...timeField("not before", claims["nbf"], now),
    ...timeField("expires", claims["exp"], now),
    field("id", textOf(claims["jti"])),
    ...orFault("key", () => {
      const { key, alg } = readConfirmationJwk(isObject(cnf) ? cnf["jwk"] : undefined);
      return [field("key", `${keyWords(c, key)}, proofs by ${alg}`)];
    }),
    ...(owner === undefined
      ? [field("owner", "none")]
      : orFault("owner", () => ownerLines(c, readOwnerClaim(c, owner), now))),
  ];
}

function inspectToken(c: Crypto, octets: string, now: Seconds): Inspection {
  const jws = parseCompact(octets, MAX_TOKEN_BYTES);
  const header: JsonObject = jws.header;
  const type = textOf(header["typ"]);
  const isWit = type === "wit+jwt";
  const claims = parseJsonObject(jws.payload, LOOSE);
  const times = ["iat", "nbf", "exp"].flatMap((name) => timeField(name, claims[name], now));
  const lines = [
    field("header", JSON.stringify(header)),
    ...(isWit
      ? witLines(c, claims, now)
      : [
          ...times,
          ...JSON.stringify(claims, undefined, 2)
            .split("\n")
            .map((line) => `  ${printable(line)}`),
        ]),
  ];
  const title = isWit ? "Workload Identity Token" : `Signed token of type ${printable(type)}`;
  return { kind: "token", title, value: { header, claims }, lines };
}

function certificateValue(c: Crypto, certificate: Certificate): JsonObject {
  const { ownerBinding: owner } = certificate;
  return {
    uris: certificate.uris,
    dns: certificate.dns,
    serial: certificate.serialHex,
    not_before: certificate.notBefore,
    not_after: certificate.notAfter,
    is_ca: certificate.basicConstraints?.isCa ?? false,
    key: { ...certificate.key },
    key_thumbprint: thumbprint(c, certificate.key),
    signature_algorithm: certificate.signatureAlgorithm,
    ...(owner === undefined
      ? {}
      : {
          owner_binding: {
            owner: owner.ownerId,
            jkt: owner.ownerKey,
            cs: owner.consent,
            ...(owner.assurance === undefined ? {} : { assurance: owner.assurance }),
            ...(owner.ownerSpki === undefined ? {} : { spki: hex(owner.ownerSpki) }),
          },
        }),
  };
}

function certificateLines(c: Crypto, certificate: Certificate, now: Seconds): readonly string[] {
  const { ownerBinding: owner } = certificate;
  const isCa = certificate.basicConstraints?.isCa ?? false;
  return [
    `${isCa ? "Certificate of a CA" : "Certificate"} ${certificate.serialHex}`,
    ...certificate.uris.map((uri) => field("name", uri)),
    ...certificate.dns.map((name) => field("DNS name", name)),
    field("not before", when(certificate.notBefore, now)),
    field("not after", when(certificate.notAfter, now)),
    field("key", keyWords(c, certificate.key)),
    field("signed by", certificate.signatureAlgorithm),
    ...(owner === undefined
      ? isCa
        ? []
        : [field("owner", "none")]
      : [
          field("owner", owner.ownerId),
          field("  key", `thumbprint ${owner.ownerKey}`),
          field("  statement", owner.consent),
          field("  assurance", owner.assurance === undefined ? "-" : `${owner.assurance} of 4`),
        ]),
  ];
}

function inspectCertificates(c: Crypto, ders: readonly Bytes[], now: Seconds): Inspection {
  const parsed = ders.map((der) => parseCertificate(der));
  return {
    kind: "certificates",
    title: parsed.length === 1 ? "Certificate" : `${parsed.length} certificates`,
    value: { certificates: parsed.map((one) => certificateValue(c, one)) },
    lines: parsed.flatMap((one) => certificateLines(c, one, now)),
  };
}

/** A statement to be read, not relied on: signed before or after somebody asked. */
function readEither(c: Crypto, octets: Bytes): Statement {
  try {
    return readStatement(c, octets, { preSigned: true });
  } catch {
    return readStatement(c, octets);
  }
}

/** What others have signed: the same text, but for who signs and the number. */
function othersLines(c: Crypto, { sts = [] }: ApprovalPart): readonly string[] {
  return sts.map(({ st, key }) =>
    field("and by", `${readEither(c, st).body.owner.id}, key ${keyWords(c, key.jwk)}`),
  );
}

function approvalLines(c: Crypto, part: ApprovalPart): readonly string[] {
  const statement = readEither(c, part.st);
  const kinds = { sshsig: "SSH signature", jws: "JWS", webauthn: "WebAuthn assertion" } as const;
  const touch = part.key.app === undefined ? "" : `, security key for ${part.key.app}`;
  return [
    field("statement", `${statement.cs} (${statement.body.decision})`),
    field("signed as", kinds[part.sig.k]),
    field("by key", `${keyWords(c, part.key.jwk)}${touch}`),
    ...othersLines(c, part),
    ...(part.enr ?? []).map(({ st, sigs: [, ...coSigners] }) =>
      field(
        "added",
        `${readStatement(c, st).body.owner.jkt.slice(0, 8)}, signed for by ${coSigners.map(({ key }) => thumbprint(c, key.jwk).slice(0, 8)).join(", ")}`,
      ),
    ),
    ...(isCredentialStatement(statement) ? [field("for agent", statement.body.agent.id)] : []),
    "  What the owner signed:",
    ...signedText(statement)
      .split("\n")
      .map((line) => `    ${printable(line)}`),
  ];
}

function credentialLines(part: CredentialPart): readonly string[] {
  const { index, proof, checkpoint } = parseTlogProof(part.proof);
  const [origin = "", size = ""] = checkpoint.split("\n");
  return [
    field("credential", part.jti),
    field("endorsed", part.end === undefined ? "no: it has no owner" : "by the installation's key"),
    field("log entry", fromUtf8(part.leaf)),
    field("logged", `row ${index} of ${size} in ${origin}, ${proof.length} hashes of proof`),
  ];
}

function inspectBundle(c: Crypto, object: JsonObject): Inspection {
  const bundle = readBundle(object);
  return {
    kind: "bundle",
    title: "Evidence bundle",
    value: object,
    lines: [
      ...(bundle.approval === undefined
        ? [field("owner", "none")]
        : approvalLines(c, bundle.approval)),
      ...credentialLines(bundle.credential),
    ],
  };
}

function inspectApproval(c: Crypto, object: JsonObject): Inspection {
  const lines = approvalLines(c, readApprovalPart(object));
  return { kind: "approval", title: "Approval part of a bundle", value: object, lines };
}

/** An expired bundle can be looked at as well: it is read as of its own last second. */
function inspectTrust(c: Crypto, object: JsonObject, octets: Bytes, now: Seconds): Inspection {
  const own = object["countersign"];
  const exp = isObject(own) && typeof own["exp"] === "number" ? own["exp"] : now;
  const bundle = readTrustBundle(octets, exp - 1);
  return {
    kind: "trust bundle",
    title: `Trust bundle of ${printable(bundle.trustDomain)}`,
    value: object,
    lines: [
      field("issuer", bundle.issuer),
      field("sequence", String(bundle.sequence)),
      field("good until", when(bundle.exp, now)),
      ...bundle.witKeys.map(({ key, exp: end }) =>
        field(
          "token key",
          `${keyWords(c, key)}${end === undefined ? "" : `, until ${when(end, now)}`}`,
        ),
      ),
      ...bundle.roots.map((root) => {
        const { serialHex, notAfter } = parseCertificate(root);
        return field("root", `${serialHex}, until ${when(notAfter, now)}`);
      }),
      field("log", `${bundle.log.origin}, key ${bundle.log.vkey}`),
      field("owners sign", `${bundle.consent.rpId}: ${bundle.consent.origins.join(", ")}`),
      field("removed", `${bundle.removedOwnerKeys.length} owner keys`),
    ],
  };
}

function inspectJwkSet(c: Crypto, object: JsonObject): Inspection {
  const keys: readonly Json[] = Array.isArray(object["keys"])
    ? (object["keys"] as readonly Json[])
    : []; // an array was seen
  const lines = keys.flatMap((key) =>
    orFault("key", () => {
      const { kty = null, crv = null, x = null, y, kid } = isObject(key) ? key : {};
      const jwk = readJwk({ kty, crv, x, ...(y === undefined ? {} : { y }) });
      return [field("key", `${keyWords(c, jwk)}, kid ${textOf(kid)}`)];
    }),
  );
  return { kind: "trust bundle", title: "JWK Set", value: object, lines };
}

function inspectJson(c: Crypto, octets: Bytes, now: Seconds): Inspection {
  const object = parseJsonObject(octets, LOOSE);
  const has = (name: string): boolean => Object.hasOwn(object, name);
  if (has("keys") && has("countersign")) return inspectTrust(c, object, octets, now);
  if (has("keys")) return inspectJwkSet(c, object);
  if (has("credential")) return inspectBundle(c, object);
  if (has("st")) return inspectApproval(c, object);
  const { wit } = object; // a door's answer
  if (typeof wit === "string") return inspectToken(c, wit, now);
  return unknown();
}

function unknown(): never {
  throw new Refusal(
    "malformed_request",
    "neither token, certificate, bundle nor trust bundle",
    "Give a WIT or another compact JWS, PEM or DER certificates, a bundle's JSON or a trust bundle.",
  );
}

/**
 * Tells what a file is by its content, and what it says. Nothing is verified.
 * @throws Refusal for what is none of them or not well formed
 */
export function inspect(c: Crypto, octets: Bytes, now: Seconds): Inspection {
  if (octets[0] === DER_SEQUENCE && octets[1] !== undefined && octets[1] > 0x7f)
    return inspectCertificates(c, [octets], now);
  const text = fromUtf8(octets).trim();
  if (text.startsWith("{")) return inspectJson(c, octets, now);
  if (text.startsWith("-----BEGIN CERTIFICATE-----"))
    return inspectCertificates(c, pemDecode(text, "CERTIFICATE", MAX_CERTIFICATES), now);
  return text.split(".").length === 3 ? inspectToken(c, text, now) : unknown();
}
