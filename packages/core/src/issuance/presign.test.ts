import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import { verifyApproval } from "../consent/approval.ts";
import type { CeilingEntry } from "../consent/ceiling.ts";
import { CONSENT_NAMESPACE, makeSshsig } from "../consent/ssh/sshsig.ts";
import { writeStatement } from "../consent/statement.ts";
import type { CredentialStatement, OwnerKind } from "../consent/statement.ts";
import { agentId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { seal } from "../jose/signed.ts";
import { VIEW_CREDENTIAL } from "../consent/view.ts";
import { outcomeOf } from "../outcome.testing.ts";
import type { EnrolledKey } from "./approve.ts";
import { d, ENTRY, ISSUER, MEASURED, NOW, OWNER, PROXY } from "./attested.testing.ts";
import type { Entry, GrantTerms } from "./entry.ts";
import type { Grant } from "./known.ts";
import { decidePresigned, draftPresigned, PRESIGNED_LIFE_SECONDS } from "./presign.ts";
import type { KnownOfPresigned } from "./presign.ts";
import { REQUEST } from "./request.ts";
import type { RequestClaims } from "./request.ts";

const signer = generateSigner("Ed25519");
const anchor = thumbprint(c, generateSigner().key);
const DAY = 86_400;
const JTI = "01J5ZK6Q0V7M3N8P2R4T6W8Y0A";
/** The agent's own, longer than the server's 16 octets. */
const OWN_NONCE = `${"B".repeat(42)}A`;

const KEY: EnrolledKey = {
  jkt: thumbprint(c, signer.key),
  jwk: signer.key,
  owner: OWNER,
  ownerKind: "person",
  isSoftware: true,
  basis: "admin",
};
const R: RequestClaims = {
  aud: ISSUER,
  nonce: OWN_NONCE,
  iat: NOW,
  exp: NOW + PRESIGNED_LIFE_SECONDS,
  sub: ENTRY.id,
  anchor,
};
const CEILING: CeilingEntry = {
  type: "http_api",
  locations: ["https://mail.example.com/"],
  actions: ["send"],
};

/** One thing that is otherwise than when the owner signed for what the proxy had measured. */
interface Change {
  readonly request?: Partial<RequestClaims>;
  readonly body?: Partial<CredentialStatement>;
  readonly agent?: Partial<CredentialStatement["agent"]>;
  readonly grant?: Partial<CredentialStatement["grant"]>;
  /** The registration when the owner signed, and when it came to the server. */
  readonly entry?: Partial<Entry>;
  readonly entryNow?: Partial<Entry> | "unknown";
  readonly key?: Partial<EnrolledKey> | "unknown";
  readonly known?: Partial<KnownOfPresigned>;
  readonly proxy?: string;
  readonly now?: number;
}

async function decide(change: Change): Promise<Grant> {
  const entry = { ...ENTRY, ...change.entry };
  const key = change.key === "unknown" ? undefined : { ...KEY, ...change.key };
  const request = await seal(c, REQUEST, { ...R, ...change.request }, generateSigner());
  const material = { request, entry, proxy: PROXY, measurements: MEASURED, issuer: ISSUER };
  const plain = {
    ...draftPresigned({ ...material, trustDomain: "example.org" }, key ?? KEY, JTI, NOW),
    agent: { id: agentId(entry.id, anchor), jkt: anchor, meas: MEASURED, host: PROXY },
    nonce: OWN_NONCE,
    exp: NOW + PRESIGNED_LIFE_SECONDS,
  };
  const body: CredentialStatement = {
    ...plain,
    ...change.body,
    agent: { ...plain.agent, ...change.agent },
    grant: { ...plain.grant, ...change.grant },
  };
  const statement = writeStatement(c, body, { preSigned: true });
  const s = base64(await makeSshsig(c, signer, CONSENT_NAMESPACE, statement.bytes));
  const approval = await verifyApproval(c, statement, { k: "sshsig", s }, { jwk: signer.key });
  const known: KnownOfPresigned = {
    entry: change.entryNow === "unknown" ? undefined : { ...entry, ...change.entryNow },
    key,
    stops: [],
    wasStopped: false,
    isOfServer: false,
    issuer: ISSUER,
    trustDomain: "example.org",
    ...change.known,
  };
  const of = { request, approval, proxy: change.proxy ?? PROXY };
  return decidePresigned(of, known, change.now ?? NOW);
}

const terms = (change: Partial<GrantTerms>): Partial<Entry> => ({
  grant: { ...ENTRY.grant, ...change },
});
const bad = "approval_unsuitable";
const WEEK = NOW + PRESIGNED_LIFE_SECONDS;
const hardware = { isSoftware: false };

describe("an approval that was signed before the server was asked", () => {
  it.each<readonly [string, Change, string]>([
    ["as it was signed", {}, "accepted"],
    ["23 h later", { now: NOW + 23 * 3600 }, "accepted"],
    [
      "in the last second of its week, a hardware key",
      { key: hardware, now: WEEK - 1, body: {}, entry: terms({ lengthSeconds: 8 * DAY }) },
      "accepted",
    ],
    [
      "after its week",
      {
        key: hardware,
        now: WEEK,
        entry: terms({ lengthSeconds: 8 * DAY }),
        request: { exp: WEEK },
      },
      "request_expired",
    ],
    ["R over, the statement not", { request: { exp: NOW + 60 }, now: NOW + 60 }, "request_expired"],
    ["the statement over, R not", { body: { exp: NOW + 60 }, now: NOW + 60 }, "approval_expired"],
    ["the grant over, R and statement not", { now: NOW + DAY }, "approval_expired"],
    ["R made in the future", { request: { iat: NOW + 61 } }, "not_yet_valid"],
    ["signed in the future", { body: { iat: NOW + 61, exp: NOW + 3600 } }, bad],
    ["a grant that begins later", { grant: { nbf: NOW + 61 } }, bad],
    ["within the skew", { request: { iat: NOW + 60 }, body: { iat: NOW + 60 } }, "accepted"],
    ["something is stopped", { known: { stops: [{ scope: "owner" }] } }, "halted"],
    ["stopped before it came, and lifted", { known: { wasStopped: true } }, "halted"],
    ["signed before the server was recovered", { known: { recoveredAt: NOW } }, bad],
    ["signed within the skew of the recovery", { known: { recoveredAt: NOW - 60 } }, bad],
    ["signed after the recovery", { known: { recoveredAt: NOW - 61 } }, "accepted"],
    ["a statement of the server's own", { known: { isOfServer: true } }, "statement_invalid"],
    ["R for another server", { request: { aud: "https://id.example.com" } }, "request_invalid"],
    ["an unknown entry", { entryNow: "unknown" }, "entry_unknown"],
    ["an entry that R does not name", { entryNow: { id: `${ENTRY.id}2` } }, "entry_unknown"],
    ["brought by another proxy", { proxy: `${PROXY}9` }, "entry_not_served"],
    ["the entry moved to another proxy", { entryNow: { proxy: `${PROXY}9` } }, "entry_not_served"],
    ["B-13: for another host", { agent: { host: `${PROXY}9` } }, bad],
    ["B-8: the statement for another server", { body: { aud: "https://id.example.com" } }, bad],
    ["B-8: another trust domain is served", { known: { trustDomain: "example.com" } }, bad],
    ["the entry has another owner", { entryNow: { owner: `${OWNER}9` } }, bad],
    [
      "the entry takes several owners",
      { entryNow: { parties: { m: 2, owners: [OWNER, `${OWNER}9`] } } },
      bad,
    ],
    ["the entry has no owner", { entryNow: { binding: "none" } }, bad],
    [
      "an owner id that is not the entry's",
      { body: { owner: { id: `${OWNER}9`, jkt: KEY.jkt } } },
      bad,
    ],
    ["B-5: enrolled under another thumbprint", { known: { key: { ...KEY, jkt: anchor } } }, bad],
    ["key unknown", { key: "unknown" }, "key_not_enrolled"],
    ["key removed", { key: { removedAt: NOW - 1 } }, "key_not_enrolled"],
    ["key of another owner", { key: { owner: `${OWNER}9` } }, "key_not_enrolled"],
    ["key suspended", { key: { suspended: true } }, "key_suspended"],
    ["B-7: for another request", { body: { req: d(9) } }, bad],
    [
      "with digits, which nobody has shown",
      { body: { view: { ...VIEW_CREDENTIAL, match: "42" } } },
      bad,
    ],
    ["another nonce than R's", { body: { nonce: `${"C".repeat(42)}A` } }, bad],
    ["B-3: another anchor in R", { request: { anchor: KEY.jkt } }, bad],
    ["B-3: another anchor in the statement", { agent: { jkt: KEY.jkt } }, bad],
    ["B-4: another agent", { agent: { id: agentId(ENTRY.id, KEY.jkt) } }, bad],
    ["a shorter grant", { grant: { exp: NOW + 60 } }, "accepted"],
    ["longer than a software key may", { grant: { exp: NOW + DAY + 1 } }, bad],
    ["7 d by a hardware key", { key: hardware }, "accepted"],
    ["more than 7 d by a hardware key", { key: hardware, grant: { exp: WEEK + 1 } }, bad],
    ["7 d by a software key, allowed", { entry: { insecureSoftKeyStanding: true } }, "accepted"],
    ["a longer life of each", { grant: { max_ttl: 901 } }, bad],
    ["more credentials", { grant: { max_issue: 1537 } }, bad],
    ["more at the same time", { grant: { max_live: 9 } }, bad],
    ["standing where single is registered", { entryNow: terms({ use: "single" }) }, bad],
    [
      "single where standing is registered",
      { grant: { use: "single", max_issue: 1, exp: NOW + 3600 } },
      "accepted",
    ],
    ["no ceiling where one is registered", { entryNow: terms({ ceiling: [CEILING] }) }, bad],
    [
      "a registration that became narrower meanwhile",
      { entryNow: terms({ maxTtlSeconds: 60 }) },
      bad,
    ],
  ])("%s → %#", async (_name, change, code) => {
    expect(await outcomeOf(() => decide(change))).toBe(code);
  });

  it("is drafted from what the host knows, and ends with R", async () => {
    const request = await seal(c, REQUEST, { ...R, exp: NOW + 60 }, generateSigner());
    const of = {
      request,
      proxy: PROXY,
      measurements: MEASURED,
      issuer: ISSUER,
      trustDomain: "example.org",
    };
    expect(draftPresigned({ ...of, entry: ENTRY }, KEY, JTI, NOW)).toMatchObject({
      nonce: OWN_NONCE,
      iat: NOW,
      exp: NOW + 60,
      owner: { id: OWNER, jkt: KEY.jkt },
      agent: { id: agentId(ENTRY.id, anchor), jkt: anchor, meas: MEASURED, host: PROXY },
      req: request.digest,
    });
    const { owner: _none, ...entry } = ENTRY;
    expect(await outcomeOf(() => draftPresigned({ ...of, entry }, KEY, JTI, NOW))).toBe(bad);
  });

  it.each<readonly [OwnerKind, number]>([
    ["person", 2],
    ["device", 1],
    ["policy", 1],
  ])("of a %s is worth %i, and the grant says how it came", async (ownerKind, assurance) => {
    expect(await decide({ key: { ownerKind } })).toMatchObject({ model: "agent", assurance });
  });
});
