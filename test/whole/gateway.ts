import {
  buildCsr,
  gatewayId,
  parseCertificate,
  thumbprint,
} from "../../packages/core/src/index.ts";
import type { Bytes, JsonObject } from "../../packages/core/src/index.ts";
import {
  generateSigner,
  handlerTarget,
  nodeCrypto as c,
  silentLog,
} from "../../packages/node/src/index.ts";
import type { Outgoing, Target, Timers } from "../../packages/node/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { gatewayApp } from "../../packages/gateway/src/app.ts";
import { Queue } from "../../packages/gateway/src/relay/queue.ts";
import type { Limits } from "../../packages/gateway/src/relay/schedule.ts";
import type { GatewayWorld } from "../../packages/gateway/src/world.ts";
import { est } from "../../packages/server/src/people.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { DOMAIN, seededRandom } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import { secretIn } from "../../packages/server/src/people.testing.ts";

const LIMITS: Limits = {
  queuedPerProxy: 32,
  atOnce: 32,
  atOncePerProxy: 8,
  perSecond: 1000,
  burst: 1000,
};

/** Registers a gateway and enrols it. @returns its certificate */
export async function enrolGateway(
  rig: Rig,
  order: { readonly name?: string; readonly proxies?: readonly string[] } & JsonObject = {},
): Promise<Bytes> {
  const { name = "edge", proxies = ["host-1"], owners = [], ...rest } = order;
  const secret = await secretIn(rig, "POST /v1/gateway-tokens", { name, proxies, owners, ...rest });
  const csr = await buildCsr(c, generateSigner(), gatewayId(DOMAIN, name));
  const made = await est(rig, "simpleenroll", { csr, secret });
  if (typeof made === "string") throw new Error(`not enrolled: ${made}`);
  return made;
}

/** What a test may have otherwise. */
export interface GatewayParts {
  readonly proxies?: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly timers?: Timers;
  /** Stands between gateway and server. */
  readonly toServer?: (plain: Target) => Target;
}

/** The world of a gateway whose server is a function. */
export function gatewayWorld(rig: Rig, certificate: Bytes, parts: GatewayParts = {}): GatewayWorld {
  const timers = parts.timers ?? new ManualTimers();
  const plain = handlerTarget((request) => rig.api(request, { certificate }));
  const server = parts.toServer?.(plain) ?? plain;
  return {
    c,
    random: seededRandom("gateway"),
    clock: rig.now,
    timers,
    log: silentLog,
    trustDomain: DOMAIN,
    proxies: new Set(parts.proxies ?? [`spiffe://${DOMAIN}/proxy/host-1`]),
    queue: new Queue({ ...LIMITS, ...parts.limits }, timers, () => rig.now() * 1000),
    keyThumbprint: () => thumbprint(c, parseCertificate(certificate).key),
    useServer: (act) => act({ calls: server, streams: server }),
  };
}

/** A gateway in memory, as the proxy of a scene reaches it. */
export function throughGateway(parts: GatewayParts = {}): (scene: Scene) => Promise<Target> {
  return async ({ rig, host }) => {
    const app = gatewayApp(gatewayWorld(rig, await enrolGateway(rig), parts));
    return handlerTarget((request) => app(request, { certificate: host.certificate }));
  };
}

/** A gateway that is no longer its owner's: it changes what it passes on. */
export function changing(
  path: string,
  change: (request: Outgoing) => Outgoing,
): (plain: Target) => Target {
  return (plain) => ({
    send: (request) => plain.send(request.path === path ? change(request) : request),
    close: () => plain.close(),
  });
}
