// `@countersign/sdk/verify`: checks who calls, and that an owner stands behind it. Runs at an edge: no Node.

export { protectFetch } from "./protect-fetch.ts";
export type { CalledHandler, ProtectFetchOptions } from "./protect-fetch.ts";
export { problemFor } from "./refused.ts";
export type { ProblemAnswer, RequestProblem } from "./refused.ts";
export { relyingParty } from "./relying-party.ts";
export type { Caller, IncomingRequest, RelyingParty } from "./relying-party.ts";
export type { TlsPeer } from "./connected.ts";
export type { TlsRoots } from "./trusted.ts";
export type { RelyingPartyOptions } from "./settings.ts";
export type { Fetch } from "./evidence.ts";
export { webCrypto } from "./web-crypto.ts";
export type { Subtle } from "@countersign/core";

// What a relying party needs of core, so that it need not import it.
export {
  LinkRefusal,
  LINKS,
  memoryReplayStore,
  presentedOf,
  readBundle,
  readTrust,
  Refusal,
  verify as verifyPresented,
} from "@countersign/core";
export type {
  Bundle,
  Bytes,
  Crypto,
  Demand,
  DomainTrust,
  FirstUse,
  HeaderLines,
  LinkResult,
  OwnerKind,
  OwnerPin,
  OwnerProof,
  Presented,
  RefusalCode,
  ReplayStore,
  Seconds,
  Trust,
  Verdict,
} from "@countersign/core";
