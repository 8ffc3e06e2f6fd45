import { join } from "node:path";
import {
  buildIssuingCa,
  buildRoot,
  parseCertificate,
  pemDecode,
  pemEncode,
  Refusal,
  sameKey,
  fromUtf8,
} from "@countersign/core";
import type { Bytes, Crypto, Hierarchy, Random, Seconds } from "@countersign/core";
import { loadOrCreateSigner, readPrivateFile, writePrivateFile } from "@countersign/node";
import type { IssuingCa } from "../world.ts";

const ROOT_LIFE_SECONDS: Seconds = 3650 * 86_400;
const ISSUING_LIFE_SECONDS: Seconds = 30 * 86_400;
const SERIAL_BYTES = 20;
const EARLIER_SECONDS = 300;

interface Given {
  readonly c: Crypto;
  readonly random: Random;
  readonly now: Seconds;
  readonly origin: string;
}

/** Makes one hierarchy: a root whose key lies apart, and an issuing CA under it. */
export async function createHierarchy(
  folders: { readonly roots: string; readonly keys: string },
  hierarchy: Hierarchy,
  given: Given,
): Promise<void> {
  const { c, random, now, origin } = given;
  const name = origin.slice(0, 64);
  const rootSigner = await loadOrCreateSigner(folders.roots, `${hierarchy}-root`, "P-256");
  const notBefore = now - EARLIER_SECONDS;
  const root = await buildRoot(
    c,
    {
      origin,
      hierarchy,
      name,
      serial: random(SERIAL_BYTES),
      notBefore,
      notAfter: now + ROOT_LIFE_SECONDS,
    },
    rootSigner,
  );
  const signer = await loadOrCreateSigner(folders.keys, `${hierarchy}-ca`, "P-256");
  const ca = await buildIssuingCa(
    c,
    {
      origin,
      hierarchy,
      name,
      key: signer.key,
      serial: random(SERIAL_BYTES),
      notBefore,
      notAfter: now + ISSUING_LIFE_SECONDS,
      issuer: parseCertificate(root),
    },
    rootSigner,
  );
  await writePrivateFile(
    join(folders.keys, `${hierarchy}-root.crt`),
    pemEncode("CERTIFICATE", root),
  );
  await writePrivateFile(join(folders.keys, `${hierarchy}-ca.crt`), pemEncode("CERTIFICATE", ca));
}

async function readCertificate(path: string): Promise<Bytes> {
  const octets = await readPrivateFile(path);
  const [der] = octets === undefined ? [] : pemDecode(fromUtf8(octets), "CERTIFICATE", 1);
  if (der === undefined)
    throw new Refusal(
      "signer_unsuitable",
      `${path} is missing`,
      "Run countersign server init in a new directory.",
    );
  return der;
}

/**
 * Loads what a running server needs of a hierarchy, and refuses to start with a CA that may not sign certificates.
 * @throws Refusal `signer_unsuitable`, `private_mode`, and as `verifyPath`
 */
export async function loadHierarchy(
  keys: string,
  hierarchy: Hierarchy,
  c: Crypto,
  now: Seconds,
): Promise<IssuingCa & { readonly root: Bytes }> {
  const root = await readCertificate(join(keys, `${hierarchy}-root.crt`));
  const der = await readCertificate(join(keys, `${hierarchy}-ca.crt`));
  const certificate = parseCertificate(der);
  const signer = await loadOrCreateSigner(keys, `${hierarchy}-ca`, "P-256");
  if (!sameKey(signer.key, certificate.key))
    throw new Refusal("signer_unsuitable", `the ${hierarchy} CA's key and certificate differ`);
  for (const ca of [certificate, parseCertificate(root)])
    if (ca.basicConstraints?.isCa !== true || ca.keyUsage?.keyCertSign !== true)
      throw new Refusal(
        "signer_unsuitable",
        `the ${hierarchy} CA certificate lacks CA:TRUE or keyCertSign`,
      );
  if (now < certificate.notBefore || now > certificate.notAfter)
    throw new Refusal("signer_unsuitable", `the ${hierarchy} CA certificate is not valid now`);
  await checkUnderRoot(c, der, root);
  return { signer, certificate, root };
}

/** The issuing CA must be signed by the root that strangers are given. */
async function checkUnderRoot(c: Crypto, der: Bytes, root: Bytes): Promise<void> {
  const ca = parseCertificate(der);
  const anchor = parseCertificate(root);
  const isSigned = await c.verify(ca.signatureAlgorithm, anchor.key, ca.tbs, ca.signature);
  if (!isSigned)
    throw new Refusal("signer_unsuitable", "the issuing CA was not signed by this root");
}
