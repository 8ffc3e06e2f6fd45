import {
  base64,
  buildCsr,
  chainOfIssued,
  EST_MEDIA_TYPE,
  gatewayId,
  parseCertificate,
  pemEncode,
  pinnedRoot,
  readCertsOnly,
  readEstBody,
  Refusal,
  serverId,
  utf8,
  writeEstRequestBody,
} from "@countersign/core";
import type { Bytes, Crypto, JoinToken, Seconds } from "@countersign/core";
import {
  call,
  generatePrivateKey,
  openTarget,
  refusalOf,
  signerOf,
  textOf,
} from "@countersign/node";
import type { Target } from "@countersign/node";
import type { Made } from "../keys/identity.ts";

const MAX_EST_BYTES = 65_536;
const EST_TIMEOUT_MS = 30_000;

/** Refuses every server that is not the one of this trust domain: its whole id is compared, host names are not. */
export function checkServer(trustDomain: string): (certificate: Bytes) => void {
  const expected = serverId(trustDomain);
  return (der) => {
    const { uris } = parseCertificate(der);
    if (uris.length !== 1 || uris[0] !== expected)
      throw new Refusal("untrusted_chain", "not the server of this trust domain");
  };
}

async function est(
  target: Target,
  path: string,
  asked: { readonly csr?: Bytes; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<readonly Bytes[]> {
  const isPost = asked.csr !== undefined;
  const answer = await call(target, {
    method: isPost ? "POST" : "GET",
    path: `/.well-known/est/${path}`,
    ...(asked.csr === undefined ? {} : { body: utf8(writeEstRequestBody(asked.csr)) }),
    headers: { ...(isPost ? { "content-type": EST_MEDIA_TYPE.request } : {}), ...asked.headers },
    maxBytes: MAX_EST_BYTES,
    timeoutMs: EST_TIMEOUT_MS,
  });
  if (answer.status !== 200) throw refusalOf(answer);
  return readCertsOnly(readEstBody(textOf(answer), MAX_EST_BYTES));
}

/** The CA certificates that the server offers now. */
export function caCertificates(target: Target): Promise<readonly Bytes[]> {
  return est(target, "cacerts");
}

async function fetchedUnverified(api: string): Promise<readonly Bytes[]> {
  const provisional = openTarget({ url: api, insecureAnyServer: true }); // reads public certificates only; nothing is sent
  try {
    return await caCertificates(provisional);
  } finally {
    provisional.close();
  }
}

async function certified(
  c: Crypto,
  target: Target,
  path: "simpleenroll" | "simplereenroll",
  of: {
    readonly id: string;
    readonly root: Bytes;
    readonly cas: readonly Bytes[];
    readonly headers?: Readonly<Record<string, string>>;
  },
  now: Seconds,
): Promise<Made> {
  const key = generatePrivateKey("P-256");
  const signer = signerOf(key);
  const csr = await buildCsr(c, signer, of.id);
  const { id, root, cas } = of;
  const headers = of.headers === undefined ? {} : { headers: of.headers };
  const issued = await est(target, path, { csr, ...headers });
  const chain = await chainOfIssued(c, issued, { id, key: signer.key, cas, root }, now);
  return { key, chain, root, cas };
}

/**
 * Enrols this gateway: root pinned by the token's hash, secret sent over a new, verified connection, key made here (DESIGN 10).
 * @throws Refusal `join_token_invalid`, `untrusted_chain`, `unreachable`, `name_taken`, `hold`
 */
export async function enrol(c: Crypto, token: JoinToken, now: Seconds): Promise<Made> {
  const cas = await fetchedUnverified(token.api);
  const root = pinnedRoot(c, token, cas);
  const verified = openTarget({
    url: token.api,
    ca: [pemEncode("CERTIFICATE", root)],
    checkPeer: checkServer(token.td),
  });
  try {
    const id = gatewayId(token.td, token.name);
    const headers = { authorization: `Basic ${base64(utf8(`:${token.secret}`))}` };
    return await certified(c, verified, "simpleenroll", { id, root, cas, headers }, now);
  } finally {
    verified.close();
  }
}

/** The next certificate, over mutual TLS, with a new key. @throws Refusal as the server says, `unreachable` */
export async function reenrol(
  c: Crypto,
  target: Target,
  of: { readonly id: string; readonly root: Bytes },
  now: Seconds,
): Promise<Made> {
  const cas = await caCertificates(target);
  return certified(c, target, "simplereenroll", { ...of, cas }, now);
}
