// `@countersign/sdk/node`: the relying party's side for `node:http` servers.

export { protect, relyingParty } from "./protect.ts";
export type { ProtectedHandler, ProtectedRequest, ProtectOptions } from "./protect.ts";
export { LinkRefusal, Refusal } from "../verify/index.ts";
export type { Caller, RelyingParty, RelyingPartyOptions, Verdict } from "../verify/index.ts";
