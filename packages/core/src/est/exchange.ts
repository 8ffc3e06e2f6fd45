import { utf8 } from "../bytes.ts";
import type { Bytes } from "../crypto.ts";
import { EST_MEDIA_TYPE, readEstBody, writeEstRequestBody } from "./body.ts";
import { readCertsOnly } from "./certs-only.ts";

/** Most octets of an EST answer. */
export const MAX_EST_BYTES = 65_536;

/** What a client sends (RFC 7030 section 4); how it is carried is for the platform. */
export interface EstRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Bytes;
}

/** @param of the CSR of an enrolment, and what says who asks */
export function writeEstRequest(
  operation: "cacerts" | "simpleenroll" | "simplereenroll",
  of: { readonly csr?: Bytes; readonly headers?: Readonly<Record<string, string>> } = {},
): EstRequest {
  const path = `/.well-known/est/${operation}`;
  const { csr, headers = {} } = of;
  if (csr === undefined) return { method: "GET", path, headers };
  return {
    method: "POST",
    path,
    headers: { "content-type": EST_MEDIA_TYPE.request, ...headers },
    body: utf8(writeEstRequestBody(csr)),
  };
}

/** The certificates of a good answer. @throws Refusal `too_large`, `malformed_request`, `malformed_certificate` */
export function readEstAnswer(text: string): readonly Bytes[] {
  return readCertsOnly(readEstBody(text, MAX_EST_BYTES));
}
