// `@countersign/sdk/node`: the relying party's side for `node:http` servers, and both sides of mutual TLS.

export { protect, relyingParty } from "./protect.ts";
export type { ProtectedHandler, ProtectedRequest, ProtectOptions } from "./protect.ts";
export { mutualTlsClient } from "./tls-client.ts";
export type { MutualTlsClient, MutualTlsClientOptions, MutualTlsRequest } from "./tls-client.ts";
export { mutualTlsServer } from "./tls-server.ts";
export type { MutualTlsServerOptions } from "./tls-server.ts";
export { LinkRefusal, Refusal } from "../verify/index.ts";
export type { Caller, RelyingParty, RelyingPartyOptions, Verdict } from "../verify/index.ts";
