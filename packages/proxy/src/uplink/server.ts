import {
  checkNamed,
  checkServer,
  readAskedAnswer,
  readIssuedAnswer,
  readNonceAnswer,
  readPresignedAnswer,
  writePresignedRequest,
} from "@countersign/core";
import type {
  AskedAnswer,
  Digest,
  IssuedAnswer,
  NonceAnswer,
  PostedConsent,
  PostedRequest,
  Seen,
} from "@countersign/core";
import { callJson, openTarget } from "@countersign/node";
import type { Target } from "@countersign/node";
import type { Identity } from "../keys/identity.ts";

const CALL_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;

/** The server as the proxy reaches it. Calls carry the proxy's certificate; the other side must be the server itself. */
export interface Uplink {
  readonly target: Target;
  nonce(seen: Seen | undefined): Promise<NonceAnswer>;
  /** Says that somebody reads the state stream that asked with this word. */
  beat(word: string): Promise<void>;
  /** @throws Refusal with the server's reason, or `unreachable` */
  request(
    posted: PostedRequest,
  ): Promise<({ readonly state: "issued" } & IssuedAnswer) | AskedAnswer>;
  /** Brings an approval that was signed beforehand. @throws Refusal with the server's reason, or `unreachable` */
  presigned(posted: PostedConsent): Promise<{ readonly cs: Digest }>;
}

/**
 * Opens the connection with mutual TLS.
 * @param gateway id of the gateway that stands in the server's place; then nobody else is spoken to, the server neither
 */
export function openServer(
  url: string,
  trustDomain: string,
  identity: Identity,
  gateway?: string,
): Target {
  return openTarget({
    url,
    ca: [identity.root],
    cert: identity.cert,
    key: identity.key,
    checkPeer:
      gateway === undefined
        ? checkServer(trustDomain)
        : checkNamed(gateway, "not the gateway that is configured"),
  });
}

/** The calls of DESIGN 11 over a target. */
export function uplinkOf(target: Target): Uplink {
  return {
    target,
    nonce: async (seen) => {
      const answer = await callJson(target, {
        method: "POST",
        path: "/v1/nonce",
        json: seen === undefined ? {} : { seen },
        timeoutMs: CALL_TIMEOUT_MS,
      });
      return readNonceAnswer(answer.value);
    },
    beat: async (word) => {
      const json = { beat: word };
      await callJson(target, {
        method: "POST",
        path: "/v1/beats",
        json,
        timeoutMs: CALL_TIMEOUT_MS,
      });
    },
    presigned: async (posted) => {
      const answer = await callJson(target, {
        method: "POST",
        path: "/v1/presigned-consents",
        json: writePresignedRequest(posted),
        timeoutMs: CALL_TIMEOUT_MS,
      });
      return readPresignedAnswer(answer.value);
    },
    request: async (posted) => {
      const answer = await callJson(target, {
        method: "POST",
        path: "/v1/credential-requests",
        json: { ...posted },
        timeoutMs: REQUEST_TIMEOUT_MS,
      });
      return answer.status === 202
        ? readAskedAnswer(answer.value)
        : { state: "issued", ...readIssuedAnswer(answer.value) };
    },
  };
}
