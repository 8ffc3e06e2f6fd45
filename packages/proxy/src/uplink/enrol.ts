import {
  base64,
  buildCsr,
  chainOfIssued,
  checkServer,
  MAX_EST_BYTES,
  pemEncode,
  pinnedRoot,
  readEstAnswer,
  proxyId,
  RENEWAL_HEADER,
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
import type { KeyObject } from "node:crypto";

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

/** Fetches the CA certificates provisionally and keeps them only if their root is the one that the token pins (bootstrap 8). */
async function pinnedCas(
  c: Crypto,
  token: JoinToken,
): Promise<{ readonly root: Bytes; readonly all: readonly Bytes[] }> {
  const provisional = openTarget({ url: token.api, insecureAnyServer: true }); // reads public certificates only; nothing is sent
  try {
    const all = await est(provisional, "cacerts");
    const root = pinnedRoot(c, token, all);
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
    const signer = signerOf(key);
    const csr = await buildCsr(c, signer, id);
    const issued = await est(verified, "simpleenroll", {
      csr,
      headers: { authorization: `Basic ${base64(utf8(`:${token.secret}`))}` },
    });
    return {
      key,
      root,
      chain: await chainOfIssued(c, issued, { id, key: signer.key, cas: all, root }, now),
    };
  } finally {
    verified.close();
  }
}

/**
 * Renews the identity, with a new key.
 * @param sign through a gateway: what the present key says of the CSR (`RENEWAL`); the server asks for it there
 * @throws Refusal as the server says, `unreachable`
 */
export async function reenrol(
  c: Crypto,
  target: Target,
  of: { readonly id: string; readonly root: Bytes },
  now: Seconds,
  sign?: (csr: Bytes) => Promise<string>,
): Promise<Enrolled> {
  const key = generatePrivateKey("P-256");
  const signer = signerOf(key);
  const csr = await buildCsr(c, signer, of.id);
  const cas = await est(target, "cacerts");
  const renewal = await sign?.(csr);
  const issued = await est(target, "simplereenroll", {
    csr,
    ...(renewal === undefined ? {} : { headers: { [RENEWAL_HEADER]: renewal } }),
  });
  const chain = await chainOfIssued(
    c,
    issued,
    { id: of.id, key: signer.key, cas, root: of.root },
    now,
  );
  return { key, root: of.root, chain };
}
