import { describe, expect, it } from "vitest";
import { utf8 } from "../bytes.ts";
import { readApprovalPart, writeApprovalPart } from "../credential/bundle.ts";
import type { ApprovalPart } from "../credential/bundle.ts";
import { thumbprint } from "../jose/jwk.ts";
import { parseJsonObject } from "../json/strict.ts";
import type { Json, JsonObject } from "../json/strict.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { OID } from "../x509/oids.ts";
import { pemEncode } from "../x509/pem.ts";
import { makeStep, ownerSigner } from "./chain.testing.ts";
import type { StepDraft } from "./chain.testing.ts";
import { approvalOf } from "./mutation.testing.ts";
import { makeCompany, OWNER_EKU, x5cOf } from "./owner-ca.testing.ts";
import type { CertificateChange } from "./owner-ca.testing.ts";
import { trustFileOf } from "./request.testing.ts";
import { makeStory, NOW } from "./story.testing.ts";
import type { StoryOptions } from "./story.testing.ts";
import { readTrust } from "./trust.ts";
import type { DomainTrust } from "./trust.ts";
import { LinkRefusal } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";
import { verify } from "./verify.ts";

const DAY = 86_400;
const LIFE = [NOW - 30 * DAY, NOW + 30 * DAY] as const;
const company = await makeCompany(LIFE);
const stranger = await makeCompany(LIFE, "Another Corp");
const owner = ownerSigner();
const first = ownerSigner();
const story = await makeStory({ owner });
const ownerId = story.statement.body.owner.id;
const leafOfOwner = await company.certify(ownerId, owner.key);

interface Row {
  readonly story?: StoryOptions;
  readonly by?: typeof company;
  readonly change?: CertificateChange;
  readonly named?: string;
  readonly trust?: (domain: DomainTrust) => DomainTrust;
  readonly shown?: (part: ApprovalPart) => ApprovalPart;
}

async function walked(
  of: typeof story,
  domain: DomainTrust,
  approval: ApprovalPart,
): Promise<Verdict | LinkRefusal> {
  // as it comes over the wire
  const read = readApprovalPart(JSON.parse(JSON.stringify(writeApprovalPart(approval))) as Json);
  const presented = { ...of.presented, approval: read };
  try {
    return await verify(of.c, presented, new Map([[domain.origin, domain]]), {}, NOW);
  } catch (error) {
    if (error instanceof LinkRefusal) return error;
    throw error;
  }
}

const trusting = (domain: DomainTrust): DomainTrust => ({
  ...domain,
  ownerPins: [],
  ownerCas: [company.ca],
});

async function judge(row: Row): Promise<Verdict | LinkRefusal> {
  const of = row.story === undefined ? story : await makeStory({ owner, ...row.story });
  const leaf = await (row.by ?? company).certify(row.named ?? ownerId, owner.key, row.change);
  const plain = approvalOf(of.presented);
  const certified = { ...plain, key: { ...plain.key, x5c: x5cOf(leaf) } };
  const domain = trusting(of.domain);
  return walked(of, row.trust?.(domain) ?? domain, row.shown?.(certified) ?? certified);
}

describe("an owner's key is accepted by a certificate", () => {
  it.each<readonly [string, Row, string]>([
    ["of a CA that is configured for owners", {}, "x509"],
    [
      "though nobody pinned it, beside a pin of another key",
      {
        trust: (d) => ({
          ...d,
          ownerPins: story.domain.ownerPins.map((pin) => ({ ...pin, jkt: "A".repeat(43) })),
        }),
      },
      "x509",
    ],
    ["but a pin says more", { trust: (d) => ({ ...d, ownerPins: story.domain.ownerPins }) }, "pin"],
    [
      "that is wrong, where the key is pinned",
      { by: stranger, trust: (d) => ({ ...d, ownerPins: story.domain.ownerPins }) },
      "pin",
    ],
    [
      "that is wrong, where the server's word is enough",
      { by: stranger, trust: (d) => ({ ...d, insecureAcceptServerEnrolment: true }) },
      "server",
    ],
  ])("%s", async (_name, row, vouchedBy) => {
    // a certificate lifts no assurance: the key is in software, for all that it says
    expect(await judge(row)).toMatchObject({ proof: "verified", owner: { vouchedBy, oa: 2 } });
  });

  it("lowers what a credential claims for a key that is no more than certified", async () => {
    const row: Row = {
      story: {
        draft: (draft) =>
          draft.owner === undefined
            ? draft
            : {
                ...draft,
                owner: { ...draft.owner, grant: { ...draft.owner.grant, assurance: 4 } },
              },
      },
    };
    expect(await judge(row)).toMatchObject({ owner: { oa: 2, assuranceLowered: true } });
  });

  const removed = (d: DomainTrust): DomainTrust => ({
    ...d,
    bundle: { ...d.bundle, removedOwnerKeys: [thumbprint(story.c, owner.key)] },
  });
  it.each<readonly [string, Row]>([
    ["no CA configured", { trust: ({ ownerCas: _none, ...d }) => d }],
    ["of another CA", { by: stranger }],
    ["for another owner", { named: "urn:agent-owner:example.org:mallory-01" }],
    ["with two owners", { change: { uris: [ownerId, "urn:agent-owner:example.org:mallory-01"] } }],
    ["without the extended key usage", { change: { ekus: [] } }],
    ["that has ended", { change: { validity: [LIFE[0], NOW - 61] } }],
    ["that begins later", { change: { validity: [NOW + 61, LIFE[1]] } }],
    ["that began after the owner signed", { change: { validity: [NOW - 59, LIFE[1]] } }],
    ["that is a CA's", { change: { isCa: true } }],
    [
      "none in the bundle",
      { shown: ({ key: { x5c: _none, ...key }, ...part }) => ({ ...part, key }) },
    ],
    [
      "octets that are none",
      { shown: (part) => ({ ...part, key: { ...part.key, x5c: ["AAAA"] } }) },
    ],
    ["of a key that was removed", { trust: removed }],
    [
      "of a key that was removed, whatever the server says",
      { trust: (d) => ({ ...removed(d), insecureAcceptServerEnrolment: true }) },
    ],
    // its holder could write the flags of touch and PIN himself
    ["of a security key", { story: { webauthn: {} } }],
  ])("is refused: %s", async (_name, row) => {
    const refusal = await judge(row);
    if (!(refusal instanceof LinkRefusal)) throw new Error(JSON.stringify(refusal));
    expect([refusal.link, refusal.code]).toEqual(["owner-accepted", "owner_key_unaccepted"]);
  });

  it.each<readonly [string, unknown]>([
    ["no list", "AAAA"],
    ["an empty list", []],
    ["five", ["AAAA", "AAAA", "AAAA", "AAAA", "AAAA"]],
    ["base64url", ["AA-A"]],
    ["an empty text", [""]],
    ["over 16 KiB", ["A".repeat(21_856)]],
    ["PEM", [company.pem]],
  ])("is no x5c: %s", async (_name, x5c) => {
    const { key, ...part } = approvalOf(story.presented);
    const written = { ...writeApprovalPart({ ...part, key }), key: { ...key, x5c } };
    const read = (): unknown => readApprovalPart(JSON.parse(JSON.stringify(written)) as Json);
    expect(await outcomeOf(read)).toBe("malformed_request");
  });
});

describe("a chain of key statements starts from a certified key", () => {
  const step: StepDraft = { adds: owner, coSigners: [first] };
  const before = [NOW - 7200 - 61, NOW - 7200 + 61] as const;

  async function follow(
    change: CertificateChange,
    more: Partial<DomainTrust> = {},
    named = ownerId,
  ): Promise<Verdict | LinkRefusal> {
    const x5c = x5cOf(await company.certify(named, first.key, change));
    const { st, sigs } = await makeStep(story, step);
    const [own, co] = sigs;
    if (own === undefined || co === undefined) throw new TypeError("both signed");
    const enr = [{ st, sigs: [own, { ...co, key: { ...co.key, x5c } }] }];
    const part = { ...approvalOf(story.presented), enr };
    return walked(story, { ...trusting(story.domain), ...more }, part);
  }

  it("is accepted", async () => {
    expect(await follow({})).toMatchObject({ owner: { vouchedBy: "chain", oa: 2 } });
  });
  it.each<readonly [string, CertificateChange, Partial<DomainTrust>, string]>([
    ["a co-signer certified for another owner", {}, {}, "urn:agent-owner:example.org:mallory-01"],
    ["no CA configured", {}, { ownerCas: [] }, ownerId],
    ["a certificate that has ended since", { validity: before }, {}, ownerId],
    [
      "a certificate that began after the co-signer signed",
      { validity: [before[1], LIFE[1]] },
      {},
      ownerId,
    ],
    [
      "a co-signer removed since, without proof",
      {},
      { bundle: { ...story.domain.bundle, removedOwnerKeys: [thumbprint(story.c, first.key)] } },
      ownerId,
    ],
  ])("is refused: %s", async (_name, change, more, named) => {
    const refusal = await follow(change, more, named);
    if (!(refusal instanceof LinkRefusal)) throw new Error(JSON.stringify(refusal));
    expect([refusal.link, refusal.code]).toEqual(["owner-accepted", "owner_key_unaccepted"]);
  });
});

describe("a trust file's owner_cas", () => {
  const plain = parseJsonObject(trustFileOf(story), { maxBytes: 65_536, maxDepth: 12 });
  const fileWith = (cas: unknown): string => {
    const domains = plain["domains"] as readonly JsonObject[]; // as just written
    return JSON.stringify({ ...plain, domains: [{ ...domains[0], owner_cas: cas }] });
  };
  const ca = { certificates: [company.pem], eku: OWNER_EKU };
  const leaf = pemEncode("CERTIFICATE", leafOfOwner);

  it("names the CAs of owners, and the usage that marks their certificates", () => {
    const domain = readTrust(fileWith([ca]), NOW).get(story.domain.origin);
    expect(domain?.ownerCas).toEqual([company.ca]);
  });

  it.each<readonly [string, unknown, string]>([
    ["none", [], "accepted"],
    ["two", [ca, { ...ca, certificates: [stranger.pem] }], "accepted"],
    ["two certificates", [{ ...ca, certificates: [company.pem, stranger.pem] }], "accepted"],
    ["no certificate", [{ ...ca, certificates: [] }], "configuration_invalid"],
    ["an owner's certificate", [{ ...ca, certificates: [leaf] }], "configuration_invalid"],
    ["base64 alone", [{ ...ca, certificates: ["AAAA"] }], "configuration_invalid"],
    [
      "octets that are none",
      [{ ...ca, certificates: [pemEncode("CERTIFICATE", utf8("no"))] }],
      "configuration_invalid",
    ],
    ["no usage", [{ certificates: ca.certificates }], "configuration_invalid"],
    ["a word for a usage", [{ ...ca, eku: "emailProtection" }], "configuration_invalid"],
    ["any usage", [{ ...ca, eku: OID.anyExtendedKeyUsage }], "configuration_invalid"],
    ["a member too many", [{ ...ca, url: "https://ca.example/" }], "configuration_invalid"],
    ["an object in place of a list", ca, "configuration_invalid"],
  ])("%s", async (_name, cas, wanted) => {
    expect(await outcomeOf(() => readTrust(fileWith(cas), NOW))).toBe(wanted);
  });
});
