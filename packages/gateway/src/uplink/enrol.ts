import {
  base64,
  buildCsr,
  chainOfIssued,
  checkServer,
  MAX_EST_BYTES,
  gatewayId,
  pemEncode,
  pinnedRoot,
  readEstAnswer,
  utf8,
  writeEstRequest,
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

const EST_TIMEOUT_MS = 30_000;

async function est(
  target: Target,
  ...asked: Parameters<typeof writeEstRequest>
): Promise<readonly Bytes[]> {
  const bounds = { maxBytes: MAX_EST_BYTES, timeoutMs: EST_TIMEOUT_MS };
  const answer = await call(target, { ...writeEstRequest(...asked), ...bounds });
  if (answer.status !== 200) throw refusalOf(answer);
  return readEstAnswer(textOf(answer));
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
