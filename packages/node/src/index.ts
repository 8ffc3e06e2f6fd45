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
export { freePort } from "./http/free-port.ts";
export { problemResponse, readJsonBody } from "./http/problem.ts";
export { headerLines, rawHeadersOf } from "./http/raw-headers.ts";
export { answeringWith, application, json, routesOf } from "./http/router.ts";
export type { Endpoint, Routes } from "./http/router.ts";
export { serve } from "./http/serve.ts";
export type { Handler, Listener, ListenOn, ServeOptions, TlsIdentity } from "./http/serve.ts";

// what a daemon says
export { createLog, silentLog } from "./log.ts";
export type { Log, LogEvent, LogLevel, LogOptions } from "./log.ts";
export { paintFor, printable } from "./text.ts";
export type { Colour, Paint } from "./text.ts";

// http, the asking side
export { call, callJson, refusalOf, textOf } from "./http/client.ts";
export type { Answer, CallOptions, JsonAnswer } from "./http/client.ts";
export { createEventReader } from "./http/event-reader.ts";
export type { ServerEvent } from "./http/event-reader.ts";
export { followEvents, jitteredDelayMs } from "./http/follow.ts";
export type { FollowOptions } from "./http/follow.ts";
export { guardAddresses } from "./guarded/address-guard.ts";
export { readForeignUrl } from "./guarded/foreign-url.ts";
export { createGuardedFetch } from "./guarded/guarded-fetch.ts";
export type { GuardedFetch, GuardedFetchOptions, GuardedRequest } from "./guarded/guarded-fetch.ts";
export { handlerTarget, openTarget } from "./http/target.ts";
export type { Incoming, Outgoing, Target, TargetSpec } from "./http/target.ts";

// private files and keys
export {
  createPrivateFile,
  diskRefusal,
  privateDirectory,
  readPrivateFile,
  writePrivateFile,
  writePublicFile,
} from "./files.ts";
export { loadOrCreateSigner, loadPrivateKey, privateKeyToPem, savePrivateKey } from "./keys.ts";

// running
export { parseConfig, printConfig, readYamlConfig } from "./config.ts";
export type { ConfigOption, ConfigSchema, ConfigValue } from "./config.ts";
export { parseConfigDocument, readConfigDocument } from "./config-document.ts";
export { createMetrics } from "./metrics.ts";
export type { Counter, Gauge, Histogram, Labels, Metrics } from "./metrics.ts";
export { onShutdown } from "./shutdown.ts";
export type { ShutdownOptions, StoppableProcess } from "./shutdown.ts";
