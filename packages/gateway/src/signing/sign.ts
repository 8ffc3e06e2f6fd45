import {
  appraise,
  base64url,
  checkBelonging,
  draftMediated,
  measurementsOf,
  parseJsonObject,
  readPostedRequest,
  Refusal,
  statementId,
  thumbprint,
  writeOwnerConsent,
  writeStatement,
} from "@countersign/core";
import type { Bytes, Entry, EvidenceClaims, MediatedMaterial } from "@countersign/core";
import { callJson, pause } from "@countersign/node";
import type { Caller } from "../http/caller.ts";
import type { GatewayWorld } from "../world.ts";
import type { OwnerKey } from "./owner-key.ts";
import type { RuleBook } from "./rules.ts";
import type { Seen } from "./seen.ts";

const NONCE_BYTES = 16;
const MAX_BODY_BYTES = 65_536;
const POST_TIMEOUT_MS = 15_000;
const TRIES = 3;
const RETRY_MS = 5_000;

/** What signs for one owner. */
export interface Signing {
  readonly owner: string;
  readonly key: OwnerKey;
  readonly rules: RuleBook;
  readonly seen: Seen;
}

/** What the statement is made from, and what is noticed beside: never a word of the agent's. */
interface Judged extends MediatedMaterial {
  readonly warnings: readonly string[];
}

/** As the server will appraise it at least; which digests are right the owner's rules say. */
function warningsOf(evidence: EvidenceClaims, entry: Entry): readonly string[] {
  const references = new Set(measurementsOf(evidence).map(({ d }) => d));
  const appraisal = appraise(evidence, entry, references, "standard", undefined);
  return [...appraisal.warnings, ...appraisal.reasons];
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
  const issuer = seen.issuerOf(caller.id);
  if (issuer === undefined) return undefined;
  const { request, evidence } = await checkBelonging(
    w.c,
    posted,
    {
      proxy: caller.id,
      proxyKey: caller.key,
      issuer,
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
    issuer,
    trustDomain: w.trustDomain,
    warnings: warningsOf(evidence.claims, found),
  };
}

/** Where gateway and proxy are one, the owner is still another: never with a key that attests. */
function checkKeys(w: GatewayWorld, { key }: Signing, caller: Caller, judged: Judged): void {
  const others = [judged.request.claims.anchor, thumbprint(w.c, caller.key), w.keyThumbprint()];
  if (others.includes(key.enrolled.jkt))
    throw new Refusal("key_reused", "the owner's key is one of those that attest");
}

/** In the gateway's own name: the proxy may have another certificate by the time that this arrives. */
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
  const { key, owner, rules } = signing;
  const now = w.clock();
  const parts = { jti: statementId(now, w.random), nonce: base64url(w.random(NONCE_BYTES)) };
  const statement = writeStatement(w.c, draftMediated(judged, key.enrolled, parts, now));
  const { request, warnings } = judged;
  const signer = { owner, jkt: key.enrolled.jkt };
  const question = { statement, request, observed: { warnings }, signer };
  const ruling = await rules.decide(w.c, question, now);
  const about = { entry: judged.entry.id, proxy: caller.id };
  if (ruling.do === "leave") {
    const why = ruling.reasons.map(({ code, text }) => `${code}: ${text}`);
    w.log.info("consent.left_to_a_person", { ...about, why: why.join("; ") });
    return;
  }
  const sig = await key.sign(statement.bytes);
  const consent = { request: request.octets, statement: statement.bytes, sig };
  await post(w, caller, writeOwnerConsent(consent));
  w.log.info("consent.signed", { ...about, rule: ruling.rule, cs: statement.cs });
}
