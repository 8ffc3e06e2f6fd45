import {
  base64,
  base64url,
  buildCsr,
  equalBytes,
  equalText,
  EST_MEDIA_TYPE,
  fromBase64url,
  Members,
  parseCertificate,
  parseJsonObject,
  pemEncode,
  proxyId,
  readCertsOnly,
  readEstBody,
  Refusal,
  utf8,
  verifyPath,
  writeEstRequestBody,
} from "@countersign/core";
import type { Bytes, Crypto, Seconds } from "@countersign/core";
import {
  call,
  generatePrivateKey,
  openTarget,
  refusalOf,
  signerOf,
  textOf,
} from "@countersign/node";
import type { Target } from "@countersign/node";
import type { KeyObject } from "node:crypto";
import { checkServer } from "./server.ts";

const MAX_TOKEN_CHARACTERS = 4096;
const MAX_EST_BYTES = 65_536;
const EST = "/.well-known/est";

/** What a join token says. The secret is sent only over a connection to the server that the token pins. */
export interface JoinToken {
  readonly td: string;
  readonly name: string;
  readonly api: string;
  readonly root: string;
  readonly secret: string;
  readonly exp: Seconds;
}

/** @throws Refusal `join_token_invalid` */
export function readJoinToken(text: string, now: Seconds): JoinToken {
  try {
    const octets = fromBase64url(text.trim().slice(0, MAX_TOKEN_CHARACTERS));
    const members = new Members(
      parseJsonObject(octets, { maxBytes: MAX_TOKEN_CHARACTERS, maxDepth: 2 }),
      "join_token_invalid",
      "token",
    );
    members.integer("v", 1, 1);
    const token: JoinToken = {
      td: members.text("td", { maxLength: 255 }),
      name: members.text("name", { maxLength: 64 }),
      api: members.text("api", { pattern: /^https:\/\/[^\s/?#]+$/ }),
      root: members.thumbprint("root"),
      secret: members.text("secret", { pattern: /^[A-Za-z0-9_-]{22}$/ }),
      exp: members.integer("exp"),
    };
    members.end();
    if (now >= token.exp) throw new Refusal("join_token_invalid", "it has expired");
    return token;
  } catch (error) {
    if (error instanceof Refusal && error.code === "join_token_invalid") throw error;
    throw new Refusal("join_token_invalid", "not a join token");
  }
}

async function est(
  target: Target,
  path: string,
  options: { readonly csr?: Bytes; readonly authorization?: string },
): Promise<readonly Bytes[]> {
  const { csr, authorization } = options;
  const answer = await call(target, {
    method: csr === undefined ? "GET" : "POST",
    path: `${EST}/${path}`,
    ...(csr === undefined ? {} : { body: utf8(writeEstRequestBody(csr)) }),
    headers: {
      ...(csr === undefined ? {} : { "content-type": EST_MEDIA_TYPE.request }),
      ...(authorization === undefined ? {} : { authorization }),
    },
    maxBytes: MAX_EST_BYTES,
    timeoutMs: 30_000,
  });
  if (answer.status !== 200) throw refusalOf(answer);
  return readCertsOnly(readEstBody(textOf(answer), MAX_EST_BYTES));
}

/** Fetches the CA certificates provisionally and keeps them only if their root is the one that the token pins (bootstrap 8). */
async function pinnedCas(
  c: Crypto,
  token: JoinToken,
): Promise<{ readonly root: Bytes; readonly all: readonly Bytes[] }> {
  const provisional = openTarget({ url: token.api, insecureAnyServer: true }); // reads public certificates only; nothing is sent
  try {
    const all = await est(provisional, "cacerts", {});
    const root = all.find((der) => equalText(base64url(c.sha256(der)), token.root));
    if (root === undefined)
      throw new Refusal(
        "untrusted_chain",
        "the server's root is not the one in the token",
        "Get a new token from the server that you mean.",
      );
    return { root, all };
  } finally {
    provisional.close();
  }
}

/** A fresh identity, as it is to be stored. */
export interface Enrolled {
  readonly key: KeyObject;
  readonly chain: readonly Bytes[];
  readonly root: Bytes;
}

/** Whether this CA issued that certificate, by name and key: a server that changes its CA offers both. */
function isIssuerOf(ca: Bytes, leaf: Bytes): boolean {
  const { subject, subjectKeyId } = parseCertificate(ca);
  const { issuer, authorityKeyId } = parseCertificate(leaf);
  const isSameKey =
    subjectKeyId === undefined ||
    authorityKeyId === undefined ||
    equalBytes(subjectKeyId, authorityKeyId);
  return equalBytes(subject, issuer) && isSameKey;
}

async function checkIssued(
  c: Crypto,
  issued: readonly Bytes[],
  of: {
    readonly id: string;
    readonly key: KeyObject;
    readonly cas: readonly Bytes[];
    readonly root: Bytes;
  },
  now: Seconds,
): Promise<readonly Bytes[]> {
  const [leaf] = issued;
  if (leaf === undefined) throw new Refusal("malformed_certificate", "no certificate came");
  const chain = [leaf, ...of.cas.filter((der) => der !== of.root && isIssuerOf(der, leaf))];
  await verifyPath(c, { chain, anchors: [of.root], purpose: "client", now, skewSeconds: 120 });
  const certificate = parseCertificate(leaf);
  if (certificate.uris[0] !== of.id || certificate.key.x !== signerOf(of.key).key.x)
    throw new Refusal("malformed_certificate", "the certificate is of another name or key");
  return chain;
}

/**
 * Enrols this host: root pinned by the token's hash, secret sent over a new, verified connection, key made here (DESIGN 10).
 * @throws Refusal `join_token_invalid`, `untrusted_chain`, `unreachable`, `name_taken`, `hold`
 */
export async function enrol(c: Crypto, token: JoinToken, now: Seconds): Promise<Enrolled> {
  const { root, all } = await pinnedCas(c, token);
  const verified = openTarget({
    url: token.api,
    ca: [pemEncode("CERTIFICATE", root)],
    checkPeer: checkServer(token.td),
  });
  try {
    const key = generatePrivateKey("P-256");
    const id = proxyId(token.td, token.name);
    const csr = await buildCsr(c, signerOf(key), id);
    const issued = await est(verified, "simpleenroll", {
      csr,
      authorization: `Basic ${base64(utf8(`:${token.secret}`))}`,
    });
    return { key, root, chain: await checkIssued(c, issued, { id, key, cas: all, root }, now) };
  } finally {
    verified.close();
  }
}

/** Renews the identity over mutual TLS, with a new key. @throws Refusal as the server says, `unreachable` */
export async function reenrol(
  c: Crypto,
  target: Target,
  of: { readonly id: string; readonly root: Bytes },
  now: Seconds,
): Promise<Enrolled> {
  const key = generatePrivateKey("P-256");
  const csr = await buildCsr(c, signerOf(key), of.id);
  const cas = await est(target, "cacerts", {});
  const isSame = (der: Bytes): boolean => base64url(der) === base64url(of.root);
  const issued = await est(target, "simplereenroll", { csr });
  const chain = await checkIssued(
    c,
    issued,
    { id: of.id, key, cas: cas.filter((der) => !isSame(der)), root: of.root },
    now,
  );
  return { key, root: of.root, chain };
}
