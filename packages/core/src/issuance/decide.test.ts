import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateSigner, nodeCrypto as c } from "../../../node/src/crypto.ts";
import type { CeilingEntry } from "../consent/ceiling.ts";
import type { CredentialStatement } from "../consent/statement.ts";
import { VIEW_CREDENTIAL } from "../consent/view.ts";
import type { Digest } from "../crypto.ts";
import type { Appraisal } from "../evidence/appraisal.ts";
import { attestedOf, d, ENTRY, ISSUER, makeTriple, NOW, OWNER, PROXY } from "./attested.testing.ts";
import { MEASURED } from "./attested.testing.ts";
import type { Hands, RequestChange } from "./attested.testing.ts";
import { decideCredential } from "./decide.ts";
import type { IssuePolicy, Ruling } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { Grant, Known } from "./known.ts";

const hands: Hands = { key: generateSigner(), anchor: generateSigner(), proxy: generateSigner() };
const owner = generateSigner("Ed25519");
const CS: Digest = d(99);
const plain = await makeTriple(c, hands, { endorsement: { cs: CS } });

const POLICY: IssuePolicy = {
  ownerTtlSeconds: 900,
  unboundTtlSeconds: 3600,
  approvalDeadlineSeconds: 3600,
  caNotAfter: NOW + 30 * 86_400,
};
const CEILING: CeilingEntry = {
  type: "http_api",
  locations: ["https://mail.example.com/"],
  actions: ["send"],
};
const OTHER_CEILING: CeilingEntry = { ...CEILING, actions: ["delete"] };

const STATEMENT: CredentialStatement = {
  typ: "agent-consent/1",
  kind: "credential",
  decision: "approve",
  jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
  aud: ISSUER,
  td: "example.org",
  iat: NOW - 60,
  exp: NOW + 240,
  nonce: "AAAAAAAAAAAAAAAAAAAAAA",
  owner: { id: OWNER, jkt: "x".repeat(43) },
  agent: { id: plain.agent, jkt: plain.request.claims.anchor, meas: MEASURED, host: PROXY },
  req: d(8),
  grant: {
    use: "standing",
    nbf: NOW - 60,
    exp: NOW + 86_400,
    max_ttl: 900,
    max_issue: 100,
    max_live: 8,
    rekey: "endorsed",
    ceiling: [],
  },
  view: VIEW_CREDENTIAL,
};
const GRANT: Grant = {
  cs: CS,
  statement: STATEMENT,
  ownerKey: owner.key,
  ownerKind: "person",
  basis: "admin",
  assurance: 2,
  model: "server",
};

/** One thing that is otherwise than in a renewal that is covered. */
interface Change {
  readonly entry?: Partial<Entry> | "none";
  readonly grant?: Partial<Grant> | "none";
  readonly statement?: Partial<CredentialStatement>;
  readonly agent?: Partial<CredentialStatement["agent"]>;
  readonly bounds?: Partial<CredentialStatement["grant"]>;
  readonly known?: Partial<Known>;
  readonly appraisal?: Partial<Appraisal>;
  readonly policy?: Partial<IssuePolicy>;
  readonly request?: RequestChange;
  readonly proxy?: string;
  readonly now?: number;
}

function knownOf(change: Change): Known {
  const statement: CredentialStatement = {
    ...STATEMENT,
    ...change.statement,
    agent: { ...STATEMENT.agent, ...change.agent },
    grant: { ...STATEMENT.grant, ...change.bounds },
  };
  return {
    ...(change.entry === "none" ? {} : { entry: { ...ENTRY, ...change.entry } }),
    ...(change.grant === "none" ? {} : { grant: { ...GRANT, statement, ...change.grant } }),
    issued: 3,
    live: 1,
    stops: [],
    epoch: 1,
    pending: { ofOwnerAtProxy: 0, ofOwner: 0, ofOwnerExpected: 0 },
    listedUids: [],
    approvedMeasurements: [],
    ...change.known,
  };
}

const pendingOf = (
  ofOwnerAtProxy: number,
  ofOwner: number,
  ofOwnerExpected: number,
): { readonly pending: Known["pending"] } => ({
  pending: { ofOwnerAtProxy, ofOwner, ofOwnerExpected },
});
const ANNOUNCED: Partial<Known> = {
  announcement: { by: "owner", madeAt: NOW - 1, exp: NOW + 599 },
};

async function rule(change: Change): Promise<Ruling> {
  const made =
    change.request === undefined
      ? plain
      : await makeTriple(c, hands, {
          ...change.request,
          endorsement: { cs: CS, ...change.request.endorsement },
        });
  const attested = attestedOf(made, {
    ...(change.appraisal === undefined ? {} : { appraisal: change.appraisal }),
    ...(change.proxy === undefined ? {} : { proxy: change.proxy }),
  });
  return decideCredential(
    attested,
    knownOf(change),
    { ...POLICY, ...change.policy },
    change.now ?? NOW,
  );
}

/** `issue`, `ask:` and its reasons, or the code of the refusal. */
function word(ruling: Ruling): string {
  if (ruling.do === "refuse") return ruling.code;
  return ruling.do === "issue" ? "issue" : `ask:${ruling.why.map(({ code }) => code).join()}`;
}

const stop = (scope: "agent" | "entry" | "grant" | "owner" | "proxy" | "domain"): Change => ({
  known: { stops: [{ id: "s", scope, target: "t", since: NOW - 5 }] },
});
/** The endorsement names no statement. */
const unnamed: RequestChange = { endorsement: { cs: undefined as unknown as Digest } }; // dropped by the writer
const UNRECOGNISED: Change = { appraisal: { verdict: "unrecognised", recognised: false } };

const RULINGS: readonly (readonly [string, Change, string])[] = [
  ["inside the grant", {}, "issue"],
  ["the server holds", { known: { hold: "behind" } }, "hold"],
  ["no such entry", { entry: "none" }, "entry_unknown"],
  ["the entry is of another proxy", { proxy: `${PROXY}0` }, "entry_not_served"],
  ["the agent is stopped", stop("agent"), "halted"],
  ["the entry is stopped", stop("entry"), "halted"],
  ["the grant is stopped", stop("grant"), "halted"],
  ["the owner is stopped", stop("owner"), "halted"],
  ["the proxy is stopped", stop("proxy"), "halted"],
  ["the trust domain is stopped", stop("domain"), "halted"],
  ["the appraisal refuses", { appraisal: { verdict: "refuse" } }, "posture_refused"],
  [
    "the appraisal refuses with a code",
    { appraisal: { verdict: "refuse", refusal: "facts_missing" } },
    "facts_missing",
  ],
  ["not recognised, although the grant names it", UNRECOGNISED, "measurement_unknown"],
  ["the endorsement names no grant there is", { grant: "none" }, "endorsement_invalid"],
  [
    "the endorsement names another agent's grant",
    { agent: { id: `${ENTRY.id}/0011223344556677` } },
    "endorsement_invalid",
  ],
  ["as many live as may be", { known: { live: 8 } }, "too_many_live"],
  ["one less", { known: { live: 7 } }, "issue"],
  ["the last one", { known: { issued: 99 } }, "issue"],
  ["used up", { known: { issued: 100 } }, "ask:grant_used_up"],
  ["the last second of the grant", { bounds: { exp: NOW + 1 } }, "issue"],
  ["the grant is over", { bounds: { exp: NOW } }, "ask:grant_over"],
  ["the grant was ended", { grant: { endedAt: NOW - 1 } }, "ask:grant_over"],
  ["the grant begins within the skew", { bounds: { nbf: NOW + 60 } }, "issue"],
  ["the grant has not begun", { bounds: { nbf: NOW + 61 } }, "ask:grant_over"],
  ["another anchor", { agent: { jkt: "y".repeat(43) } }, "ask:installation_replaced"],
  ["another host", { agent: { host: `${PROXY}0` } }, "ask:terms_changed"],
  ["another owner", { entry: { owner: `${OWNER}0` } }, "ask:terms_changed"],
  ["a digest changed", { agent: { meas: [{ n: "binary", d: d(1) }] } }, "ask:measurement_changed"],
  [
    "something approved is not measured any more",
    { agent: { meas: [...MEASURED, { n: "prompt", d: d(3) }] } },
    "ask:measurement_changed",
  ],
  [
    "the registration wants more",
    {
      bounds: { ceiling: [CEILING] },
      entry: { grant: { ...ENTRY.grant, ceiling: [CEILING, OTHER_CEILING] } },
    },
    "ask:ceiling_changed",
  ],
  ["the registration wants any", { bounds: { ceiling: [CEILING] } }, "ask:ceiling_changed"],
  [
    "the registration wants less",
    {
      bounds: { ceiling: [CEILING, OTHER_CEILING] },
      entry: { grant: { ...ENTRY.grant, ceiling: [CEILING] } },
    },
    "issue",
  ],
  ["any was approved", { entry: { grant: { ...ENTRY.grant, ceiling: [CEILING] } } }, "issue"],
  [
    "several reasons, all said",
    { known: { issued: 100 }, bounds: { exp: NOW - 1 } },
    "ask:grant_over,grant_used_up",
  ],
  ["the first request", { request: unnamed }, "ask:first_approval"],
  [
    "asked anew, with the program that was approved",
    { request: unnamed, known: { approvedMeasurements: MEASURED } },
    "ask:terms_changed",
  ],
  [
    "asked anew, with another program",
    { request: unnamed, known: { approvedMeasurements: [{ n: "binary", d: d(7) }] } },
    "ask:measurement_changed",
  ],
  ["unrecognised, with an owner", { ...UNRECOGNISED, request: unnamed }, "ask:first_approval"],
  ["five pending here", { request: unnamed, known: pendingOf(5, 5, 0) }, "approval_queue_full"],
  ["four pending here", { request: unnamed, known: pendingOf(4, 4, 0) }, "ask:first_approval"],
  ["twenty pending", { request: unnamed, known: pendingOf(0, 20, 12) }, "approval_queue_full"],
  [
    "twelve pending that nobody announced",
    { request: unnamed, known: pendingOf(0, 12, 0) },
    "approval_queue_full",
  ],
  [
    "eleven pending that nobody announced, and eight that were",
    { request: unnamed, known: pendingOf(0, 19, 8) },
    "ask:first_approval",
  ],
  [
    "announced, with twelve pending that nobody announced",
    { request: unnamed, known: { ...pendingOf(0, 12, 0), ...ANNOUNCED } },
    "ask:first_approval",
  ],
  [
    "announced, with twenty pending",
    { request: unnamed, known: { ...pendingOf(0, 20, 8), ...ANNOUNCED } },
    "approval_queue_full",
  ],
  [
    "announced, with five pending here",
    { request: unnamed, known: { ...pendingOf(5, 5, 5), ...ANNOUNCED } },
    "approval_queue_full",
  ],
  [
    "denied a moment ago",
    { request: unnamed, known: { askBlockedUntil: NOW + 1 } },
    "approval_denied",
  ],
  ["denied too often", { request: unnamed, known: { isAskBlocked: true } }, "approval_denied"],
  ["denied long ago", { request: unnamed, known: { askBlockedUntil: NOW } }, "ask:first_approval"],
];

describe("a request that an owner is bound to", () => {
  it.each(RULINGS)("%s → %#", async (_name, change, wanted) => {
    expect(word(await rule(change))).toBe(wanted);
  });

  it("I-37: says what changed, made of measured values only", async () => {
    const ruling = await rule({
      request: unnamed,
      known: {
        approvedMeasurements: [
          { n: "binary", d: d(7) },
          { n: "prompt", d: d(3) },
        ],
      },
    });
    const short = (n: number): string => d(n).slice(8, 16);
    expect(ruling).toMatchObject({
      do: "ask",
      deadline: NOW + 3600,
      why: [
        {
          code: "measurement_changed",
          text: `the program changed: binary ${short(7)} → ${short(1)}, prompt ${short(3)} → none, script none → ${short(2)}`,
        },
      ],
    });
  });

  it.each([
    [1, "the approval was for one credential, and that was issued"],
    [2, "all 2 credentials of the approval were issued"],
  ])("says that %i were issued in words for that many", async (max_issue, text) => {
    const ruling = await rule({ bounds: { max_issue }, known: { issued: max_issue } });
    expect(ruling).toMatchObject({ do: "ask", why: [{ code: "grant_used_up", text }] });
  });

  it("gives the next ordinal", async () => {
    expect(await rule({})).toMatchObject({ draft: { owner: { n: 4 } }, do: "issue" });
  });
});

describe("the life is the least of all bounds", () => {
  it.each<readonly [string, Change, number | string]>([
    ["nothing shorter", {}, 900],
    ["the policy", { policy: { ownerTtlSeconds: 300 } }, 300],
    [
      "the cap of an hour",
      {
        policy: { ownerTtlSeconds: 9999 },
        bounds: { max_ttl: 9999 },
        entry: { grant: { ...ENTRY.grant, maxTtlSeconds: 9999 } },
        request: { endorsement: { exp: NOW + 3600 } },
      },
      3600,
    ],
    ["the registration", { entry: { grant: { ...ENTRY.grant, maxTtlSeconds: 60 } } }, 60],
    ["the approval", { bounds: { max_ttl: 61 } }, 61],
    ["the end of the grant", { bounds: { exp: NOW + 62 } }, 62],
    ["the endorsement", { request: { endorsement: { exp: NOW + 63 } } }, 63],
    ["the CA", { policy: { caNotAfter: NOW + 64 } }, 64],
    ["nothing left", { policy: { caNotAfter: NOW } }, "endorsement_invalid"],
  ])("%s", async (_name, change, wanted) => {
    const ruling = await rule(change);
    expect(ruling.do === "issue" ? ruling.draft.exp - ruling.draft.iat : word(ruling)).toBe(wanted);
  });
});

describe("an entry without an owner", () => {
  const { owner: _owner, ...rest } = ENTRY;
  const unbound: Change["entry"] = { ...rest, binding: "none" };
  const base: Change = { grant: "none", request: { endorsement: { exp: NOW + 86_400 } } };
  const bare = async (change: Change): Promise<Ruling> => {
    const made = await makeTriple(c, hands, change.request);
    const { entry: _entry, ...known } = knownOf({ ...base, ...change });
    return decideCredential(
      attestedOf(made, change.appraisal === undefined ? {} : { appraisal: change.appraisal }),
      { ...known, entry: { ...rest, binding: "none" } },
      { ...POLICY, ...change.policy },
      NOW,
    );
  };
  it.each<readonly [string, Change, string | number]>([
    ["recognised", base, 3600],
    ["policy of a day and more", { ...base, policy: { unboundTtlSeconds: 99_999 } }, 86_400],
    ["the endorsement bounds it", { ...base, request: { endorsement: { exp: NOW + 70 } } }, 70],
    ["the CA bounds it", { ...base, policy: { caNotAfter: NOW + 71 } }, 71],
    ["no time left", { ...base, policy: { caNotAfter: NOW } }, "endorsement_invalid"],
    ["I-10: not recognised", { ...base, ...UNRECOGNISED }, "measurement_unknown"],
    ["stopped", { ...base, ...stop("entry") }, "halted"],
  ])("%s → %s", async (_name, change, wanted) => {
    const ruling = await bare({ ...change, entry: unbound });
    expect(ruling.do === "issue" ? ruling.draft.exp - ruling.draft.iat : word(ruling)).toBe(wanted);
    if (ruling.do === "issue") expect(ruling.draft).not.toHaveProperty("owner");
  });
});

describe("invariant 2", () => {
  it("nothing is issued outside a live grant, whatever the store says", async () => {
    const digit = fc.integer({ min: -2, max: 2 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          issued: digit,
          live: digit,
          exp: digit,
          ended: fc.boolean(),
          hold: fc.boolean(),
          named: fc.boolean(),
          grant: fc.boolean(),
          stopped: fc.boolean(),
          verdict: fc.constantFrom("ok" as const, "refuse" as const, "unrecognised" as const),
        }),
        async (x) => {
          const ruling = await rule({
            grant: x.grant ? (x.ended ? { endedAt: NOW } : {}) : "none",
            bounds: { exp: NOW + x.exp },
            known: {
              issued: 100 + x.issued,
              live: 8 + x.live,
              ...(x.hold ? { hold: "h" } : {}),
              ...(x.stopped ? stop("agent").known : {}),
            },
            appraisal: { verdict: x.verdict },
            request: x.named ? {} : unnamed,
          });
          const covered =
            x.grant &&
            !x.ended &&
            x.named &&
            !x.hold &&
            !x.stopped &&
            x.verdict === "ok" &&
            x.exp > 0 &&
            x.issued < 0 &&
            x.live < 0;
          expect(ruling.do === "issue").toBe(covered);
        },
      ),
      { numRuns: 300 },
    );
  });
});
