import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  buildIssuingCa,
  buildRoot,
  fromUtf8,
  parseCertificate,
  pemDecode,
  pemEncode,
  Refusal,
  sameKey,
} from "@countersign/core";
import type { Bytes, Certificate, Crypto, Hierarchy, Random, Seconds } from "@countersign/core";
import {
  loadOrCreateSigner,
  loadPrivateKey,
  privateDirectory,
  readPrivateFile,
  signerOf,
  writePrivateFile,
} from "@countersign/node";
import type { IssuingCa } from "../world.ts";
import { readKeyList, readSigner, writeKeyList } from "./key-file.ts";
import type { ListedKey } from "./key-file.ts";

const ROOT_LIFE_SECONDS: Seconds = 3650 * 86_400;
const ISSUING_LIFE_SECONDS: Seconds = 30 * 86_400;
const SERIAL_BYTES = 20;
const EARLIER_SECONDS = 300;
const MAX_ISSUERS = 8;

export const HIERARCHIES: readonly Hierarchy[] = ["infrastructure", "agents"];

export interface KeyFolders {
  readonly roots: string;
  readonly keys: string;
}

interface Given {
  readonly c: Crypto;
  readonly random: Random;
  readonly now: Seconds;
  readonly origin: string;
}

/** An issuing CA that is alive, with the time from which it issues. */
export interface DatedCa extends IssuingCa {
  readonly from: Seconds;
}

/** What a running server holds of a hierarchy. */
export interface LoadedHierarchy {
  readonly root: Bytes;
  /** In the order in which they issue; at least one. */
  readonly issuers: readonly DatedCa[];
}

const listPath = (keys: string, hierarchy: Hierarchy): string => join(keys, `${hierarchy}-ca.json`);
const certificatePath = (keys: string, name: string): string => join(keys, `${name}.crt`);

/** Signs an issuing CA for the key of a name, which is made first; nothing lists it yet. */
async function certifyIssuer(
  keys: string,
  name: string,
  hierarchy: Hierarchy,
  given: Given & { readonly root: Bytes; readonly rootSigner: Parameters<typeof buildRoot>[2] },
): Promise<ListedKey> {
  const { c, random, now, origin } = given;
  const signer = await loadOrCreateSigner(keys, name, "P-256");
  const issuer = parseCertificate(given.root);
  const notAfter = Math.min(now + ISSUING_LIFE_SECONDS, issuer.notAfter);
  const template = {
    origin,
    hierarchy,
    name: origin.slice(0, 64),
    key: signer.key,
    serial: random(SERIAL_BYTES),
    notBefore: now - EARLIER_SECONDS,
    notAfter,
    issuer,
  };
  const der = await buildIssuingCa(c, template, given.rootSigner);
  await writePrivateFile(certificatePath(keys, name), pemEncode("CERTIFICATE", der));
  return { name, nbf: now - EARLIER_SECONDS, exp: notAfter, isAnnounced: true };
}

/** Makes one hierarchy: a root whose key lies apart, and an issuing CA under it. */
export async function createHierarchy(
  folders: KeyFolders,
  hierarchy: Hierarchy,
  given: Given,
): Promise<void> {
  const { c, random, now, origin } = given;
  const rootSigner = await loadOrCreateSigner(folders.roots, `${hierarchy}-root`, "P-256");
  const template = {
    origin,
    hierarchy,
    name: origin.slice(0, 64),
    serial: random(SERIAL_BYTES),
    notBefore: now - EARLIER_SECONDS,
    notAfter: now + ROOT_LIFE_SECONDS,
  };
  const root = await buildRoot(c, template, rootSigner);
  await writePrivateFile(
    join(folders.keys, `${hierarchy}-root.crt`),
    pemEncode("CERTIFICATE", root),
  );
  await certifyIssuer(folders.keys, `${hierarchy}-ca`, hierarchy, { ...given, root, rootSigner });
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

/** The issuing CAs as listed; before the first rotation there is one, and no list. */
export async function readIssuerList(
  keys: string,
  hierarchy: Hierarchy,
): Promise<readonly ListedKey[]> {
  const names = new RegExp(`^${hierarchy}-ca(-[0-9]{1,6})?$`);
  const list = await readKeyList(listPath(keys, hierarchy), names, MAX_ISSUERS);
  if (list !== undefined) return list;
  const name = `${hierarchy}-ca`;
  const only = parseCertificate(await readCertificate(certificatePath(keys, name)));
  return [{ name, nbf: only.notBefore, exp: only.notAfter, isAnnounced: true }];
}

function checkIsCa(hierarchy: Hierarchy, ca: Certificate): void {
  if (ca.basicConstraints?.isCa !== true || ca.keyUsage?.keyCertSign !== true)
    throw new Refusal(
      "signer_unsuitable",
      `the ${hierarchy} CA certificate lacks CA:TRUE or keyCertSign`,
    );
}

/** The issuing CA must be signed by the root that strangers are given. */
async function checkUnderRoot(c: Crypto, ca: Certificate, root: Bytes): Promise<void> {
  const anchor = parseCertificate(root);
  const isSigned = await c.verify(ca.signatureAlgorithm, anchor.key, ca.tbs, ca.signature);
  if (!isSigned)
    throw new Refusal("signer_unsuitable", "the issuing CA was not signed by this root");
}

async function loadIssuer(
  keys: string,
  hierarchy: Hierarchy,
  { name, nbf }: ListedKey,
): Promise<DatedCa> {
  const certificate = parseCertificate(await readCertificate(certificatePath(keys, name)));
  const signer = await readSigner(keys, name);
  if (!sameKey(signer.key, certificate.key))
    throw new Refusal("signer_unsuitable", `the ${hierarchy} CA's key and certificate differ`);
  checkIsCa(hierarchy, certificate);
  return { signer, certificate, from: nbf };
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
): Promise<LoadedHierarchy> {
  const root = await readCertificate(join(keys, `${hierarchy}-root.crt`));
  checkIsCa(hierarchy, parseCertificate(root));
  const list = await readIssuerList(keys, hierarchy);
  const issuers: DatedCa[] = [];
  for (const listed of list) {
    const issuer = await loadIssuer(keys, hierarchy, listed);
    await checkUnderRoot(c, issuer.certificate, root);
    const { notBefore, notAfter } = issuer.certificate;
    if (notBefore <= now && now <= notAfter) issuers.push(issuer);
  }
  if (issuers.length === 0)
    throw new Refusal(
      "signer_unsuitable",
      `the ${hierarchy} CA certificate is not valid now`,
      "Check the clock. If it ended: put the root keys back in the folder roots (mode 0600) and start again.",
    );
  return { root, issuers: issuers.toSorted((a, b) => a.from - b.from) };
}

/** @throws Refusal `signer_unsuitable` where the root's key is not in its folder */
async function loadRoot(
  folders: KeyFolders,
  hierarchy: Hierarchy,
): Promise<{ readonly root: Bytes; readonly rootSigner: ReturnType<typeof signerOf> }> {
  const root = await readCertificate(join(folders.keys, `${hierarchy}-root.crt`));
  await privateDirectory(folders.roots);
  const path = join(folders.roots, `${hierarchy}-root.pem`);
  const key = await loadPrivateKey(path);
  const rootSigner = key === undefined ? undefined : signerOf(key);
  if (rootSigner === undefined || !sameKey(rootSigner.key, parseCertificate(root).key))
    throw new Refusal(
      "signer_unsuitable",
      `${path} is not there, or not the root's key`,
      `Put ${hierarchy}-root.pem back there (mode 0600), repeat, and take it away again.`,
    );
  return { root, rootSigner };
}

/** Whether new issuing CAs can be made here. */
export async function hasRoots(folders: KeyFolders): Promise<boolean> {
  try {
    for (const hierarchy of HIERARCHIES) await loadRoot(folders, hierarchy);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** What a preparation writes last, once everything before it was possible. */
export type Listing = () => Promise<void>;

/**
 * Prepares the next issuing CA of a hierarchy, which issues from `from` on: key and certificate now, and in one step of
 * its own the list that names them.
 * @throws Refusal `signer_unsuitable` without the root's key, `rate_limited` while one is prepared already
 */
export async function prepareIssuer(
  folders: KeyFolders,
  hierarchy: Hierarchy,
  from: Seconds,
  given: Given,
): Promise<Listing> {
  const { keys } = folders;
  const list = await readIssuerList(keys, hierarchy);
  if (list.length >= MAX_ISSUERS || list.some(({ nbf }) => nbf > given.now))
    throw new Refusal(
      "rate_limited",
      `an issuing CA for ${hierarchy} is prepared already, or there are too many`,
      "Wait until it issues; see countersign server status.",
    );
  const { root, rootSigner } = await loadRoot(folders, hierarchy);
  const numbers = list.map(({ name }) => Number(/-([0-9]+)$/.exec(name)?.[1] ?? 1));
  const name = `${hierarchy}-ca-${Math.max(...numbers) + 1}`;
  const made = await certifyIssuer(keys, name, hierarchy, { ...given, root, rootSigner });
  return () =>
    writeKeyList(listPath(keys, hierarchy), [...list, { ...made, nbf: from, isAnnounced: false }]);
}

/** Says that log and bundle know all of them. */
export async function noteIssuersAnnounced(keys: string, hierarchy: Hierarchy): Promise<void> {
  const list = await readIssuerList(keys, hierarchy);
  if (list.every((key) => key.isAnnounced)) return;
  await writeKeyList(
    listPath(keys, hierarchy),
    list.map((key) => ({ ...key, isAnnounced: true })),
  );
}

/** Removes issuing CAs that have ended, and with them all that they signed: from the list first. */
export async function forgetIssuers(
  keys: string,
  hierarchy: Hierarchy,
  now: Seconds,
): Promise<boolean> {
  const list = await readIssuerList(keys, hierarchy);
  const gone = list.filter(({ exp }) => exp + EARLIER_SECONDS < now).slice(0, list.length - 1);
  if (gone.length === 0) return false;
  await writeKeyList(
    listPath(keys, hierarchy),
    list.filter((key) => !gone.includes(key)),
  );
  for (const { name } of gone)
    for (const file of [`${name}.pem`, `${name}.crt`]) await rm(join(keys, file), { force: true });
  return true;
}
