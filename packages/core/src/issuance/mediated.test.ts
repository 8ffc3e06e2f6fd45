import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import { verifyApproval } from "../consent/approval.ts";
import { CONSENT_NAMESPACE, makeSshsig } from "../consent/ssh/sshsig.ts";
import { writeStatement } from "../consent/statement.ts";
import type { CredentialStatement } from "../consent/statement.ts";
import { agentId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { seal } from "../jose/signed.ts";
import { VIEW_CREDENTIAL } from "../consent/view.ts";
import { outcomeOf } from "../outcome.testing.ts";
import type { Ask, EnrolledKey } from "./approve.ts";
import { d, ENTRY, ISSUER, MEASURED, NONCE, NOW, OWNER, PROXY } from "./attested.testing.ts";
import type { Entry } from "./entry.ts";
import type { Grant } from "./known.ts";
import { decideMediated, draftMediated } from "./mediated.ts";
import type { KnownOfMediated } from "./mediated.ts";
import { REQUEST } from "./request.ts";

const signer = generateSigner("Ed25519");
const anchor = thumbprint(c, generateSigner().key);
const proxyKey = thumbprint(c, generateSigner().key);
const DAY = 86_400;
const PARTS = { jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A", nonce: "BBBBBBBBBBBBBBBBBBBBBA" };
const KEY: EnrolledKey = {
  jkt: thumbprint(c, signer.key),
  jwk: signer.key,
  owner: OWNER,
  ownerKind: "policy",
  isSoftware: true,
  basis: "admin",
};

/** One thing that is otherwise than when a gateway signs over the question that goes through it. */
interface Change {
  readonly body?: Partial<CredentialStatement>;
  readonly agent?: Partial<CredentialStatement["agent"]>;
  readonly grant?: Partial<CredentialStatement["grant"]>;
  readonly ask?: Partial<Ask>;
  readonly entryNow?: Partial<Entry> | "unknown";
  readonly key?: Partial<EnrolledKey> | "unknown";
  readonly known?: Partial<KnownOfMediated>;
  /** Stands where the proxy's key stands. */
  readonly isOwnersKey?: "anchor" | "attester";
  readonly now?: number;
}

async function decide(change: Change): Promise<Grant> {
  const claims = { aud: ISSUER, nonce: NONCE, iat: NOW, exp: NOW + 300, sub: ENTRY.id, anchor };
  const request = await seal(c, REQUEST, claims, generateSigner());
  const material = { request, entry: ENTRY, proxy: PROXY, measurements: MEASURED, issuer: ISSUER };
  const plain = draftMediated({ ...material, trustDomain: "example.org" }, KEY, PARTS, NOW);
  const body: CredentialStatement = {
    ...plain,
    ...change.body,
    agent: { ...plain.agent, ...change.agent },
    grant: { ...plain.grant, ...change.grant },
  };
  const statement = writeStatement(c, body);
  const s = base64(await makeSshsig(c, signer, CONSENT_NAMESPACE, statement.bytes));
  const approval = await verifyApproval(c, statement, { k: "sshsig", s }, { jwk: signer.key });
  const ask: Ask = {
    req: request.digest,
    entry: ENTRY.id,
    agent: agentId(ENTRY.id, anchor),
    anchor: change.isOwnersKey === "anchor" ? KEY.jkt : anchor,
    proxy: PROXY,
    owner: OWNER,
    measurements: MEASURED,
    state: "asked",
    deadline: NOW + 3600,
    ...change.ask,
  };
  const known: KnownOfMediated = {
    signsForOwner: true,
    entry: change.entryNow === "unknown" ? undefined : { ...ENTRY, ...change.entryNow },
    key: change.key === "unknown" ? undefined : { ...KEY, ...change.key },
    stops: [],
    wasStopped: false,
    isOfServer: false,
    attesterKeys: [change.isOwnersKey === "attester" ? KEY.jkt : proxyKey],
    issuer: ISSUER,
    trustDomain: "example.org",
    ...change.known,
  };
  return decideMediated(ask, approval, known, change.now ?? NOW);
}

const bad = "approval_unsuitable";

describe("an approval that the owner's gateway signs", () => {
  it.each<readonly [string, Change, string]>([
    ["as it was signed", {}, "accepted"],
    ["by a device", { key: { ownerKind: "device" } }, "accepted"],
    ["with digits", { body: { view: { ...VIEW_CREDENTIAL, match: "42" } } }, bad],
    ["in its last second", { now: NOW + 299 }, "accepted"],
    ["after its 300 s", { now: NOW + 300 }, "approval_expired"],
    ["by a clock a minute ahead", { now: NOW - 60 }, "accepted"],
    ["by a clock further ahead", { now: NOW - 61 }, bad],
    ["made to wait", { body: { exp: NOW + 301 } }, bad],
    [
      "for an owner that it does not sign for",
      { known: { signsForOwner: false } },
      "gateway_not_allowed",
    ],
    ["I-34: by a person's key", { key: { ownerKind: "person" } }, bad],
    ["I-34: by the anchor's own key", { isOwnersKey: "anchor" }, "key_reused"],
    ["I-34: by the proxy's or the gateway's own key", { isOwnersKey: "attester" }, "key_reused"],
    ["by a key that is not enrolled", { key: "unknown" }, "key_not_enrolled"],
    ["by a key of another owner", { key: { owner: `${OWNER}2` } }, "key_not_enrolled"],
    ["by a key that was removed", { key: { removedAt: NOW } }, "key_not_enrolled"],
    ["by a key that is suspended", { key: { suspended: true } }, "key_suspended"],
    ["I-28: for another server", { body: { aud: "https://id.other.org" } }, bad],
    ["for a request that nobody asked", { ask: { req: d(9) } }, bad],
    ["for another program", { agent: { meas: [{ n: "binary", d: d(9) }] } }, bad],
    ["for another host", { agent: { host: `${PROXY}2` } }, bad],
    ["for any host", { agent: {} }, "accepted"],
    ["for a question that was answered", { ask: { state: "approved" } }, "already_decided"],
    ["for a question that was denied", { ask: { state: "denied" } }, "already_decided"],
    ["for a question that is over", { ask: { deadline: NOW } }, "approval_expired"],
    [
      "while something is stopped",
      { known: { stops: [{ id: "s", scope: "agent", target: "x", since: NOW }] } },
      "halted",
    ],
    ["of a statement that was stopped before", { known: { wasStopped: true } }, "halted"],
    ["with a jti of the server's", { known: { isOfServer: true } }, "statement_invalid"],
    ["wider than the registration", { grant: { max_live: 99 } }, bad],
    ["longer than a software key may", { grant: { exp: NOW + DAY + 1 } }, bad],
    ["as long as a software key may", { grant: { exp: NOW + DAY } }, "accepted"],
    ["that begins later", { grant: { nbf: NOW + 61, exp: NOW + 600 } }, bad],
    ["whose grant is over", { grant: { nbf: NOW - 600, exp: NOW } }, "approval_expired"],
    ["where the registration is gone", { entryNow: "unknown" }, bad],
    ["where the registration names another owner", { entryNow: { owner: `${OWNER}2` } }, bad],
    ["where the registration has no owner any more", { entryNow: { binding: "none" } }, bad],
    [
      "where the registration takes several owners",
      { entryNow: { parties: { m: 2, owners: [OWNER, `${OWNER}9`] } } },
      bad,
    ],
    ["signed before the server was recovered", { known: { recoveredAt: NOW } }, bad],
    ["signed well after that", { known: { recoveredAt: NOW - 61 } }, "accepted"],
  ])("%s", async (_name, change, word) => {
    expect(await outcomeOf(() => decide(change))).toBe(word);
  });

  it("makes a grant of a machine, by way of the gateway", async () => {
    const grant = await decide({});
    expect(grant).toMatchObject({ model: "owner", ownerKind: "policy", assurance: 1 });
  });

  it("is nobody's where the registration names no owner", async () => {
    const { owner: _owner, ...unbound } = ENTRY;
    const claims = { aud: ISSUER, nonce: NONCE, iat: NOW, exp: NOW + 300, sub: ENTRY.id, anchor };
    const request = await seal(c, REQUEST, claims, generateSigner());
    const material = {
      request,
      entry: { ...unbound, binding: "none" as const },
      proxy: PROXY,
      measurements: MEASURED,
      issuer: ISSUER,
      trustDomain: "example.org",
    };
    const made = (): unknown => draftMediated(material, KEY, PARTS, NOW);
    expect(await outcomeOf(async () => made())).toBe(bad);
  });
});
