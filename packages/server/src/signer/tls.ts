import { buildServerTls, pemEncode, serverId } from "@countersign/core";
import type { Seconds } from "@countersign/core";
import { generatePrivateKey, privateKeyToPem, publicJwkOf } from "@countersign/node";
import type { TlsIdentity } from "@countersign/node";
import type { World } from "../world.ts";

/** Life of the API's own certificate; a new one, with a new key, is made at half of it. */
export const TLS_LIFE_SECONDS: Seconds = 86_400;
const SERIAL_BYTES = 20;
const EARLIER_SECONDS = 60;

/** A fresh certificate for the API listener. Its key is never written to disk. */
export async function makeTlsIdentity(w: World, now: Seconds): Promise<TlsIdentity> {
  const key = generatePrivateKey("P-256");
  const ca = w.keys.infrastructure;
  const leaf = await buildServerTls(
    w.c,
    {
      uri: serverId(w.config.trustDomain),
      dns: w.config.dns,
      ips: w.config.ips,
      key: publicJwkOf(key),
      serial: w.random(SERIAL_BYTES),
      notBefore: now - EARLIER_SECONDS,
      notAfter: Math.min(now + TLS_LIFE_SECONDS, ca.certificate.notAfter),
      issuer: ca.certificate,
    },
    ca.signer,
  );
  const issuing = pemEncode("CERTIFICATE", ca.certificate.der);
  return {
    cert: pemEncode("CERTIFICATE", leaf) + issuing,
    key: privateKeyToPem(key),
    ca: [
      w.keys.infrastructureRoot,
      ...w.keys.infrastructureIssuers.map((issuer) => issuer.der),
    ].map((der) => pemEncode("CERTIFICATE", der)),
  };
}
