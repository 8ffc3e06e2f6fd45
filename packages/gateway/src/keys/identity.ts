import { join } from "node:path";
import type { KeyObject } from "node:crypto";
import {
  fromUtf8,
  gatewayId,
  parseCertificate,
  pemDecode,
  pemEncode,
  Refusal,
} from "@countersign/core";
import type { Bytes, Certificate } from "@countersign/core";
import {
  privateDirectory,
  privateKeyToPem,
  readPrivateFile,
  writePrivateFile,
} from "@countersign/node";

const MAX_CA_CERTIFICATES = 8;

/** The gateway's own credential: towards the server and towards its proxies. */
export interface Identity {
  /** `spiffe://<trust domain>/gateway/<name>` */
  readonly id: string;
  readonly certificate: Certificate;
  /** PEM: leaf and issuing CA; PKCS#8 of the key. */
  readonly cert: string;
  readonly key: string;
  /** DER of the infrastructure root. */
  readonly root: Bytes;
  /** PEM of the root and of the issuing CAs that proxies' certificates may be of. */
  readonly cas: readonly string[];
}

/** A credential that was just issued, as it is to be stored. */
export interface Made {
  readonly key: KeyObject;
  readonly chain: readonly Bytes[];
  readonly root: Bytes;
  /** The server's CA certificates as it offers them now. */
  readonly cas: readonly Bytes[];
}

const pairPath = (folder: string): string => join(folder, "keys", "gateway.pem");
const caPath = (folder: string): string => join(folder, "keys", "infrastructure.crt");

/** The root first: it is pinned, the others come and go. */
export async function saveCas(folder: string, root: Bytes, cas: readonly Bytes[]): Promise<void> {
  const pem = (der: Bytes): string => pemEncode("CERTIFICATE", der);
  const others = cas.map(pem).filter((text) => text !== pem(root));
  const kept = [pem(root), ...others].slice(0, MAX_CA_CERTIFICATES);
  await writePrivateFile(caPath(folder), kept.join(""));
}

/** Certificate and key in one file, so that a crash never leaves a key with another key's certificate. */
export async function saveIdentity(folder: string, made: Made): Promise<void> {
  await privateDirectory(join(folder, "keys"));
  await saveCas(folder, made.root, made.cas);
  const chain = made.chain.map((der) => pemEncode("CERTIFICATE", der)).join("");
  await writePrivateFile(pairPath(folder), chain + privateKeyToPem(made.key));
}

async function readText(path: string): Promise<string> {
  const octets = await readPrivateFile(path);
  if (octets === undefined)
    throw new Refusal(
      "attester_unknown",
      `${path} is missing`,
      "Enrol this gateway first: countersign owner gateway init --token-file FILE.",
    );
  return fromUtf8(octets);
}

/** @throws Refusal `attester_unknown`, `private_mode`, `signer_unsuitable` */
export async function loadIdentity(
  folder: string,
  trustDomain: string,
  name: string,
): Promise<Identity> {
  await privateDirectory(join(folder, "keys"));
  const text = await readText(pairPath(folder));
  const split = Math.max(0, text.indexOf("-----BEGIN PRIVATE KEY-----"));
  const cert = text.slice(0, split);
  const [leaf] = pemDecode(cert, "CERTIFICATE", 4);
  const cas = pemDecode(await readText(caPath(folder)), "CERTIFICATE", MAX_CA_CERTIFICATES);
  const [root] = cas;
  if (leaf === undefined || root === undefined)
    throw new Refusal("signer_unsuitable", "the gateway's certificate or root is missing");
  const certificate = parseCertificate(leaf);
  const id = gatewayId(trustDomain, name);
  if (certificate.uris.length !== 1 || certificate.uris[0] !== id)
    throw new Refusal("signer_unsuitable", "the certificate is of another gateway");
  return {
    id,
    certificate,
    cert,
    key: text.slice(split),
    root,
    cas: cas.map((der) => pemEncode("CERTIFICATE", der)),
  };
}
