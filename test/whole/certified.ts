import {
  buildIssuingCa,
  buildRoot,
  buildServerTls,
  parseCertificate,
  pemEncode,
} from "../../packages/core/src/index.ts";
import {
  generatePrivateKey,
  generateSigner,
  nodeCrypto as c,
  privateKeyToPem,
  publicJwkOf,
} from "../../packages/node/src/index.ts";

/** OpenSSL compares with the clock of the machine: from 2000 to 2049. */
const VALID = { notBefore: 946_684_800, notAfter: 2_493_072_000 };

/** A certificate for a server of ours at 127.0.0.1, with its key and the root that vouches for it. All PEM. */
export async function certified(): Promise<{
  readonly root: string;
  readonly cert: string;
  readonly key: string;
}> {
  const [top, by] = [generateSigner(), generateSigner()];
  const key = generatePrivateKey("P-256");
  const base = {
    ...VALID,
    origin: "spiffe://push.test",
    hierarchy: "infrastructure",
    name: "push",
  } as const;
  const serial = (n: number): Uint8Array => new Uint8Array(16).fill(n);
  const root = await buildRoot(c, { ...base, serial: serial(1) }, top);
  const given = { ...base, serial: serial(2), key: by.key, issuer: parseCertificate(root) };
  const issuing = await buildIssuingCa(c, given, top);
  const leaf = await buildServerTls(
    c,
    {
      ...VALID,
      serial: serial(3),
      key: publicJwkOf(key),
      issuer: parseCertificate(issuing),
      uri: "spiffe://push.test/server",
      dns: [],
      ips: ["127.0.0.1"],
    },
    by,
  );
  const pem = (der: Uint8Array): string => pemEncode("CERTIFICATE", der);
  return { root: pem(root), cert: pem(leaf) + pem(issuing), key: privateKeyToPem(key) };
}
