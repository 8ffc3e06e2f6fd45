import type { Crypto, Digest, Jwk, Seconds } from "../crypto.ts";
import type { OwnerKind } from "../consent/statement.ts";
import { parseOwnerId } from "../identifier/owner.ts";
import { readJwk, thumbprint } from "../jose/jwk.ts";
import { Members } from "../json/read.ts";
import type { Json } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";

/** Who brought the owner's approval: the agent's host, signed beforehand; the owner's gateway; or the server, which asked. */
export type IssuanceModel = "agent" | "owner" | "server";

export const ISSUANCE_MODELS: readonly IssuanceModel[] = ["agent", "owner", "server"];

/** `countersign_owner`: whom the credential speaks for and which approval it rests on (formats 2). */
export interface OwnerClaim {
  /** `urn:agent-owner:<td>:<opaque>` */
  readonly id: string;
  readonly kind: OwnerKind;
  /** RFC 7638 thumbprint of `jwk`. */
  readonly jkt: string;
  readonly jwk: Jwk;
  /** Digest of the statement that the owner signed. */
  readonly cs: Digest;
  /** End of the grant. */
  readonly exp: Seconds;
  /** Assurance, as the issuer claims it. */
  readonly oa: 0 | 1 | 2 | 3 | 4;
  /** How the owner's key was enrolled: `pinned`, `x509`, `admin`, `tofu`, `oidc:…`. */
  readonly eb: string;
  readonly model: IssuanceModel;
  /** Ordinal of this issue under the grant, from 1. */
  readonly n: number;
}

const KINDS: readonly OwnerKind[] = ["person", "device", "policy"];
const ENROLLED_BY = /^(pinned|x509|admin|tofu|oidc:[\x21-\x7e]{1,250})$/;
const ASSURANCES: readonly OwnerClaim["oa"][] = [0, 1, 2, 3, 4];

/**
 * Reads `countersign_owner`. Every member is required, members not known are ignored; the thumbprint must be the
 * key's and the key on its curve.
 * @throws Refusal `owner_claim`
 */
export function readOwnerClaim(c: Crypto, value: Json | undefined): OwnerClaim {
  const members = new Members(value, "owner_claim", "countersign_owner");
  const jwk = readJwk(members.raw("jwk"), "owner_claim");
  const jkt = members.thumbprint("jkt");
  if (!c.isValidKey(jwk) || thumbprint(c, jwk) !== jkt) members.fail("jkt", "is not the key's");
  const assurance = members.raw("oa");
  return {
    id: readId(members.text("id", { maxLength: 512 })),
    kind: members.choice("kind", KINDS),
    jkt,
    jwk,
    cs: members.digest("cs"),
    exp: members.integer("exp", 1),
    oa:
      ASSURANCES.find((level) => level === assurance) ?? members.fail("oa", "is not one of 0 to 4"),
    eb: members.text("eb", { pattern: ENROLLED_BY }),
    model: members.choice("model", ISSUANCE_MODELS),
    n: members.integer("n", 1),
  };
}

function readId(text: string): string {
  try {
    return parseOwnerId(text).id;
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal("owner_claim", "id is not an owner id");
    throw error;
  }
}

/** The claim as it stands in a WIT: exactly its ten members. */
export function writeOwnerClaim(owner: OwnerClaim): object {
  const { id, kind, jkt, jwk, cs, exp, oa, eb, model, n } = owner;
  return { id, kind, jkt, jwk, cs, exp, oa, eb, model, n };
}
