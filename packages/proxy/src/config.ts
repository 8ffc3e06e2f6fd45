import { parseName, Refusal } from "@countersign/core";
import type { ConfigSchema } from "@countersign/node";

/** The proxy's configuration file, member by member. Written by `countersign proxy enroll`. */
export interface ProxyFile {
  readonly trust_domain: string;
  readonly name: string;
  readonly api_url: string;
  readonly development: boolean;
  readonly container_api?: string;
  readonly gateway?: string;
  readonly gateway_url?: string;
}

export const PROXY_SCHEMA: ConfigSchema<ProxyFile> = {
  trust_domain: { type: "string", required: true, doc: "trust domain of the server" },
  name: {
    type: "string",
    required: true,
    pattern: /^[a-z0-9][a-z0-9._-]{0,62}$/,
    doc: "name of this proxy, from its join token",
  },
  api_url: {
    type: "string",
    required: true,
    pattern: /^https:\/\/[^\s/?#]+$/,
    doc: "where the server's API is reached",
  },
  development: { type: "boolean", default: false, doc: "set by countersign dev only" },
  gateway: {
    type: "string",
    pattern: /^[a-z]+:\/\/[a-z0-9._-]{1,255}\/gateway\/[a-z0-9][a-z0-9._-]{0,62}$/,
    doc: "id of the owner's gateway that this proxy calls in place of the server, with gateway_url",
  },
  gateway_url: {
    type: "string",
    pattern: /^https:\/\/[^\s/?#]+$/,
    doc: "where that gateway is reached; nobody but it is spoken to there",
  },
  container_api: {
    type: "string",
    pattern: /^\/[^\s\0]{1,98}$/,
    doc: "socket of the Docker or Podman API that is asked about containers; without it there are no facts of them",
  },
};

/** Whom the proxy calls: the server, or a gateway in its place, and by what id it is known. */
export interface Uphill {
  readonly url: string;
  /** Id of the gateway; absent where the server itself is called. */
  readonly gateway?: string;
}

/** @throws Refusal `configuration_invalid` for half of a gateway, or one of another trust domain */
export function uphillOf(file: ProxyFile): Uphill {
  const { gateway, gateway_url: url } = file;
  if (gateway === undefined && url === undefined) return { url: file.api_url };
  const wrong = (why: string): never => {
    throw new Refusal(
      "configuration_invalid",
      why,
      "Set both gateway (its id) and gateway_url in proxy.yaml, or neither.",
    );
  };
  if (gateway === undefined || url === undefined) return wrong("half of a gateway");
  return parseName(gateway).td === file.trust_domain
    ? { url, gateway }
    : wrong("a gateway of another trust domain");
}
