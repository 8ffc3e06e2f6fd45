import type { Bytes, Seconds } from "../crypto.ts";
import { MAX_ATTESTATION_ROOTS, readAttestationRoot } from "../attestation/roots.ts";
import type { OwnerKind } from "../consent/statement.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { Members } from "../json/read.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import { readTrustBundle } from "../trust/bundle.ts";
import { MAX_WITNESSES } from "../transparency/cosignature.ts";
import type { WitnessPolicy } from "../transparency/cosignature.ts";
import type { TrustBundle } from "../trust/bundle.ts";
import { MAX_OWNER_CAS, readOwnerCa } from "./owner-ca.ts";
import type { OwnerCa } from "./owner-certificate.ts";

/** An owner's key that the relying party accepts by its own decision. */
export interface OwnerPin {
  /** Owner id; absent: the key is accepted for whatever id it signed. */
  readonly owner?: string;
  readonly jkt: string;
  /** Who stands behind the key; absent: the credential's word, reported as claimed. */
  readonly kind?: OwnerKind;
  /** FIDO application of an `sk-` key, or RP ID of a WebAuthn credential; part of the pin. */
  readonly app?: string;
  /** The relying party has itself checked that the key is in hardware and cannot leave it. Default false. */
  readonly attested?: boolean;
  /**
   * Whether the key may vouch for keys of other owners: a second person's signature under their enrolment or recovery
   * then leads to them. Default false. Only a person's: `kind` must say so.
   */
  readonly enrols?: boolean;
}

/** What a relying party decided about one trust domain. All of it is configuration; nothing comes from a token. */
export interface DomainTrust {
  /** Scheme and trust domain: `spiffe://example.org`. */
  readonly origin: string;
  readonly bundle: TrustBundle;
  readonly ownerPins: readonly OwnerPin[];
  /** DER of the roots of authenticators' makers whose attestations count; default none: then no attestation does. */
  readonly attestationRoots?: readonly Bytes[];
  /** CAs that certify owners; default none: a certificate then says nothing here. */
  readonly ownerCas?: readonly OwnerCa[];
  /** Inside the same trust domain proofs live at most 60 s, else 600 s. Default false. */
  readonly isInside: boolean;
  /** Where evidence may be fetched from; default nowhere. */
  readonly evidenceOrigin?: string;
  /** Whose cosignatures a checkpoint of the log needs; default nobody's: then the log alone says that it does not fork. */
  readonly witnesses?: WitnessPolicy;
  /** You lose: the owner's signature then only says what the server says about keys. */
  readonly insecureAcceptServerEnrolment: boolean;
  /** You lose: development trust domains have keys on a developer's disk and no uid wall. */
  readonly insecureAcceptDevelopment: boolean;
}

/** Trust by origin. */
export type Trust = ReadonlyMap<string, DomainTrust>;

const KINDS: readonly OwnerKind[] = ["person", "device", "policy"];
const MAX_FILE_BYTES = 1_048_576;

function readPin(value: Json): OwnerPin {
  const members = new Members(value, "configuration_invalid", "owner_pins");
  const owner = members.optional("owner", (name) => members.text(name, { maxLength: 512 }));
  const kind = members.optional("kind", (name) => members.choice(name, KINDS));
  const app = members.optional("app", (name) => members.text(name, { maxLength: 256 }));
  const attested = members.optional("attested", (name) => members.flag(name));
  const enrols = members.optional("enrols", (name) => members.flag(name));
  const pin: OwnerPin = {
    jkt: members.thumbprint("jkt"),
    ...(owner === undefined ? {} : { owner }),
    ...(kind === undefined ? {} : { kind }),
    ...(app === undefined ? {} : { app }),
    ...(attested === undefined ? {} : { attested }),
    ...(enrols === undefined ? {} : { enrols }),
  };
  members.end();
  if (enrols === true && kind !== "person")
    members.fail("enrols", "is for a person: kind must say so");
  return pin;
}

const WITNESS_VKEY = /^[^+\s]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}$/;

function readWitnesses(members: Members): WitnessPolicy {
  const vkeys = members.list(
    "vkeys",
    (item) =>
      typeof item === "string" && WITNESS_VKEY.test(item)
        ? item
        : members.fail("vkeys", "holds something that is no verifier key"),
    MAX_WITNESSES,
  );
  // its last part is the public key: one key under two names is one witness
  if (new Set(vkeys.map((vkey) => vkey.slice(-44))).size !== vkeys.length)
    members.fail("vkeys", "names one witness twice");
  const policy = { vkeys, threshold: members.integer("threshold", 1, Math.max(1, vkeys.length)) };
  if (vkeys.length === 0) members.fail("vkeys", "is empty");
  members.end();
  return policy;
}

function readDomain(value: Json, now: Seconds): DomainTrust {
  const members = new Members(value, "configuration_invalid", "domain");
  const flag = (name: string): boolean => members.optional(name, () => members.flag(name)) ?? false;
  const origin = members.text("origin", { pattern: /^(spiffe|wimse):\/\/[a-z0-9._-]{1,255}$/ });
  const bundle = readTrustBundle(canonicalBytes(members.object("trust_bundle").whole()), now);
  if (bundle.trustDomain !== origin)
    members.fail("trust_bundle", "speaks for another trust domain");
  const evidenceOrigin = members.optional("evidence_origin", (name) =>
    members.text(name, { pattern: /^https?:\/\/[^/?#\s]+$/ }),
  );
  const witnesses = members.optional("witnesses", (name) => readWitnesses(members.object(name)));
  const attestationRoots = members.optional("attestation_roots", (name) =>
    members.list(name, readAttestationRoot, MAX_ATTESTATION_ROOTS),
  );
  const ownerCas = members.optional("owner_cas", (name) =>
    members.list(name, readOwnerCa, MAX_OWNER_CAS),
  );
  const domain: DomainTrust = {
    origin,
    bundle,
    ownerPins: members.optional("owner_pins", (name) => members.list(name, readPin, 10_000)) ?? [],
    ...(attestationRoots === undefined ? {} : { attestationRoots }),
    ...(ownerCas === undefined ? {} : { ownerCas }),
    isInside: flag("inside"),
    ...(evidenceOrigin === undefined ? {} : { evidenceOrigin }),
    ...(witnesses === undefined ? {} : { witnesses }),
    insecureAcceptServerEnrolment: flag("insecureAcceptServerEnrolment"),
    insecureAcceptDevelopment: flag("insecureAcceptDevelopment"),
  };
  members.end();
  return domain;
}

/**
 * Reads a relying party's trust file, `{ v: 1, domains: [...] }`. Closed.
 * @throws Refusal `configuration_invalid`, `indeterminate` for an expired trust bundle
 */
export function readTrust(input: Bytes | string, now: Seconds): Trust {
  const members = new Members(
    parseJsonObject(input, { maxBytes: MAX_FILE_BYTES, maxDepth: 12 }),
    "configuration_invalid",
    "trust",
  );
  members.integer("v", 1, 1);
  const domains = members.list("domains", (item) => readDomain(item, now), 1000);
  members.end();
  const trust = new Map(domains.map((domain) => [domain.origin, domain]));
  if (trust.size !== domains.length)
    throw new Refusal("configuration_invalid", "one origin stands twice");
  return trust;
}

const LOCAL_ORIGIN = /^https?:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|$)/;

/**
 * Whether a trust domain is a development one: its name ends in `.invalid` (RFC 6761), or its owners sign at a page of
 * their own machine.
 */
export function isDevelopment({ origin, bundle }: Pick<DomainTrust, "origin" | "bundle">): boolean {
  return (
    /[./]invalid$/.test(origin) || bundle.consent.origins.some((page) => LOCAL_ORIGIN.test(page))
  );
}
