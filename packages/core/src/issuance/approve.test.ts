import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import { verifyApproval } from "../consent/approval.ts";
import type { Approval } from "../consent/approval.ts";
import { assertionOf, FLAG, PAGES } from "../consent/authenticator.testing.ts";
import type { CeilingEntry } from "../consent/ceiling.ts";
import { CONSENT_NAMESPACE, makeSshsig } from "../consent/ssh/sshsig.ts";
import { writeStatement } from "../consent/statement.ts";
import type { CredentialStatement, OwnerKind } from "../consent/statement.ts";
import { VIEW_CREDENTIAL } from "../consent/view.ts";
import { agentId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { outcomeOf } from "../outcome.testing.ts";
import { checkTerms, decideApproval, draftStatement, grantOf, grantTerms } from "./approve.ts";
import type { Ask, EnrolledKey } from "./approve.ts";
import { d, ENTRY, ISSUER, MEASURED, NONCE, NOW, OWNER, PROXY } from "./attested.testing.ts";
import type { Entry, GrantTerms } from "./entry.ts";
import type { Grant } from "./known.ts";

const signer = generateSigner("Ed25519");
const anchor = thumbprint(c, generateSigner().key);
const DAY = 86_400;

const KEY: EnrolledKey = {
  jkt: thumbprint(c, signer.key),
  jwk: signer.key,
  owner: OWNER,
  ownerKind: "person",
  isSoftware: true,
  basis: "admin",
};
const ASK: Ask = {
  req: d(8),
  entry: ENTRY.id,
  agent: agentId(ENTRY.id, anchor),
  anchor,
  proxy: PROXY,
  owner: OWNER,
  measurements: MEASURED,
  state: "asked",
  deadline: NOW + 3600,
};
const CEILING: CeilingEntry = {
  type: "http_api",
  locations: ["https://mail.example.com/"],
  actions: ["send"],
};
const PARTS = {
  issuer: ISSUER,
  trustDomain: "example.org",
  jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
  nonce: NONCE,
  decision: "approve",
  lifeSeconds: 300,
} as const;

async function approvalOf(body: CredentialStatement, kind: OwnerKind): Promise<Approval> {
  const statement = writeStatement(c, body);
  const s = base64(await makeSshsig(c, signer, CONSENT_NAMESPACE, statement.bytes));
  return verifyApproval(c, statement, { k: "sshsig", s }, { jwk: signer.key }, { ownerKind: kind });
}

/** One thing that is otherwise than when the owner signed what he was asked. */
interface Change {
  readonly ask?: Partial<Ask>;
  /** The registration when the statement was made, and when it was signed. */
  readonly entry?: Partial<Entry>;
  readonly entryNow?: Partial<Entry> | "removed";
  readonly key?: Partial<EnrolledKey> | "unknown";
  readonly body?: Partial<CredentialStatement>;
  readonly agent?: Partial<CredentialStatement["agent"]>;
  readonly grant?: Partial<CredentialStatement["grant"]>;
  readonly stopped?: boolean;
  readonly now?: number;
  /** The question's digits when the statement was made, and when it was signed. */
  readonly digits?: string;
  readonly digitsNow?: string;
}

async function decide(change: Change): Promise<Grant> {
  const entry = { ...ENTRY, ...change.entry };
  const key = change.key === "unknown" ? undefined : { ...KEY, ...change.key };
  const plain = draftStatement(ASK, entry, key ?? KEY, { ...PARTS, digits: change.digits }, NOW);
  const body: CredentialStatement = {
    ...plain,
    ...change.body,
    agent: { ...plain.agent, ...change.agent },
    grant: { ...plain.grant, ...change.grant },
  };
  const known = {
    entry: change.entryNow === "removed" ? undefined : { ...entry, ...change.entryNow },
    key,
    stops:
      change.stopped === true
        ? [{ id: "s", scope: "owner", target: OWNER, since: NOW } as const]
        : [],
    digits: change.digitsNow === "none" ? undefined : (change.digitsNow ?? change.digits),
    issuer: ISSUER,
  };
  const approval = await approvalOf(body, key?.ownerKind ?? "person");
  return decideApproval({ ...ASK, ...change.ask }, approval, known, change.now ?? NOW);
}

const terms = (change: Partial<GrantTerms>): Partial<Entry> => ({
  grant: { ...ENTRY.grant, ...change },
});
const bad = "approval_unsuitable";

describe("an approval", () => {
  it.each<readonly [string, Change, string]>([
    ["as it was asked", {}, "accepted"],
    ["in the last second of the statement", { now: NOW + 299 }, "accepted"],
    ["at the end of the statement", { now: NOW + 300 }, "approval_expired"],
    ["in the last second before the deadline", { ask: { deadline: NOW + 1 } }, "accepted"],
    ["at the deadline", { ask: { deadline: NOW } }, "approval_expired"],
    ["expired", { ask: { state: "expired" } }, "approval_expired"],
    ["superseded", { ask: { state: "superseded" } }, "approval_expired"],
    ["approved already", { ask: { state: "approved" } }, "already_decided"],
    ["I-38: denied already", { ask: { state: "denied" } }, "already_decided"],
    ["something is stopped", { stopped: true }, "halted"],
    ["key unknown", { key: "unknown" }, "key_not_enrolled"],
    ["key removed", { key: { removedAt: NOW - 1 } }, "key_not_enrolled"],
    ["I-29: key of another owner", { key: { owner: `${OWNER}9` } }, "key_not_enrolled"],
    ["key suspended", { key: { suspended: true } }, "key_suspended"],
    ["B-8: another server", { body: { aud: "https://id.example.com" } }, bad],
    ["another owner id", { body: { owner: { id: `${OWNER}9`, jkt: KEY.jkt } } }, bad],
    ["B-7: another request", { body: { req: d(9) } }, bad],
    ["B-4: another agent", { agent: { id: agentId(ENTRY.id, KEY.jkt) } }, bad],
    ["B-3: another anchor", { agent: { jkt: KEY.jkt } }, bad],
    ["another host", { agent: { host: `${PROXY}9` } }, bad],
    ["one measurement less", { agent: { meas: MEASURED.slice(0, 1) } }, bad],
    ["another measurement", { agent: { meas: [{ n: "binary", d: d(7) }] } }, bad],
    ["the entry was removed", { entryNow: "removed" }, bad],
    ["the entry is on another host now", { entryNow: { proxy: `${PROXY}9` } }, bad],
    ["the entry has another owner now", { entryNow: { owner: `${OWNER}9` } }, bad],
    [
      "the entry takes several owners now",
      { entryNow: { parties: { m: 2, owners: [OWNER, `${OWNER}9`] } } },
      bad,
    ],
    ["the entry has no owner now", { entryNow: { binding: "none" } }, bad],
    ["longer than the registration allows", { grant: { exp: NOW + DAY + 1 } }, bad],
    ["a shorter grant", { grant: { exp: NOW + 60 } }, "accepted"],
    ["a longer life", { grant: { max_ttl: 901 } }, bad],
    ["a shorter life", { grant: { max_ttl: 60 } }, "accepted"],
    ["more credentials", { grant: { max_issue: 1537 } }, bad],
    ["fewer credentials", { grant: { max_issue: 1 } }, "accepted"],
    ["more at the same time", { grant: { max_live: 9 } }, bad],
    [
      "single where standing was asked",
      { grant: { use: "single", max_issue: 1, exp: NOW + 3600 } },
      "accepted",
    ],
    [
      "standing where single was asked",
      { entry: terms({ use: "single" }), grant: { use: "standing" } },
      bad,
    ],
    ["a ceiling where none was asked", { grant: { ceiling: [CEILING] } }, "accepted"],
    [
      "no ceiling where one was asked",
      { entry: terms({ ceiling: [CEILING] }), grant: { ceiling: [] } },
      bad,
    ],
    [
      "another ceiling",
      {
        entry: terms({ ceiling: [CEILING] }),
        grant: { ceiling: [{ ...CEILING, actions: ["delete"] }] },
      },
      bad,
    ],
    [
      "a part of the ceiling",
      {
        entry: terms({ ceiling: [CEILING, { ...CEILING, actions: ["list"] }] }),
        grant: { ceiling: [CEILING] },
      },
      "accepted",
    ],
    [
      "a registration that became narrower meanwhile",
      { entryNow: terms({ maxTtlSeconds: 60 }) },
      bad,
    ],
    ["with the digits of its terminal", { digits: "42" }, "accepted"],
    ["without digits that are asked for", { digitsNow: "42" }, bad],
    ["with other digits", { digits: "42", digitsNow: "24" }, bad],
    ["with digits where none are asked for", { digits: "42", digitsNow: "none" }, bad],
    [
      "by a machine, which looks at no terminal",
      { digits: "42", key: { ownerKind: "policy" } },
      "accepted",
    ],
    [
      "by a key that is a person's by now",
      { body: { view: VIEW_CREDENTIAL }, digitsNow: "42" },
      bad,
    ],
    [
      "by a machine that says it typed",
      { body: { view: { ...VIEW_CREDENTIAL, match: "42" } }, key: { ownerKind: "policy" } },
      bad,
    ],
    ["7 d by a hardware key", { key: { isSoftware: false } }, "accepted"],
    [
      "7 d by a key that became a software key",
      { key: { isSoftware: true }, grant: { exp: NOW + 7 * DAY } },
      bad,
    ],
    [
      "7 d by a software key, allowed",
      { entry: { insecureSoftKeyStanding: true }, grant: { exp: NOW + 7 * DAY } },
      "accepted",
    ],
  ])("%s → %#", async (_name, change, code) => {
    expect(await outcomeOf(() => decide(change))).toBe(code);
  });

  it.each<readonly [OwnerKind, number]>([
    ["person", 2],
    ["device", 1],
    ["policy", 1],
  ])("I-25: of a %s is worth %i", async (ownerKind, assurance) => {
    expect(await decide({ key: { ownerKind } })).toMatchObject({ ownerKind, assurance });
  });

  it("makes the grant of exactly what was signed", async () => {
    const body = draftStatement(ASK, ENTRY, KEY, PARTS, NOW);
    expect(await decide({})).toEqual({
      cs: writeStatement(c, body).cs,
      statement: body,
      ownerKey: signer.key,
      ownerKind: "person",
      basis: "admin",
      assurance: 2,
      model: "server",
    });
  });
});

describe("the assurance that is claimed", () => {
  const made = writeStatement(c, draftStatement(ASK, ENTRY, KEY, PARTS, NOW));
  const { rpId } = PAGES;
  const byPasskey = async (flags: number): Promise<Approval> => {
    const signature = await assertionOf(signer, made.bytes, { flags });
    const key = { jwk: signer.key, app: rpId };
    return verifyApproval(c, made, signature, key, { pages: PAGES });
  };
  const bound = FLAG.UP | FLAG.UV;

  it.each<readonly [string, number | "software", Partial<EnrolledKey>, number]>([
    ["a passkey", bound, {}, 3],
    ["a passkey, attested and co-signed", bound, { isAttested: true }, 4],
    ["one that can be copied, attested and co-signed", bound | FLAG.BE, { isAttested: true }, 3],
    ["a software key whose record says attested", "software", { isAttested: true }, 2],
    ["a device whose record says attested", bound, { isAttested: true, ownerKind: "device" }, 1],
    ["a policy engine", bound, { ownerKind: "policy" }, 1],
  ])("of %s is $3", async (_name, signs, change, wanted) => {
    const approval =
      signs === "software" ? await approvalOf(made.body, "person") : await byPasskey(signs);
    expect(grantOf(approval, { ...KEY, app: rpId, ...change }, "server").assurance).toBe(wanted);
  });
});

describe("the terms that are asked for", () => {
  const hardware: EnrolledKey = { ...KEY, isSoftware: false };
  it.each<readonly [string, Partial<Entry>, EnrolledKey, Partial<CredentialStatement["grant"]>]>([
    ["a software key: 24 h", {}, KEY, { exp: NOW + DAY, max_issue: 1536, max_live: 8 }],
    ["a hardware key: 7 d", {}, hardware, { exp: NOW + 7 * DAY, max_issue: 10_752 }],
    [
      "a software key, allowed: 7 d",
      { insecureSoftKeyStanding: true },
      KEY,
      { exp: NOW + 7 * DAY },
    ],
    ["an hour by either", terms({ lengthSeconds: 3600 }), KEY, { exp: NOW + 3600, max_issue: 64 }],
    [
      "30 d by a hardware key",
      terms({ lengthSeconds: 30 * DAY }),
      hardware,
      { exp: NOW + 30 * DAY },
    ],
    ["30 d by a software key: 24 h", terms({ lengthSeconds: 30 * DAY }), KEY, { exp: NOW + DAY }],
    ["max_issue as it says", terms({ maxIssue: 5 }), KEY, { max_issue: 5 }],
    [
      "rounded up",
      terms({ maxTtlSeconds: 7, maxLive: 1, lengthSeconds: 60 }),
      KEY,
      { max_issue: 18 },
    ],
    [
      "single",
      terms({ use: "single", lengthSeconds: 30 * DAY, maxIssue: 9 }),
      hardware,
      { use: "single", exp: NOW + 3600, max_issue: 1, max_live: 1 },
    ],
    ["the ceiling", terms({ ceiling: [CEILING] }), KEY, { ceiling: [CEILING] }],
  ])("%s", (_name, change, key, wanted) => {
    expect(grantTerms({ ...ENTRY, ...change }, key, NOW)).toMatchObject({
      nbf: NOW,
      rekey: "endorsed",
      ...wanted,
    });
  });

  it.each<readonly [string, Partial<GrantTerms>, string]>([
    ["7 d by default, 8 live", {}, "accepted"],
    ["as many as one approval gives", { maxLive: 7440 }, "accepted"],
    ["one more live", { maxLive: 7441 }, "malformed_request"],
    ["the most there are", { maxLive: 100_000 }, "malformed_request"],
    ["the most there are, for an hour", { maxLive: 100_000, lengthSeconds: 3600 }, "accepted"],
    ["the most there are, with a count", { maxLive: 100_000, maxIssue: 10_000_000 }, "accepted"],
    ["the most there are, single", { maxLive: 100_000, use: "single" }, "accepted"],
  ])("terms of %s → %#", async (_name, change, code) => {
    const entry = { ...ENTRY, ...terms(change) };
    expect(await outcomeOf(() => checkTerms(entry))).toBe(code);
    if (code === "accepted") writeStatement(c, draftStatement(ASK, entry, hardware, PARTS, NOW)); // is not refused
  });

  it.each<readonly [string, number, number, number]>([
    ["here", 300, NOW + 3600, NOW + 300],
    ["elsewhere", 3600, NOW + 3600, NOW + 3600],
    ["shortly before the deadline", 300, NOW + 10, NOW + 10],
  ])("a statement to be signed %s ends in time", (_name, lifeSeconds, deadline, exp) => {
    const made = draftStatement({ ...ASK, deadline }, ENTRY, KEY, { ...PARTS, lifeSeconds }, NOW);
    expect(made).toMatchObject({ iat: NOW, exp, owner: { id: OWNER, jkt: KEY.jkt }, req: ASK.req });
  });
});
