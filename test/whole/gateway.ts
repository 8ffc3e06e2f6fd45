import {
  buildCsr,
  gatewayId,
  parseCertificate,
  readPolicyRules,
  thumbprint,
} from "../../packages/core/src/index.ts";
import type { Bytes, JsonObject } from "../../packages/core/src/index.ts";
import {
  generateSigner,
  handlerTarget,
  nodeCrypto as c,
  silentLog,
} from "../../packages/node/src/index.ts";
import type { Log, Target, Timers } from "../../packages/node/src/index.ts";
import { ManualTimers } from "../../packages/node/src/clock.testing.ts";
import { gatewayApp } from "../../packages/gateway/src/app.ts";
import { Queue } from "../../packages/gateway/src/relay/queue.ts";
import type { Limits } from "../../packages/gateway/src/relay/schedule.ts";
import { ownerKeyOf } from "../../packages/gateway/src/signing/owner-key.ts";
import { RuleBook } from "../../packages/gateway/src/signing/rules.ts";
import { Seen } from "../../packages/gateway/src/signing/seen.ts";
import type { Signing } from "../../packages/gateway/src/signing/sign.ts";
import type { GatewayWorld } from "../../packages/gateway/src/world.ts";
import { d, ENTRY_ID, est, secretIn } from "../../packages/server/src/people.testing.ts";
import type { Owner } from "../../packages/server/src/people.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { DOMAIN, seededRandom } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";
import type { Whole } from "./whole.ts";

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
  readonly log?: Log;
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
    log: parts.log ?? silentLog,
    trustDomain: DOMAIN,
    proxies: new Set(parts.proxies ?? [`spiffe://${DOMAIN}/proxy/host-1`]),
    queue: new Queue({ ...LIMITS, ...parts.limits }, timers, () => rig.now() * 1000),
    keyThumbprint: () => thumbprint(c, parseCertificate(certificate).key),
    useServer: (act) => act({ calls: server, streams: server }),
  };
}

/** A gateway of a scene, as its proxy reaches it. */
export async function gatewayThat(
  { rig, host }: Pick<Scene, "rig" | "host">,
  parts: GatewayParts & { readonly owners?: readonly string[]; readonly signing?: Signing } = {},
): Promise<Target> {
  const { owners = [], signing } = parts;
  const certificate = await enrolGateway(rig, { owners });
  const app = gatewayApp(gatewayWorld(rig, certificate, parts), signing);
  return handlerTarget((request) => app(request, { certificate: host.certificate }));
}

/** A gateway in memory that signs nothing. */
export function throughGateway(parts: GatewayParts = {}): (scene: Scene) => Promise<Target> {
  return (scene) => gatewayThat(scene, parts);
}

/** A rule that signs what the scene's program asks. */
export const RULE: JsonObject = {
  name: "mailers",
  entries: [ENTRY_ID],
  hosts: [`spiffe://${DOMAIN}/proxy/host-1`],
  measurements: { binary: [d(1)], script: [d(2)] },
  insecure_any_installation: true,
  ceiling: [],
  any_service: true,
  use: ["standing"],
  longest_grant_seconds: 86_400,
  max_ttl_seconds: 900,
  max_issue: 2000,
  max_live: 8,
  rate: { count: 2, window_seconds: 600 },
  insecure_ignore_warnings: true,
};

/** What signs for an owner, by these rules; how often is kept in memory. */
export function signingOf(
  owner: Pick<Owner, "id" | "signer">,
  rules: readonly JsonObject[],
  issuer = `https://id.${DOMAIN}`,
  form: "sshsig" | "jws" = "sshsig",
): Signing {
  const book = new RuleBook(readPolicyRules({ v: 1, issuer, rules }), new Map(), () =>
    Promise.resolve(),
  );
  const key = ownerKeyOf(c, owner.signer, form, { owner: owner.id, kind: "policy" });
  return { owner: owner.id, key, rules: book, seen: new Seen() };
}

/** What a gateway says in its log. */
export interface Heard {
  readonly log: Log;
  count(event: string): number;
  last(event: string): unknown;
  /** Until it was said so many times. */
  until(whole: Whole, event: string, times?: number): Promise<void>;
}

export function logOf(): Heard {
  const said: { readonly event: string; readonly fields: unknown }[] = [];
  const keep = (event: string, fields?: unknown): void => {
    said.push({ event, fields });
  };
  const of = (event: string): typeof said => said.filter((one) => one.event === event);
  return {
    log: { debug: keep, info: keep, warn: keep, error: keep },
    count: (event) => of(event).length,
    last: (event) => of(event).at(-1)?.fields,
    until: (whole, event, times = 1) => whole.until(() => of(event).length >= times),
  };
}
