import {
  CLIENT_CERT_HEADER,
  equalBytes,
  parseCertificate,
  parseName,
  readClientCert,
  Refusal,
  verifyPath,
} from "@countersign/core";
import type { Bytes, Certificate } from "@countersign/core";
import { headerLines } from "@countersign/node";
import type { ProxyPeer } from "../cases/credential.ts";
import type { World } from "../world.ts";
import { successorMark } from "../cases/enrol.ts";
import { markForked } from "../cases/forked.ts";
import { checkSpeaksFor } from "../cases/gateways.ts";
import { rememberingOf } from "../cases/verified.ts";

/** What is known of a connection on the API listener: the caller's certificate, only if TLS verified it. */
export interface ApiContext {
  readonly certificate?: Bytes;
}

export interface AuthenticatedProxy extends ProxyPeer {
  /** Serial of the live certificate: the caller's own, or its successor that was never used. */
  readonly liveSerial: string;
}

const parsed = new WeakMap<ApiContext, Certificate>();
/** Serials whose first use was written already. */
const confirmed = new WeakMap<World, Set<string>>();

function certificateOf(context: ApiContext): Certificate {
  const known = parsed.get(context);
  if (known !== undefined) return known;
  if (context.certificate === undefined) throw new Refusal("client_certificate_required");
  const certificate = parseCertificate(context.certificate);
  parsed.set(context, certificate);
  return certificate;
}

/** Writes once that the successor was used: from then on a superseded certificate is a copy in other hands. */
async function confirm(w: World, serial: string): Promise<void> {
  const serials = confirmed.get(w) ?? new Set<string>();
  confirmed.set(w, serials);
  if (serials.has(serial)) return;
  await w.store.commit({
    changes: [],
    once: [{ kind: "session", value: `used:${serial}`, until: Number.MAX_SAFE_INTEGER }],
  });
  serials.add(serial);
}

/** Whether a superseded certificate is in other hands: its successor was used, or it is older than the one replaced. */
async function isCopy(w: World, serial: string, live: string): Promise<boolean> {
  const [isUsed, isReplaced] = await Promise.all([
    w.store.onceSeen("session", `used:${live}`),
    w.store.onceSeen("session", successorMark(serial, live)),
  ]);
  return isUsed || !isReplaced;
}

/** Whoever holds a certificate of the infrastructure: a proxy, or a gateway that speaks for some. */
interface Caller extends AuthenticatedProxy {
  readonly kind: "proxy" | "gateway";
}

/** @throws Refusal `attester_unknown`, `expired`, `proxy_forked` */
async function judge(w: World, certificate: Certificate): Promise<Caller> {
  const [uri, second] = certificate.uris;
  if (uri === undefined || second !== undefined)
    throw new Refusal("attester_unknown", "not exactly one name");
  const name = parseName(uri);
  if ((name.kind !== "proxy" && name.kind !== "gateway") || name.td !== w.config.trustDomain)
    throw new Refusal("attester_unknown", "not a proxy of this trust domain");
  if (w.clock() > certificate.notAfter) throw new Refusal("expired", "the proxy's certificate");
  const [row, proxy] = await Promise.all([
    w.store.certificate(certificate.serialHex),
    w.store.proxy(uri),
  ]);
  if (row === undefined || proxy === undefined || row.proxy !== uri)
    throw new Refusal("attester_unknown", "not a certificate of this server");
  if (proxy.forkedAt !== undefined) throw new Refusal("proxy_forked");
  if (proxy.liveSerial === row.serial) await confirm(w, row.serial);
  else if (await isCopy(w, row.serial, proxy.liveSerial)) {
    await markForked(w, proxy, row.serial);
    throw new Refusal("proxy_forked", "a superseded certificate was used after its successor");
  }
  return {
    kind: name.kind,
    id: uri,
    key: certificate.key,
    serial: certificate.serialHex,
    liveSerial: proxy.liveSerial,
  };
}

/**
 * The certificate that a gateway passes on, verified here: no handshake of ours has seen it.
 * @throws Refusal as `verifyPath`
 */
async function presentedCertificate(w: World, der: Bytes): Promise<Certificate> {
  const { authorityKeyId } = parseCertificate(der);
  const issuers = w.keys.infrastructureIssuers.filter(
    ({ subjectKeyId }) =>
      subjectKeyId !== undefined &&
      authorityKeyId !== undefined &&
      equalBytes(subjectKeyId, authorityKeyId),
  );
  const { leaf } = await verifyPath(rememberingOf(w), {
    chain: [der, ...issuers.slice(0, 1).map((issuer) => issuer.der)],
    anchors: [w.keys.infrastructureRoot],
    purpose: "client",
    now: w.clock(),
  });
  return leaf;
}

/** The proxy for which a gateway speaks, if an administrator has registered it so. */
async function spokenFor(w: World, gateway: Caller, der: Bytes): Promise<AuthenticatedProxy> {
  const certificate = await presentedCertificate(w, der);
  // before anything is judged that could end the proxy: a gateway has no say over others
  await checkSpeaksFor(w, gateway.id, certificate.uris[0] ?? "");
  const proxy = await judge(w, certificate);
  return { ...proxy, gateway: gateway.id };
}

/**
 * The proxy that calls, judged anew at every request: TLS checks a certificate only when the connection opens. Through
 * a gateway it is the one whose certificate the gateway passes on.
 * @throws Refusal `client_certificate_required`, `attester_unknown`, `expired`, `proxy_forked`, `gateway_not_allowed`,
 * `halted` for a gateway that is stopped, `malformed_request`, and as `verifyPath` for a certificate passed on
 */
export async function authenticate(
  w: World,
  request: Request,
  context: ApiContext,
): Promise<AuthenticatedProxy> {
  const caller = await judge(w, certificateOf(context));
  const presented = readClientCert(headerLines(request, CLIENT_CERT_HEADER));
  if (caller.kind === "proxy") {
    if (presented !== undefined)
      throw new Refusal("gateway_not_allowed", "a proxy speaks for itself alone");
    return caller;
  }
  if (presented === undefined)
    throw new Refusal("gateway_not_allowed", "a gateway says for which proxy it speaks");
  return spokenFor(w, caller, presented);
}

/** As `authenticate`; a gateway that passes nobody's certificate on renews its own. */
export async function authenticateRenewing(
  w: World,
  request: Request,
  context: ApiContext,
): Promise<AuthenticatedProxy> {
  const isOwn = headerLines(request, CLIENT_CERT_HEADER).length === 0;
  return isOwn ? judge(w, certificateOf(context)) : authenticate(w, request, context);
}

/**
 * A gateway that calls for its owner. It passes no certificate on: a call of its own, at a time of its own, is no use of
 * a proxy's certificate, which may be superseded by then.
 * @throws Refusal `gateway_not_allowed` for a proxy, and for a certificate passed on; as `authenticate`
 */
export async function authenticateGateway(
  w: World,
  request: Request,
  context: ApiContext,
): Promise<{ readonly id: string }> {
  const { kind, id } = await judge(w, certificateOf(context));
  if (kind !== "gateway") throw new Refusal("gateway_not_allowed", "a proxy is no owner");
  if (headerLines(request, CLIENT_CERT_HEADER).length > 0)
    throw new Refusal("gateway_not_allowed", "it calls for its owner, not for a proxy");
  return { id };
}
