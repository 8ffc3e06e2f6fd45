import type { Seconds } from "../crypto.ts";
import { Members } from "../json/read.ts";
import type { SignedType } from "../jose/signed.ts";

/** The agent's request R: signed by the key to be certified, which is its proof of possession (DESIGN 5.1). */
export interface RequestClaims {
  /** Issuer of the server. */
  readonly aud: string;
  /** The server's nonce; 8 … 88 characters of base64url. */
  readonly nonce: string;
  readonly iat: Seconds;
  readonly exp: Seconds;
  /** Entry id: the door that the agent came through says it. */
  readonly sub: string;
  /** Thumbprint of the anchor that endorses the key. */
  readonly anchor: string;
  /** Words of the agent, unverified; at most 280 characters. Policy never reads them. */
  readonly note?: string;
}

export const REQUEST_LIFE_SECONDS = 300;
export const MAX_NOTE_LENGTH = 280;
const NONCE = /^[A-Za-z0-9_-]{8,128}$/;

export const REQUEST: SignedType<RequestClaims> = {
  typ: "agent-credential-request+jwt",
  key: "header",
  algs: ["ES256"],
  maxBytes: 16_384,
  invalid: "request_invalid",
  read: (payload) => {
    const members = new Members(payload, "request_invalid", "request");
    const note = members.optional("note", (name) =>
      members.text(name, { maxLength: MAX_NOTE_LENGTH }),
    );
    const claims: RequestClaims = {
      aud: members.text("aud"),
      nonce: members.text("nonce", { pattern: NONCE }),
      iat: members.integer("iat"),
      exp: members.integer("exp"),
      sub: members.text("sub"),
      anchor: members.thumbprint("anchor"),
      ...(note === undefined ? {} : { note }),
    };
    members.end();
    if (claims.exp <= claims.iat || claims.exp - claims.iat > 7 * 86_400)
      members.fail("exp", "does not follow iat within its bound");
    return claims;
  },
  write: (claims) => claims,
};
