import { join } from "node:path";
import {
  fromUtf8,
  parseCertificate,
  pemDecode,
  pemEncode,
  proxyId,
  Refusal,
} from "@countersign/core";
import type { Bytes, Certificate, Signer } from "@countersign/core";
import {
  privateDirectory,
  privateKeyFromPem,
  privateKeyToPem,
  readPrivateFile,
  signerOf,
  writePrivateFile,
} from "@countersign/node";
import type { KeyObject } from "node:crypto";

/** The proxy's own credential: mutual TLS and evidence. */
export interface Identity {
  /** `spiffe://<trust domain>/proxy/<name>` */
  readonly id: string;
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** PEM for TLS: leaf and issuing CA; PKCS#8 of the key. */
  readonly cert: string;
  readonly key: string;
  /** PEM of the infrastructure root. */
  readonly root: string;
}

interface Paths {
  readonly pair: string;
  readonly root: string;
}

function pathsOf(data: string): Paths {
  const folder = join(data, "keys");
  return { pair: join(folder, "proxy.pem"), root: join(folder, "infrastructure.crt") };
}

/** Writes certificate and key into one file, so that a crash never leaves a key with another key's certificate. */
export async function saveIdentity(
  data: string,
  made: { readonly key: KeyObject; readonly chain: readonly Bytes[]; readonly root: Bytes },
): Promise<void> {
  const paths = pathsOf(data);
  await privateDirectory(data);
  await privateDirectory(join(data, "keys"));
  await writePrivateFile(paths.root, pemEncode("CERTIFICATE", made.root));
  const chain = made.chain.map((der) => pemEncode("CERTIFICATE", der)).join("");
  await writePrivateFile(paths.pair, chain + privateKeyToPem(made.key));
}

async function readText(path: string): Promise<string> {
  const octets = await readPrivateFile(path);
  if (octets === undefined)
    throw new Refusal(
      "attester_unknown",
      `${path} is missing`,
      "Enrol this host first: countersign proxy enroll --token-file FILE.",
    );
  return fromUtf8(octets);
}

/** Loads the proxy's identity. @throws Refusal `attester_unknown`, `private_mode`, `signer_unsuitable` */
export async function loadIdentity(
  data: string,
  trustDomain: string,
  name: string,
): Promise<Identity> {
  const paths = pathsOf(data);
  await privateDirectory(join(data, "keys"));
  const text = await readText(paths.pair);
  const split = text.indexOf("-----BEGIN PRIVATE KEY-----");
  const cert = text.slice(0, Math.max(0, split));
  const [leaf] = pemDecode(cert, "CERTIFICATE", 4);
  if (leaf === undefined)
    throw new Refusal("signer_unsuitable", "the proxy's certificate is missing");
  const key = privateKeyFromPem(text.slice(split));
  const certificate = parseCertificate(leaf);
  const id = proxyId(trustDomain, name);
  if (certificate.uris.length !== 1 || certificate.uris[0] !== id)
    throw new Refusal("signer_unsuitable", "the certificate is of another proxy");
  return {
    id,
    signer: signerOf(key),
    certificate,
    cert,
    key: privateKeyToPem(key),
    root: await readText(paths.root),
  };
}
