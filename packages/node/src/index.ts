// Node's platform, once. It holds no protocol rule.
export { pause, systemClock, systemTimers } from "./clock.ts";
export type { Cancel, Clock, Timers } from "./clock.ts";
export {
  generatePrivateKey,
  generateSigner,
  nodeCrypto,
  nodeRandom,
  privateKeyFromPem,
  publicJwkOf,
  randomName,
  signerOf,
} from "./crypto.ts";

// http, the answering side
export { eventStream } from "./http/events.ts";
export type { EventStream, EventStreamOptions } from "./http/events.ts";
export { problemResponse, readJsonBody } from "./http/problem.ts";
export { headerLines, rawHeadersOf } from "./http/raw-headers.ts";
export { serve } from "./http/serve.ts";
export type { Handler, Listener, ListenOn, ServeOptions, TlsIdentity } from "./http/serve.ts";

// what a daemon says
export { createLog, silentLog } from "./log.ts";
export type { Log, LogEvent, LogLevel, LogOptions } from "./log.ts";
export { paintFor, printable } from "./text.ts";
export type { Colour, Paint } from "./text.ts";
