import type { CertifiedKey } from "../consent/approval.ts";
import { fromBase64 } from "../bytes.ts";
import { readJwk } from "../jose/jwk.ts";
import type { Members } from "../json/read.ts";
import { MAX_CERTIFICATE_BYTES } from "../x509/certificate.ts";

/** Longest `x5c` of an owner's key (DESIGN 14). */
export const MAX_OWNER_CERTIFICATES = 4;
const MAX_TEXT = Math.ceil(MAX_CERTIFICATE_BYTES / 3) * 4;

/** The member `x5c` (RFC 7517 section 4.7): DER in base64, leaf first, one to four. What they say is for the verifier. */
export function readX5c(members: Members, name = "x5c"): readonly string[] {
  const chain = members.list(
    name,
    (item) => {
      if (typeof item !== "string" || item.length > MAX_TEXT || !isBase64(item))
        return members.fail(name, "holds something that is no certificate in base64");
      return item;
    },
    MAX_OWNER_CERTIFICATES,
  );
  return chain.length === 0 ? members.fail(name, "is empty") : chain;
}

function isBase64(text: string): boolean {
  try {
    return fromBase64(text).length > 0;
  } catch {
    return false;
  }
}

/** An owner's key as it stands in a bundle: `{ jwk, app?, x5c? }`, closed. */
export function readCertifiedKey(members: Members): CertifiedKey {
  const app = members.optional("app", (name) => members.text(name, { maxLength: 256 }));
  const x5c = members.optional("x5c", (name) => readX5c(members, name));
  const jwk = readJwk(members.raw("jwk"));
  members.end();
  return { jwk, ...(app === undefined ? {} : { app }), ...(x5c === undefined ? {} : { x5c }) };
}
