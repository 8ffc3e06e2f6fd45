import {
  base64url,
  buildGateway,
  buildProxy,
  checkNonce,
  checkRenewal,
  nonceHolder,
  parseCertificate,
  parseCsr,
  parseName,
  proxyId,
  Refusal,
  thumbprint,
  utf8,
} from "@countersign/core";
import type { Bytes, JsonObject, Jwk, Seconds } from "@countersign/core";
import type { ProxyRow } from "../store/rows.ts";
import type { Change, Decision, Once } from "../store/store.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";
import { STOP_ID_BYTES } from "./halt.ts";
import { nonceUntil } from "./nonces.ts";
import { typedId } from "./typed-id.ts";

const SECRET_BYTES = 16;
const SERIAL_BYTES = 20;
const TOKEN_CAP_SECONDS = 86_400;
const NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** What a join token is made of; base64url of its JSON is the token (DESIGN 10). */
export interface JoinToken {
  readonly v: 1;
  readonly td: string;
  /** Of the proxy; a gateway's token has `gateway` in its place, so that neither is taken for the other. */
  readonly name?: string;
  readonly gateway?: string;
  readonly api: string;
  /** SHA-256 of the infrastructure root's DER, base64url. */
  readonly root: string;
  readonly secret: string;
  readonly exp: Seconds;
}

const secretHash = (w: World, secret: string): string => base64url(w.c.sha256(utf8(secret)));

/** Makes a join token for one named proxy. Only the hash of its secret is kept. */
export async function makeJoinToken(
  w: World,
  order: { readonly name: string; readonly lifeSeconds: Seconds; readonly replace: boolean },
): Promise<string> {
  if (!NAME.test(order.name))
    throw new Refusal(
      "malformed_request",
      "a proxy's name is lower-case letters, digits and . _ -",
    );
  const id = proxyId(w.config.trustDomain, order.name);
  return makeToken(w, { ...order, id, named: { name: order.name }, changes: [], record: {} });
}

/** Whom a token enrols, under what name it says so, and what is written with it. */
export interface TokenOrder {
  readonly id: string;
  readonly named: Pick<JoinToken, "name" | "gateway">;
  readonly lifeSeconds: Seconds;
  readonly replace: boolean;
  readonly changes: readonly Change[];
  readonly record: JsonObject;
}

/** Makes the token of a proxy or gateway. @throws Refusal `name_taken` */
export async function makeToken(w: World, order: TokenOrder): Promise<string> {
  const now = w.clock();
  const proxy = order.id;
  const live = await w.store.proxy(proxy);
  if (live !== undefined && live.notAfter > now && !order.replace) throw new Refusal("name_taken");
  const secret = base64url(w.random(SECRET_BYTES));
  const exp = now + Math.min(order.lifeSeconds, TOKEN_CAP_SECONDS);
  const root = base64url(w.c.sha256(w.keys.infrastructureRoot));
  const token: JoinToken = {
    v: 1,
    td: w.config.trustDomain,
    ...order.named,
    api: w.config.apiUrl,
    root,
    secret,
    exp,
  };
  await w.store.commit({
    log: logRow(w, {
      type: "admin.join_token",
      t: now,
      actor: "admin",
      record: { v: 1, proxy, exp, replace: order.replace, ...order.record },
    }),
    changes: [
      ...order.changes,
      {
        put: "joinToken",
        row: { hash: secretHash(w, secret), proxy, exp, replace: order.replace },
      },
    ],
    bumpEpoch: order.changes.length > 0, // what is decided meanwhile may rest on what is said anew here
  });
  return base64url(utf8(JSON.stringify(token)));
}

interface LDevId {
  readonly der: Bytes;
  readonly serial: string;
  readonly jkt: string;
  readonly jwk: Jwk;
  readonly notAfter: Seconds;
}

/** Names come from the registration, never from the CSR: only its key is used (T7). */
async function certify(w: World, proxy: string, csr: Bytes, now: Seconds): Promise<LDevId> {
  const request = await parseCsr(w.c, csr);
  if (request.uris.some((uri) => uri !== proxy))
    throw new Refusal("malformed_csr", "asks for another name");
  if (request.key.kty !== "EC" || request.key.crv !== "P-256")
    throw new Refusal("invalid_key", "P-256 is needed");
  const jkt = thumbprint(w.c, request.key);
  const ca = w.keys.infrastructure;
  const notAfter = Math.min(now + w.config.proxyCertificateSeconds, ca.certificate.notAfter);
  const build = parseName(proxy).kind === "gateway" ? buildGateway : buildProxy;
  const der = await build(
    w.c,
    {
      uri: proxy,
      key: request.key,
      serial: w.random(SERIAL_BYTES),
      notBefore: now - 60,
      notAfter,
      issuer: ca.certificate,
    },
    ca.signer,
  );
  return { der, serial: parseCertificate(der).serialHex, jkt, jwk: request.key, notAfter };
}

/** Names are unique among the rows: a gateway's never meets a proxy's, which has no slash. */
function rowName(id: string): string {
  const name = parseName(id);
  if (name.kind === "proxy") return name.name;
  return name.id.segments.join("/");
}

function liveChanges(
  proxy: string,
  made: LDevId,
  before: ProxyRow | undefined,
  now: Seconds,
): readonly Change[] {
  const row: ProxyRow = {
    id: proxy,
    name: rowName(proxy),
    state: "enrolled",
    liveSerial: made.serial,
    liveJkt: made.jkt,
    liveJwk: made.jwk,
    notAfter: made.notAfter,
    enrolledAt: before?.enrolledAt ?? now,
  };
  const superseded: readonly Change[] =
    before === undefined
      ? []
      : [{ set: "certificate", serial: before.liveSerial, fields: { state: "superseded" } }];
  return [
    ...superseded,
    { put: "proxy", row },
    {
      put: "certificate",
      row: { serial: made.serial, proxy, jkt: made.jkt, notAfter: made.notAfter, state: "live" },
    },
  ];
}

/** Single-use value that says whose successor a certificate is: only that one may still be used, until the new one is. */
export function successorMark(before: string, serial: string): string {
  return `after:${before}:${serial}`;
}

function succession(before: string, made: LDevId): Once {
  const value = successorMark(before, made.serial);
  return { kind: "session", value, until: made.notAfter };
}

async function commitOr(w: World, decision: Decision, onFail: () => Promise<never>): Promise<void> {
  const committed = await w.store.commit(decision);
  if (committed === "conflict" || committed === "used") await onFail();
}

/** A second use of a token halts what the first enrolled: one of the two is not who it says (DESIGN 10). */
async function tokenReused(w: World, proxy: string): Promise<never> {
  const now = w.clock();
  await w.store.commit({
    log: logRow(w, {
      type: "halt.set",
      t: now,
      actor: "server",
      reason: "join_token_invalid",
      record: { v: 1, scope: "proxy", target: proxy, reason: "join token used twice" },
    }),
    changes: [
      {
        put: "stop",
        row: {
          id: typedId(w, STOP_ID_BYTES),
          scope: "proxy",
          target: proxy,
          since: now,
          by: "server",
          reason: "join token used twice",
        },
      },
      { end: "grants", scope: "proxy", target: proxy, at: now, why: "join token used twice" },
      { set: "proxy", id: proxy, fields: { state: "halted" } },
    ],
    bumpEpoch: true,
  });
  throw new Refusal("join_token_invalid", "used twice");
}

/** A proxy that is enrolled again starts anew: its grants end, and stops of its old life are lifted. */
async function replacing(w: World, proxy: string, now: Seconds): Promise<readonly Change[]> {
  const stops = await w.store.stops({ scope: "proxy", target: proxy, inForce: true });
  return [
    { end: "grants", scope: "proxy", target: proxy, at: now, why: "proxy enrolled again" },
    ...stops.map((stop) => ({ set: "stop", id: stop.id, fields: { liftedAt: now } }) as const),
  ];
}

/**
 * EST simpleenroll with a join token's secret: the first certificate of a named proxy.
 * @throws Refusal `join_token_invalid`, `name_taken`, `malformed_csr`, `invalid_signature`, `key_reused`, `hold`
 */
export async function simpleEnroll(w: World, secret: string, csr: Bytes): Promise<Bytes> {
  const now = w.clock();
  const hash = secretHash(w, secret);
  const token = await w.store.joinToken(hash);
  if (token === undefined || now >= token.exp)
    throw new Refusal("join_token_invalid", "unknown or over");
  if (token.usedBy !== undefined) return tokenReused(w, token.proxy);
  const before = await w.store.proxy(token.proxy);
  if (before !== undefined && before.notAfter > now && !token.replace)
    throw new Refusal("name_taken");
  const made = await certify(w, token.proxy, csr, now);
  if ((await w.store.keyOwner(made.jkt)) !== undefined)
    throw new Refusal("key_reused", "use a new key");
  await commitOr(
    w,
    {
      log: logRow(w, {
        type: "proxy.enrolled",
        t: now,
        actor: "server",
        record: {
          v: 1,
          proxy: token.proxy,
          serial: made.serial,
          key: made.jkt,
          method: "join_token",
          replaces: before?.liveSerial ?? "",
        },
      }),
      changes: [
        ...liveChanges(token.proxy, made, before, now),
        ...(before === undefined ? [] : await replacing(w, token.proxy, now)),
        { set: "joinToken", hash, fields: { usedBy: made.serial } },
      ],
      once: [
        { kind: "joinToken", value: hash, until: Number.MAX_SAFE_INTEGER },
        { kind: "key", value: made.jkt, until: Number.MAX_SAFE_INTEGER },
        ...(before === undefined ? [] : [succession(before.liveSerial, made)]),
      ],
      bumpEpoch: before !== undefined,
      issues: true,
    },
    () => tokenReused(w, token.proxy),
  );
  return made.der;
}

/** Who renews: by his own handshake, or through a gateway that has had it. */
export interface Renewing {
  readonly id: string;
  readonly key: Jwk;
  readonly serial: string;
  readonly liveSerial: string;
  readonly gateway?: string;
}

/** Through a gateway no handshake proves the present key: its signature over this CSR does. The nonce is spent with it. */
async function renewalNonce(
  w: World,
  peer: Renewing,
  csr: Bytes,
  renewal: string | undefined,
): Promise<readonly Once[]> {
  if (peer.gateway === undefined && renewal === undefined) return [];
  const now = w.clock();
  const holder = nonceHolder(peer.id, peer.gateway);
  const of = {
    key: peer.key,
    csr,
    issuer: w.config.issuer,
    checkNonce: (nonce: string) => checkNonce(w.keys.mac, nonce, holder, now),
  };
  const { claims } = await checkRenewal(w.c, renewal, of, now);
  if (await w.store.onceSeen("nonce", claims.nonce)) throw new Refusal("nonce_unknown", "spent");
  return [{ kind: "nonce", value: claims.nonce, until: nonceUntil(now) }];
}

/**
 * EST simplereenroll over mutual TLS: the next certificate of the same proxy. The superseded one is accepted until
 * its successor was used.
 * @param renewal what the proxy has signed over the CSR; needed through a gateway
 * @throws Refusal as `simpleEnroll`; `stale`, `halted`, `renewal_invalid`, `nonce_unknown`, `nonce_expired`
 */
export async function simpleReenroll(
  w: World,
  peer: Renewing,
  csr: Bytes,
  renewal?: string,
): Promise<Bytes> {
  const now = w.clock();
  const spent = await renewalNonce(w, peer, csr, renewal);
  const before = await w.store.proxy(peer.id);
  if (before === undefined) throw new Refusal("attester_unknown");
  const stops = await w.store.stops({ scope: "proxy", target: peer.id, inForce: true });
  if (stops.length > 0) throw new Refusal("halted", "the proxy is stopped");
  const made = await certify(w, peer.id, csr, now);
  const owner = await w.store.keyOwner(made.jkt);
  if (owner !== undefined && (owner.kind !== "proxy" || owner.id !== peer.id))
    throw new Refusal("key_reused", "use a new key");
  await commitOr(
    w,
    {
      log: logRow(w, {
        type: "proxy.renewed",
        t: now,
        actor: "server",
        record: {
          v: 1,
          proxy: peer.id,
          serial: made.serial,
          key: made.jkt,
          replaces: peer.serial,
          ...(peer.gateway === undefined ? {} : { gateway: peer.gateway }),
        },
      }),
      changes: liveChanges(peer.id, made, before, now),
      once: [succession(peer.serial, made), ...spent],
      // the one it replaces may be another than the caller's: its answer was lost, and it was never used
      expect: { liveSerial: { proxy: peer.id, serial: peer.liveSerial } },
      issues: true,
    },
    () => Promise.reject(new Refusal("stale", "the certificate was renewed already")),
  );
  return made.der;
}
