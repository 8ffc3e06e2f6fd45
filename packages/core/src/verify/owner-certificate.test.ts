import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import type { Bytes, Seconds } from "../crypto.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { writeExtension } from "../x509/extension.ts";
import { OID } from "../x509/oids.ts";
import { CONSTRAINED, makeCompany, OWNER_EKU, x5cOf } from "./owner-ca.testing.ts";
import type { CertificateChange, Company } from "./owner-ca.testing.ts";
import { verifyOwnerCertificate } from "./owner-certificate.ts";
import type { OwnerCa } from "./owner-certificate.ts";

const NOW: Seconds = 1_800_000_000;
const SIGNED_AT = NOW - 3600;
const DAY = 86_400;
const LIFE = [NOW - 30 * DAY, NOW + 30 * DAY] as const;
const OWNER = "urn:agent-owner:example.org:alice-0001";
const OTHER = "urn:agent-owner:example.org:mallory-01";

const key = generateSigner().key;
const company = await makeCompany(LIFE);
const issuing = await makeCompany(LIFE, "Example Corp Issuing", company);
const stranger = await makeCompany(LIFE, "Another Corp");
const constrained = await makeCompany(LIFE, "Constrained Corp", undefined, CONSTRAINED);

interface Row {
  readonly by?: Company;
  readonly change?: CertificateChange;
  readonly owner?: string;
  readonly certified?: typeof key;
  readonly chain?: (leaf: Bytes) => readonly Bytes[];
  readonly cas?: readonly OwnerCa[];
  readonly signedAt?: Seconds;
  readonly now?: Seconds;
  readonly skewSeconds?: Seconds;
}

async function judge(row: Row): Promise<string> {
  const leaf = await (row.by ?? company).certify(OWNER, row.certified ?? key, row.change);
  const { signedAt = SIGNED_AT, now = NOW, skewSeconds = 0 } = row;
  return outcomeOf(() =>
    verifyOwnerCertificate(c, {
      x5c: x5cOf(...(row.chain?.(leaf) ?? [leaf])),
      cas: row.cas ?? [company.ca],
      owner: row.owner ?? OWNER,
      key,
      signedAt,
      now,
      skewSeconds,
    }),
  );
}

const root = company.certificate.der;
const middle = issuing.certificate.der;
const endsAt = (notAfter: Seconds): Row => ({ change: { validity: [LIFE[0], notAfter] } });
const beginsAt = (notBefore: Seconds): Row => ({ change: { validity: [notBefore, LIFE[1]] } });

describe("DESIGN 5.2: a certificate of an owner", () => {
  it.each<readonly [string, Row]>([
    ["below the CA", {}],
    ["below an intermediate", { by: issuing, chain: (leaf) => [leaf, middle] }],
    ["with the CA at the end", { by: issuing, chain: (leaf) => [leaf, middle, root] }],
    ["of the second CA that is configured", { cas: [stranger.ca, company.ca] }],
    [
      "with another usage beside the configured one",
      { change: { ekus: [OID.clientAuth, OWNER_EKU] } },
    ],
    ["that begins in the second of the signature", beginsAt(SIGNED_AT)],
    ["that ends in the next second", endsAt(NOW + 1)],
    ["within the skew", { ...beginsAt(SIGNED_AT + 60), skewSeconds: 60 }],
  ])("is accepted: %s", async (_name, row) => {
    expect(await judge(row)).toBe("accepted");
  });

  it.each<readonly [string, Row, string]>([
    ["for another owner", { owner: OTHER }, "owner_key_unaccepted"],
    ["with no URI", { change: { uris: [] } }, "owner_key_unaccepted"],
    ["with two URIs", { change: { uris: [OWNER, OTHER] } }, "owner_key_unaccepted"],
    ["with this owner twice", { change: { uris: [OWNER, OWNER] } }, "owner_key_unaccepted"],
    ["with a URI that only begins so", { change: { uris: [`${OWNER}9`] } }, "owner_key_unaccepted"],
    ["of another key", { certified: generateSigner().key }, "owner_key_unaccepted"],
    ["without extended key usage", { change: { ekus: [] } }, "wrong_purpose"],
    ["with another extended key usage", { change: { ekus: [OID.clientAuth] } }, "wrong_purpose"],
    ["for any usage", { change: { ekus: [OID.anyExtendedKeyUsage] } }, "wrong_purpose"],
    ["without key usage", { change: { usage: "none" } }, "wrong_purpose"],
    ["whose key may not sign", { change: { usage: "nonRepudiation" } }, "wrong_purpose"],
    ["that is a CA's", { change: { isCa: true } }, "not_end_entity"],
    ["of another CA", { by: stranger }, "untrusted_chain"],
    ["where no CA is configured", { cas: [] }, "untrusted_chain"],
    [
      "of a CA with another usage",
      { cas: [{ ...company.ca, eku: "1.3.6.1.4.1.32473.5.2" }] },
      "wrong_purpose",
    ],
    ["with the intermediate missing", { by: issuing }, "untrusted_chain"],
    [
      "with five certificates",
      { chain: (leaf) => [leaf, middle, middle, middle, root] },
      "untrusted_chain",
    ],
    ["with no certificate", { chain: () => [] }, "untrusted_chain"],
    ["that is none", { chain: () => [new Uint8Array(40)] }, "malformed_certificate"],
    ["that has ended", endsAt(NOW), "expired"],
    ["that had ended when the key signed", { signedAt: LIFE[1] }, "expired"],
    ["that begins later", beginsAt(NOW + 1), "not_yet_valid"],
    ["that began after the key signed", beginsAt(SIGNED_AT + 1), "not_yet_valid"],
    ["with name constraints", { change: { more: CONSTRAINED } }, "unsupported_constraint"],
    [
      "of a CA with name constraints",
      { by: constrained, cas: [constrained.ca] },
      "unsupported_constraint",
    ],
    [
      "with a critical extension that nobody knows",
      { change: { more: [writeExtension("1.3.6.1.4.1.32473.9", true, Uint8Array.of(5, 0))] } },
      "unsupported_constraint",
    ],
  ])("is refused: %s", async (_name, row, wanted) => {
    expect(await judge(row)).toBe(wanted);
  });

  it("says of several CAs why the one that issued it does not do", async () => {
    const cas = [stranger.ca, company.ca, constrained.ca];
    expect(await judge({ cas, change: { ekus: [] } })).toBe("wrong_purpose");
  });
});
