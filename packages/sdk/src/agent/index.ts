// `@countersign/sdk/agent`: what an agent's author sees. Keys stay in the proxy, unless the registration says otherwise.

export { connect } from "./connect.ts";
export type { Agent, AgentEvents, ConnectOptions } from "./connect.ts";
export { connectWithOwnKey } from "./connect-own-key.ts";
export type { OwnKeyAgent } from "./connect-own-key.ts";
export type { TlsIdentity, TlsSource } from "./tls-identity.ts";
export type { AgentStatus, Credential, Halted, Proof, Waiting } from "./answers.ts";
export type { FetchInput, FetchOptions } from "./fetch.ts";
export type { ProofRequest } from "./session.ts";

// What a caller needs of core, so that it need not import it.
export { Refusal } from "@countersign/core";
export type { RefusalCode, Seconds } from "@countersign/core";
