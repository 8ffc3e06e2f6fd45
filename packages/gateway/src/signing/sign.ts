import {
  base64url,
  checkBelonging,
  CLIENT_CERT_HEADER,
  draftMediated,
  measurementsOf,
  parseJsonObject,
  readPostedRequest,
  Refusal,
  statementId,
  thumbprint,
  writeClientCert,
  writeOwnerConsent,
  writeStatement,
} from "@countersign/core";
import type { Bytes, EvidenceClaims, MediatedMaterial } from "@countersign/core";
import { callJson, pause } from "@countersign/node";
import type { Caller } from "../http/caller.ts";
import type { GatewayWorld } from "../world.ts";
import type { OwnerKey } from "./owner-key.ts";
import type { Seen } from "./seen.ts";

const NONCE_BYTES = 16;
const MAX_BODY_BYTES = 65_536;
const POST_TIMEOUT_MS = 15_000;
const TRIES = 3;
const RETRY_MS = 5_000;

/** What the owner's rules judge: what was measured and what the server says, never a word of the agent's. */
export interface Judged extends MediatedMaterial {
  readonly evidence: EvidenceClaims;
}

/** The owner's rules. They sign inside their bounds; everything else is left to a person. */
export interface Rules {
  /** @returns why it is not signed, or undefined */
  refuse(judged: Judged): string | undefined;
}

/** What signs for one owner. */
export interface Signing {
  readonly owner: string;
  readonly key: OwnerKey;
  readonly rules: Rules;
  readonly seen: Seen;
}

/**
 * What the statement would be made from. R, E and N are verified as the server will, but for the nonce, which only the
 * server can read.
 * @returns undefined where the entry is not of this owner, or nothing was heard of it
 */
async function material(
  w: GatewayWorld,
  { owner, seen }: Signing,
  caller: Caller,
  body: Bytes,
): Promise<Judged | undefined> {
  const posted = readPostedRequest(
    parseJsonObject(body, { maxBytes: MAX_BODY_BYTES, maxDepth: 4 }),
  );
  const now = w.clock();
  const unverified = seen.issuerOf(caller.id);
  if (unverified === undefined) return undefined;
  const { request, evidence } = await checkBelonging(
    w.c,
    posted,
    {
      proxy: caller.id,
      proxyKey: caller.key,
      issuer: unverified,
      checkNonce: () => undefined,
    },
    now,
  );
  const found = seen.entry(caller.id, request.claims.sub);
  if (found?.owner !== owner || found.proxy !== caller.id) return undefined;
  return {
    request,
    entry: found,
    proxy: caller.id,
    measurements: measurementsOf(evidence.claims),
    issuer: unverified,
    trustDomain: w.trustDomain,
    evidence: evidence.claims,
  };
}

/** Where gateway and proxy are one, the owner is still another: never with a key that attests. */
function checkKeys(w: GatewayWorld, { key }: Signing, caller: Caller, judged: Judged): void {
  const others = [judged.request.claims.anchor, thumbprint(w.c, caller.key), w.keyThumbprint()];
  if (others.includes(key.enrolled.jkt))
    throw new Refusal("key_reused", "the owner's key is one of those that attest");
}

async function post(w: GatewayWorld, caller: Caller, json: object): Promise<void> {
  const ended = new AbortController();
  for (let attempt = 1; ; attempt += 1)
    try {
      await w.queue.run(caller.id, ended.signal, () =>
        w.useServer(({ calls }) =>
          callJson(calls, {
            method: "POST",
            path: "/v1/owner-consents",
            json,
            headers: { [CLIENT_CERT_HEADER]: writeClientCert(caller.certificate) },
            timeoutMs: POST_TIMEOUT_MS,
          }),
        ),
      );
      return;
    } catch (error) {
      // the same octets get the same answer: they may be sent again
      const isLost =
        error instanceof Refusal && ["unreachable", "indeterminate"].includes(error.code);
      if (!isLost || attempt === TRIES) throw error;
      await pause(w.timers, RETRY_MS);
    }
}

/**
 * Signs for the owner what a proxy has just asked, if his rules let it, and brings it to the server. The question stands
 * in his inbox meanwhile: whatever is not signed here, a person may.
 * @throws Refusal when the server, or what the proxy sent, does not allow it
 */
export async function signAsked(
  w: GatewayWorld,
  signing: Signing,
  caller: Caller,
  body: Bytes,
): Promise<void> {
  const judged = await material(w, signing, caller, body);
  if (judged === undefined) return;
  checkKeys(w, signing, caller, judged);
  const entry = judged.entry.id;
  const why = signing.rules.refuse(judged);
  if (why !== undefined) {
    w.log.info("consent.left_to_a_person", { entry, proxy: caller.id, why });
    return;
  }
  const now = w.clock();
  const parts = { jti: statementId(now, w.random), nonce: base64url(w.random(NONCE_BYTES)) };
  const draft = draftMediated(judged, signing.key.enrolled, parts, now);
  const statement = writeStatement(w.c, draft);
  const sig = await signing.key.sign(statement.bytes);
  const { octets } = judged.request;
  await post(w, caller, writeOwnerConsent({ request: octets, statement: statement.bytes, sig }));
  w.log.info("consent.signed", { entry, proxy: caller.id, cs: statement.cs });
}
