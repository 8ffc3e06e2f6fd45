/** One setting of `server init`. */
export interface Setting {
  /** Name in `server.yaml`. */
  readonly name: string;
  /** Flag of `server init`, with its argument. */
  readonly flag: string;
  readonly about: string;
  readonly kind: "text" | "integer" | "list";
}

/** The settings that `server init` writes; what each decides is in the schema, `server config` prints it. */
export const SETTINGS: readonly Setting[] = [
  {
    name: "trust_domain",
    flag: "--trust-domain <name>",
    about: "lower-case DNS-like name that its keys speak for",
    kind: "text",
  },
  {
    name: "issuer",
    flag: "--issuer <url>",
    about: "in iss and every aud (default: https://id.<trust domain>)",
    kind: "text",
  },
  {
    name: "api_host",
    flag: "--api-host <host>",
    about: "address of the listener for proxies (default: 127.0.0.1)",
    kind: "text",
  },
  { name: "api_port", flag: "--api-port <n>", about: "its port (default: 8443)", kind: "integer" },
  {
    name: "api_url",
    flag: "--api-url <url>",
    about: "where proxies reach it (default: from host and port)",
    kind: "text",
  },
  {
    name: "public_host",
    flag: "--public-host <host>",
    about: "address of the listener for everybody (default: 127.0.0.1)",
    kind: "text",
  },
  {
    name: "public_port",
    flag: "--public-port <n>",
    about: "its port (default: 8080)",
    kind: "integer",
  },
  {
    name: "dns",
    flag: "--dns <name...>",
    about: "DNS names in the API's certificate",
    kind: "list",
  },
  {
    name: "ips",
    flag: "--ip <address...>",
    about: "addresses in the API's certificate (default: 127.0.0.1)",
    kind: "list",
  },
  {
    name: "policy",
    flag: "--policy <policy>",
    about: "which appraisals are refused: standard, laptop or hardened (default: standard)",
    kind: "text",
  },
  {
    name: "proxy_uid",
    flag: "--proxy-uid <n>",
    about: "uid that the proxies run as",
    kind: "integer",
  },
  {
    name: "console_host",
    flag: "--console-host <host>",
    about: "address of the owners' console (default: 127.0.0.1)",
    kind: "text",
  },
  {
    name: "console_port",
    flag: "--console-port <n>",
    about: "its port (default: no console)",
    kind: "integer",
  },
  {
    name: "consent_rp_id",
    flag: "--consent-rp-id <host>",
    about: "host at which owners sign (default: consent.<trust domain>)",
    kind: "text",
  },
  {
    name: "consent_origins",
    flag: "--consent-origin <origin...>",
    about: "origins of that host (default: https on it)",
    kind: "list",
  },
  {
    name: "attestation_roots",
    flag: "--attestation-root <certificate...>",
    about: "roots of authenticators' makers, PEM or base64 (default: none)",
    kind: "list",
  },
  {
    name: "witnesses",
    flag: "--witnesses <vkey@url...>",
    about: "who cosigns the log's checkpoints",
    kind: "list",
  },
  {
    name: "recovery_delay_seconds",
    flag: "--recovery-delay-seconds <n>",
    about: "how long an owner's recovery can be cancelled (default: 86400, and never less)",
    kind: "integer",
  },
  {
    name: "owner_cas",
    flag: "--owner-ca <oid@file...>",
    about: "who certifies owners' keys: extended key usage, and the CA's PEM file",
    kind: "list",
  },
  {
    name: "push_contact",
    flag: "--push-contact <url>",
    about:
      "whom browsers' push services may write to, mailto: or https: (default: nothing is pushed)",
    kind: "text",
  },
  {
    name: "forwarded_by",
    flag: "--forwarded-by <address...>",
    about: "your own proxies before console and public listener, by address or network",
    kind: "list",
  },
  {
    name: "notice_networks",
    flag: "--notice-network <cidr...>",
    about: "private networks on which notices may call somebody (default: none)",
    kind: "list",
  },
  {
    name: "insecure_notice_origins",
    flag: "--insecure-notice-origin <url...>",
    about: "origins that notices may be posted to without TLS, http://host:port (default: none)",
    kind: "list",
  },
];
