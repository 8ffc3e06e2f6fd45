import type { Digest, Seconds } from "../crypto.ts";
import { Members } from "../json/read.ts";
import type { SignedType } from "../jose/signed.ts";

/** The endorsement N: the installation's anchor signs for one credential key (DESIGN 5.1). */
export interface EndorsementClaims {
  /** Agent id. */
  readonly sub: string;
  /** Issuer of the server. */
  readonly aud: string;
  /** Thumbprint of the endorsed key. */
  readonly jkt: string;
  readonly iat: Seconds;
  readonly exp: Seconds;
  readonly jti: string;
  /** Digest of the approved statement; absent when asking, and where the entry has no owner. */
  readonly cs?: Digest;
}

export const ENDORSEMENT: SignedType<EndorsementClaims> = {
  typ: "agent-key-endorsement+jwt",
  key: "header",
  algs: ["ES256"],
  maxBytes: 16_384,
  invalid: "endorsement_invalid",
  read: (payload) => {
    const members = new Members(payload, "endorsement_invalid", "endorsement");
    const cnf = members.object("cnf");
    const cs = members.optional("cs", (name) => members.digest(name));
    const claims: EndorsementClaims = {
      sub: members.text("sub"),
      aud: members.text("aud"),
      jkt: cnf.thumbprint("jkt"),
      iat: members.integer("iat"),
      exp: members.integer("exp"),
      jti: members.text("jti", { pattern: /^[A-Za-z0-9_-]{16,64}$/ }),
      ...(cs === undefined ? {} : { cs }),
    };
    cnf.end();
    members.end();
    if (claims.exp <= claims.iat) members.fail("exp", "does not follow iat");
    return claims;
  },
  write: ({ jkt, ...claims }) => ({ ...claims, cnf: { jkt } }),
};
