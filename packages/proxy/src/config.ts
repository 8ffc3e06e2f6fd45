import type { ConfigSchema } from "@countersign/node";

/** The proxy's configuration file, member by member. Written by `countersign proxy enroll`. */
export interface ProxyFile {
  readonly trust_domain: string;
  readonly name: string;
  readonly api_url: string;
  readonly development: boolean;
  readonly container_api?: string;
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
  container_api: {
    type: "string",
    pattern: /^\/[^\s\0]{1,98}$/,
    doc: "socket of the Docker or Podman API that is asked about containers; without it there are no facts of them",
  },
};
