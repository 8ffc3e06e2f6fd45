import { parseCertificate, parseName, Refusal } from "@countersign/core";
import type { Bytes, Certificate } from "@countersign/core";
import type { ProxyPeer } from "../cases/credential.ts";
import type { World } from "../world.ts";
import { successorMark } from "../cases/enrol.ts";
import { markForked } from "../cases/forked.ts";

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

/**
 * The proxy that calls, judged anew at every request: TLS checks a certificate only when the connection opens.
 * @throws Refusal `client_certificate_required`, `attester_unknown`, `expired`, `proxy_forked`
 */
export async function authenticate(w: World, context: ApiContext): Promise<AuthenticatedProxy> {
  const certificate = certificateOf(context);
  const [uri, second] = certificate.uris;
  if (uri === undefined || second !== undefined)
    throw new Refusal("attester_unknown", "not exactly one name");
  const name = parseName(uri);
  if (name.kind !== "proxy" || name.td !== w.config.trustDomain)
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
    id: uri,
    key: certificate.key,
    serial: certificate.serialHex,
    liveSerial: proxy.liveSerial,
  };
}
