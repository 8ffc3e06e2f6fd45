import {
  MAX_ATTESTATION_ROOTS,
  MAX_WITNESSES,
  parseTrustDomain,
  readAttestationRoot,
  Refusal,
} from "@countersign/core";
import type { Bytes, Seconds } from "@countersign/core";
import { guardAddresses } from "@countersign/node";
import type { ConfigSchema } from "@countersign/node";
import { trustedProxies } from "./http/forwarded.ts";

export type Policy = "standard" | "laptop" | "hardened";

/** The configuration file, member by member. */
export interface ServerFile {
  readonly trust_domain: string;
  readonly issuer?: string;
  readonly api_host: string;
  readonly api_port: number;
  readonly api_url?: string;
  readonly public_host: string;
  readonly public_port: number;
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly policy: string;
  readonly proxy_uid?: number;
  readonly console_host: string;
  readonly console_port?: number;
  readonly consent_rp_id?: string;
  readonly consent_origins?: readonly string[];
  readonly attestation_roots?: readonly string[];
  readonly witnesses?: readonly string[];
  readonly recovery_delay_seconds?: number;
  readonly owner_cas?: readonly string[];
  readonly push_contact?: string;
  readonly notice_networks?: readonly string[];
  readonly forwarded_by?: readonly string[];
  readonly insecure_notice_origins?: readonly string[];
  readonly development: boolean;
}

const HOST = /^[A-Za-z0-9.:-]{1,253}$/;

export const SERVER_SCHEMA: ConfigSchema<ServerFile> = {
  trust_domain: {
    type: "string",
    required: true,
    doc: "lower-case DNS-like name that this server's keys speak for",
  },
  issuer: {
    type: "string",
    pattern: /^https:\/\/[^\s?#]+$/,
    doc: "URL in iss and aud; default https://id.<trust_domain>",
  },
  api_host: {
    type: "string",
    default: "127.0.0.1",
    pattern: HOST,
    doc: "address of the listener for proxies (TLS 1.3)",
  },
  api_port: {
    type: "integer",
    default: 8443,
    max: 65_535,
    doc: "TCP port of that listener; 0 takes a free one",
  },
  api_url: {
    type: "string",
    pattern: /^https:\/\/[^\s/?#]+$/,
    doc: "where proxies reach it; default from api_host and api_port; stands in join tokens",
  },
  public_host: {
    type: "string",
    default: "127.0.0.1",
    pattern: HOST,
    doc: "address of the listener for everybody (plain HTTP: loopback, or behind your own TLS)",
  },
  public_port: {
    type: "integer",
    default: 8080,
    max: 65_535,
    doc: "TCP port of that listener; 0 takes a free one",
  },
  dns: { type: "strings", default: [], doc: "DNS names in the API's certificate" },
  ips: { type: "strings", default: ["127.0.0.1"], doc: "addresses in the API's certificate" },
  policy: {
    type: "string",
    default: "standard",
    choices: ["standard", "laptop", "hardened"],
    doc: "which appraisals are refused",
  },
  proxy_uid: {
    type: "integer",
    max: 0xffff_fffe,
    doc: "uid that the proxies run as, where it is one and the same: an agent of that uid is refused under standard",
  },
  console_host: {
    type: "string",
    default: "127.0.0.1",
    pattern: HOST,
    doc: "address of the owners' console (plain HTTP: loopback, or behind your own TLS at consent_origins)",
  },
  console_port: {
    type: "integer",
    min: 1,
    max: 65_535,
    doc: "TCP port of the console; without one there is no console",
  },
  consent_rp_id: {
    type: "string",
    pattern: HOST,
    doc: "host at which owners sign in a browser; default consent.<trust_domain>; pinned in the trust bundle",
  },
  consent_origins: {
    type: "strings",
    doc: "origins of that host; default https://<consent_rp_id>",
  },
  attestation_roots: {
    type: "strings",
    doc: "roots of authenticators' makers, each as PEM or base64 of its DER: a passkey that one attests, and that another key co-signed, is claimed as assurance 4; default none",
  },
  witnesses: {
    type: "strings",
    doc: "who cosigns the log's checkpoints, each as VKEY@URL: its verifier key and the https address before /add-checkpoint",
  },
  recovery_delay_seconds: {
    type: "integer",
    unit: "seconds",
    min: 86_400,
    max: 30 * 86_400,
    doc: "how long the recovery of an owner who lost every key can be cancelled; default 86400, and never less",
  },
  owner_cas: {
    type: "strings",
    doc: "who certifies owners' keys, each as OID@FILE: the extended key usage of an owner's certificate, and the PEM file of the CA",
  },
  push_contact: {
    type: "string",
    pattern: /^(mailto:[^\s@]{1,128}@[^\s@]{1,253}|https:\/\/[^\s#]{1,500})$/,
    doc: "whom the push services of browsers may write to, as mailto: or https:; without one no notice is pushed, and none of them is called",
  },
  forwarded_by: {
    type: "strings",
    doc: "your own proxies in front of console and public listener, each an address or ADDRESS/LENGTH: their X-Forwarded-For says who calls; default none",
  },
  notice_networks: {
    type: "strings",
    doc: "private networks on which notices may call somebody, each as ADDRESS/PREFIX; default none: public addresses only",
  },
  insecure_notice_origins: {
    type: "strings",
    doc: "origins, as http://host:port, that notices may be posted to without TLS: who listens on the way learns which agents ask; default none",
  },
  development: {
    type: "boolean",
    default: false,
    doc: "set by countersign dev only, with a trust domain that ends in .invalid",
  },
};

/** Where a listener binds. Port 0 takes a free one. */
export interface Bind {
  readonly host: string;
  readonly port: number;
}

/** A witness as configured. */
export interface WitnessAddress {
  readonly vkey: string;
  /** Origin. */
  readonly url: string;
  /** Path before `/add-checkpoint`; often empty. */
  readonly prefix: string;
}

/** A CA of owners as configured. */
export interface OwnerCaFile {
  /** Extended key usage of an owner's certificate, in dotted form. */
  readonly eku: string;
  /** Absolute path of its certificates in PEM. */
  readonly file: string;
}

/** The server's configuration, parsed once. */
export interface ServerConfig {
  readonly trustDomain: string;
  /** `spiffe://<trust domain>` */
  readonly origin: string;
  /** In `iss` and every `aud`; never derived from host or port. */
  readonly issuer: string;
  readonly logOrigin: string;
  readonly api: Bind;
  readonly public: Bind;
  /** Where proxies reach the API; with port 0 the port is added when it is known. */
  readonly apiUrl: string;
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly policy: Policy;
  readonly proxyUid?: number;
  /** Where the owners' console listens, if there is one. */
  readonly console?: Bind;
  readonly consent: { readonly rpId: string; readonly origins: readonly string[] };
  /** DER of the roots of makers whose attestations let this server claim assurance 4; default none. */
  readonly attestationRoots: readonly Bytes[];
  /** Asked beside the releases; no decision waits for one. */
  readonly witnesses: readonly WitnessAddress[];
  /** From the announcement of a recovery until its key is enabled. */
  readonly recoveryDelaySeconds: Seconds;
  /** Whose certificates enrol owners' keys as `x509`. */
  readonly ownerCas: readonly OwnerCaFile[];
  /** Whom push services may write to (RFC 8292 2.1); absent: no notice is pushed. */
  readonly pushContact?: string;
  /** Addresses and networks of the operator's own proxies, whose word on who calls is taken; default none. */
  readonly forwardedBy: readonly string[];
  /** CIDR of private networks on which notices may call somebody. */
  readonly noticeNetworks: readonly string[];
  /** Origins that notices may go to over plain HTTP. */
  readonly insecureNoticeOrigins: readonly string[];
  readonly proxyCertificateSeconds: Seconds;
  readonly isDevelopment: boolean;
}

const DAY_SECONDS = 86_400;
const POLICIES: readonly Policy[] = ["standard", "laptop", "hardened"];

/** The address of a bound listener as a URL. */
export function urlOf(scheme: "http" | "https", bind: Bind): string {
  return `${scheme}://${bind.host.includes(":") ? `[${bind.host}]` : bind.host}:${bind.port}`;
}

const WITNESS =
  /^([^+\s]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44})@(https?:\/\/[^\s/?#@]+)((?:\/[^\s/?#]+)*)\/?$/;

function witnessOf(text: string): WitnessAddress {
  const [, vkey, url, prefix] = WITNESS.exec(text) ?? [];
  if (vkey === undefined || url === undefined || prefix === undefined)
    throw new Refusal(
      "configuration_invalid",
      "a witness is no VKEY@URL",
      "Write its verifier key as `countersign log witness init` prints it, then @ and its https address.",
    );
  return { vkey, url, prefix };
}

function witnessesOf(texts: readonly string[]): readonly WitnessAddress[] {
  const witnesses = texts.map(witnessOf);
  if (
    witnesses.length > MAX_WITNESSES ||
    new Set(witnesses.map(({ vkey }) => vkey)).size !== witnesses.length
  )
    throw new Refusal(
      "configuration_invalid",
      `more than ${MAX_WITNESSES} witnesses, or one twice`,
    );
  return witnesses;
}

function rootsOf(texts: readonly string[]): readonly Bytes[] {
  if (texts.length > MAX_ATTESTATION_ROOTS)
    throw new Refusal("configuration_invalid", `more than ${MAX_ATTESTATION_ROOTS} roots`);
  return texts.map(readAttestationRoot);
}

function httpOriginsOf(texts: readonly string[]): readonly string[] {
  for (const text of texts)
    if (!text.startsWith("http://") || !URL.canParse(text) || new URL(text).origin !== text)
      throw new Refusal(
        "configuration_invalid",
        "insecure_notice_origins holds something that is no http://host:port",
        "Write scheme, host and port, and nothing behind them.",
      );
  return texts;
}

function ownerCaFileOf(text: string): OwnerCaFile {
  const [, eku, file] = /^([0-9.]{3,200})@(\/[^\0]+)$/.exec(text) ?? [];
  if (eku === undefined || file === undefined)
    throw new Refusal(
      "configuration_invalid",
      "owner_cas holds something that is no OID@FILE",
      "Write the extended key usage of owners' certificates, then @ and the absolute path of the CA's PEM file.",
    );
  return { eku, file };
}

function checkedNetworks(networks: readonly string[]): readonly string[] {
  trustedProxies(networks);
  return networks;
}

function noticeNetworksOf(texts: readonly string[]): readonly string[] {
  guardAddresses(texts);
  return texts;
}

/**
 * The configuration that a file means.
 * @throws Refusal `configuration_invalid`, `invalid_identifier`
 */
export function configOf(file: ServerFile): ServerConfig {
  const trustDomain = parseTrustDomain(file.trust_domain);
  if (file.development !== trustDomain.endsWith(".invalid"))
    throw new Refusal(
      "configuration_invalid",
      "development goes with a trust domain that ends in .invalid, and only with that",
    );
  const api = { host: file.api_host, port: file.api_port };
  const rpId = file.consent_rp_id ?? `consent.${trustDomain}`;
  return {
    trustDomain,
    origin: `spiffe://${trustDomain}`,
    issuer: file.issuer ?? `https://id.${trustDomain}`,
    logOrigin: `id.${trustDomain}/log`,
    api,
    public: { host: file.public_host, port: file.public_port },
    apiUrl: file.api_url ?? urlOf("https", api),
    dns: file.dns,
    ips: file.ips,
    policy: POLICIES.find((policy) => policy === file.policy) ?? "standard",
    ...(file.proxy_uid === undefined ? {} : { proxyUid: file.proxy_uid }),
    ...(file.console_port === undefined
      ? {}
      : { console: { host: file.console_host, port: file.console_port } }),
    consent: { rpId, origins: file.consent_origins ?? [`https://${rpId}`] },
    attestationRoots: rootsOf(file.attestation_roots ?? []),
    witnesses: witnessesOf(file.witnesses ?? []),
    recoveryDelaySeconds: file.recovery_delay_seconds ?? DAY_SECONDS,
    ownerCas: (file.owner_cas ?? []).map(ownerCaFileOf),
    noticeNetworks: noticeNetworksOf(file.notice_networks ?? []),
    ...(file.push_contact === undefined ? {} : { pushContact: file.push_contact }),
    forwardedBy: checkedNetworks(file.forwarded_by ?? []),
    insecureNoticeOrigins: httpOriginsOf(file.insecure_notice_origins ?? []),
    proxyCertificateSeconds: (file.development ? 30 : 7) * DAY_SECONDS,
    isDevelopment: file.development,
  };
}
