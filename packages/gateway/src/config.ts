import type { ConfigSchema } from "@countersign/node";
import type { Limits } from "./relay/schedule.ts";

/** The file of one trust domain, `<data>/<trust domain>/gateway.yaml`. Written by `countersign owner gateway init`. */
export interface GatewayFile {
  readonly trust_domain: string;
  readonly name: string;
  readonly api_url: string;
  readonly listen_host: string;
  readonly listen_port: number;
  readonly proxies: readonly string[];
  readonly owner?: string;
  readonly owner_kind: string;
  readonly owner_key?: string;
  readonly rules?: string;
  readonly queued_per_proxy: number;
  readonly at_once: number;
  readonly at_once_per_proxy: number;
  readonly calls_per_second: number;
  readonly burst: number;
}

export const GATEWAY_SCHEMA: ConfigSchema<GatewayFile> = {
  trust_domain: { type: "string", required: true, doc: "trust domain of the server" },
  name: {
    type: "string",
    required: true,
    pattern: /^[a-z0-9][a-z0-9._-]{0,62}$/,
    doc: "name of this gateway, from its join token",
  },
  api_url: {
    type: "string",
    required: true,
    pattern: /^https:\/\/[^\s/?#]+$/,
    doc: "where the server's API is reached",
  },
  listen_host: {
    type: "string",
    default: "127.0.0.1",
    pattern: /^[A-Za-z0-9.:-]{1,253}$/,
    doc: "address of the listener for proxies (TLS 1.3)",
  },
  listen_port: {
    type: "integer",
    default: 8444,
    max: 65_535,
    doc: "TCP port of that listener; each trust domain has its own, 0 takes a free one",
  },
  proxies: {
    type: "strings",
    default: [],
    doc: "names of the proxies that it serves; nobody else is, whatever certificate he has",
  },
  owner: {
    type: "string",
    pattern: /^urn:agent-owner:[A-Za-z0-9._:-]{1,320}$/,
    doc: "id of the owner that it signs for, with owner_key and rules; without it every question is left to a person",
  },
  owner_kind: {
    type: "string",
    default: "policy",
    choices: ["policy", "device"],
    doc: "what that owner is, as enrolled; a person's key does not sign here",
  },
  owner_key: {
    type: "string",
    pattern: /^\/[^\0]{1,1000}$/,
    doc: "private key of that owner, mode 0600: OpenSSH or PKCS#8, without a passphrase",
  },
  rules: {
    type: "string",
    pattern: /^\/[^\0]{1,1000}$/,
    doc: "what it may sign by itself, YAML; what lies outside is left to a person",
  },
  queued_per_proxy: {
    type: "integer",
    default: 32,
    min: 1,
    max: 1024,
    doc: "calls of one proxy that may wait; a further one is refused",
  },
  at_once: {
    type: "integer",
    default: 32,
    min: 1,
    max: 64,
    doc: "calls under way at the server",
  },
  at_once_per_proxy: {
    type: "integer",
    default: 4,
    min: 1,
    max: 64,
    doc: "of them, calls of one proxy",
  },
  calls_per_second: {
    type: "integer",
    default: 20,
    min: 1,
    max: 10_000,
    doc: "calls a second that one proxy may make for long",
  },
  burst: {
    type: "integer",
    default: 40,
    min: 1,
    max: 10_000,
    doc: "calls that one proxy may make at a stretch",
  },
};

export function limitsOf(file: GatewayFile): Limits {
  return {
    queuedPerProxy: file.queued_per_proxy,
    atOnce: file.at_once,
    atOncePerProxy: file.at_once_per_proxy,
    perSecond: file.calls_per_second,
    burst: file.burst,
  };
}
