import type { Bytes, Crypto, Signer } from "../crypto.ts";
import { utf8 } from "../bytes.ts";
import { parseWorkloadId } from "../identifier/workload.ts";
import type { CredentialDraft } from "../issuance/decide.ts";
import { algorithmOf } from "../crypto.ts";
import { thumbprint } from "../jose/jwk.ts";
import { canonicalJson } from "../json/canonical.ts";
import { buildWic } from "../x509/profiles.ts";
import type { Certificate } from "../x509/certificate.ts";
import { spkiOf } from "../x509/spki.ts";
import { writeApprovalPart } from "./bundle.ts";
import type { ApprovalPart } from "./bundle.ts";
import type { OwnerClaim } from "./owner-claim.ts";
import { sealWit } from "./wit.ts";

/** Both forms of one issue: one key, one life. */
export interface Credential {
  readonly wit: string;
  /** DER: leaf first, then the issuing CA, without the root. */
  readonly chain: readonly Bytes[];
}

/** What signs, and the random parts. */
export interface IssueParts {
  readonly issuer: string;
  readonly wit: Signer;
  readonly ca: { readonly signer: Signer; readonly certificate: Certificate };
  /** 128 random bits, base64url. */
  readonly jti: string;
  /** 20 random octets. */
  readonly serial: Bytes;
  /** The approval part that the certificate shall carry; absent: it names the approval by its digest. */
  readonly carried?: ApprovalPart;
}

const NBF_EARLIER_SECONDS = 30;
const NOT_BEFORE_EARLIER_SECONDS = 60;

const ASSURANCES: readonly OwnerClaim["oa"][] = [0, 1, 2, 3, 4];

function ownerClaimOf(c: Crypto, { grant, n }: NonNullable<CredentialDraft["owner"]>): OwnerClaim {
  return {
    id: grant.statement.owner.id,
    kind: grant.ownerKind,
    jkt: thumbprint(c, grant.ownerKey),
    jwk: grant.ownerKey,
    cs: grant.cs,
    exp: grant.statement.grant.exp,
    oa: ASSURANCES.find((level) => level === grant.assurance) ?? 0,
    eb: grant.basis,
    model: grant.model,
    n,
  };
}

/**
 * Makes WIT and WIC from one draft (formats.md 2). The caller verifies them as a stranger would before they leave.
 * @throws Refusal as `sealWit` and `buildWic`
 */
export async function issueCredential(
  c: Crypto,
  draft: CredentialDraft,
  parts: IssueParts,
): Promise<Credential> {
  const owner = draft.owner === undefined ? undefined : ownerClaimOf(c, draft.owner);
  const wit = await sealWit(
    c,
    {
      iss: parts.issuer,
      sub: parseWorkloadId(draft.agent),
      iat: draft.iat,
      nbf: draft.iat - NBF_EARLIER_SECONDS,
      exp: draft.exp,
      jti: parts.jti,
      confirmation: { key: draft.key, alg: algorithmOf(draft.key) },
      ...(owner === undefined ? {} : { owner }),
    },
    parts.wit,
  );
  const binding =
    owner === undefined
      ? {}
      : {
          owner: {
            ownerId: owner.id,
            ownerKey: owner.jkt,
            consent: owner.cs,
            assurance: owner.oa,
            ...(parts.carried === undefined
              ? {}
              : { evidence: utf8(canonicalJson(writeApprovalPart(parts.carried))) }),
            ownerSpki: spkiOf(owner.jwk),
          },
        };
  const leaf = await buildWic(
    c,
    {
      uri: draft.agent,
      key: draft.key,
      serial: parts.serial,
      notBefore: draft.iat - NOT_BEFORE_EARLIER_SECONDS,
      notAfter: draft.exp,
      issuer: parts.ca.certificate,
      ...binding,
    },
    parts.ca.signer,
  );
  return { wit: wit.octets, chain: [leaf, parts.ca.certificate.der] };
}
