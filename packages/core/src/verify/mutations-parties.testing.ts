import { thumbprint } from "../jose/jwk.ts";
import { VIEW_CREDENTIAL, VIEW_PARTIES } from "../consent/view.ts";
import type { ApprovalPart } from "../credential/bundle.ts";
import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { approvalOf } from "./mutation.testing.ts";
import type { Mutation } from "./mutation.testing.ts";
import type { OtherDraft, OwnerDraft, PartiesDraft } from "./parties.testing.ts";
import { strangerKey } from "./story.testing.ts";
import type { StoryOptions } from "./story.testing.ts";

const key = () => strangerKey("Ed25519");
const owner = (name: string, keys = 1): OwnerDraft => ({
  id: `urn:agent-owner:example.org:${name}`,
  keys: Array.from({ length: keys }, key),
});

export const BOB: OwnerDraft = owner("bob-000001", 2);
export const CAROL: OwnerDraft = owner("carol-0001");

/** The true story of several owners: two of three, bob has signed beside the one whom the credential names. */
export const TWO_OF_THREE: PartiesDraft = { m: 2, listed: [BOB, CAROL], signed: [{ by: BOB }] };

const parties = (change: Partial<PartiesDraft>): StoryOptions => ({
  parties: { ...TWO_OF_THREE, ...change },
});
const bob = (other: Omit<OtherDraft, "by">): StoryOptions =>
  parties({ signed: [{ by: BOB, ...other }] });
/** Changes what stands in the part, at the very end. */
const shown = (
  change: (part: ApprovalPart, sts: NonNullable<ApprovalPart["sts"]>) => ApprovalPart,
  options: StoryOptions = { parties: TWO_OF_THREE },
): StoryOptions => ({
  ...options,
  presented: (p) => {
    const approval = approvalOf(p);
    return { ...p, approval: change(approval, approval.sts ?? []) };
  },
});

type Statement = NonNullable<OtherDraft["statement"]>;
const DIGEST = `sha-256:${"B".repeat(43)}` as const;

/** What bob signed is not what the other signed. */
const OTHERWISE: readonly (readonly [string, Statement])[] = [
  ["a wider grant", (b) => ({ ...b, grant: { ...b.grant, max_live: 9 } })],
  ["a narrower grant", (b) => ({ ...b, grant: { ...b.grant, max_live: 7 } })],
  ["another nonce", (b) => ({ ...b, nonce: "A".repeat(22) })],
  ["another second", (b) => ({ ...b, iat: b.iat + 1 })],
  ["another end of the ceremony", (b) => ({ ...b, exp: b.exp - 1 })],
  ["another program", (b) => ({ ...b, agent: { ...b.agent, meas: [{ n: "binary", d: DIGEST }] } })],
  ["any host", ({ agent: { host: _none, ...agent }, ...b }) => ({ ...b, agent })],
  ["another request", (b) => ({ ...b, req: DIGEST })],
  ["a denial", (b) => ({ ...b, decision: "deny" })],
  ["digits that were not asked for", (b) => ({ ...b, view: { ...b.view, match: "42" } })],
  [
    "more owners of the same list",
    (b) => ({
      ...b,
      grant: { ...b.grant, parties: { m: 3, owners: b.grant.parties?.owners ?? [] } },
    }),
  ],
  [
    "as many owners of a shorter list",
    (b) => ({
      ...b,
      grant: {
        ...b.grant,
        parties: {
          m: 2,
          owners: (b.grant.parties?.owners ?? []).filter(({ id }) => id !== CAROL.id),
        },
      },
    }),
  ],
  [
    "no parties, in the view for one owner",
    ({ grant: { parties: _none, ...grant }, ...b }) => ({ ...b, grant, view: VIEW_CREDENTIAL }),
  ],
  ["the other's number", (b) => ({ ...b, jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A" })],
  [
    "as an owner who is not on the list",
    (b) => ({ ...b, owner: { ...b.owner, id: "urn:agent-owner:example.org:mallory-01" } }),
  ],
  ["as carol, with his key", (b) => ({ ...b, owner: { ...b.owner, id: CAROL.id } })],
];

const wrong = { link: "parties", code: "statement_invalid" } as const;
const unaccepted = { link: "owner-accepted", code: "owner_key_unaccepted" } as const;
const trusting = (
  change: (pin: { readonly jkt: string; readonly owner?: string }) => boolean,
): StoryOptions => ({
  parties: TWO_OF_THREE,
  trust: (domain) => ({ ...domain, ownerPins: domain.ownerPins.filter(change) }),
});

/** What several owners must sign before anything is granted (formats.md 3, owner.md 1.4). */
export const PARTIES_MUTATIONS: readonly Mutation[] = [
  // the view
  {
    name: "several owners, in the view for one",
    link: "owner-signature",
    code: "approval_unsuitable",
    change: { parties: TWO_OF_THREE, statement: (b) => ({ ...b, view: VIEW_CREDENTIAL }) },
  },
  {
    name: "one owner, in the view for several",
    link: "owner-signature",
    code: "approval_unsuitable",
    change: { statement: (b) => ({ ...b, view: VIEW_PARTIES }) },
  },

  // how many signed
  {
    name: "one signature of two",
    link: "parties",
    code: "quorum_unmet",
    change: parties({ signed: [] }),
  },
  {
    name: "two signatures of three",
    link: "parties",
    code: "quorum_unmet",
    change: parties({ m: 3 }),
  },
  {
    name: "an approval of several with the others' taken away",
    link: "parties",
    code: "quorum_unmet",
    change: shown(({ sts: _none, ...part }) => part),
  },
  {
    name: "others beside an approval that takes one owner",
    ...wrong,
    change: shown((part) => ({ ...part, sts: [part] }), {}),
  },
  {
    name: "the same signature twice",
    ...wrong,
    change: shown(({ sts: _none, ...part }) => ({ ...part, sts: [part] })),
  },
  {
    name: "bob's signature twice, for three",
    ...wrong,
    change: shown((part, sts) => ({ ...part, sts: [...sts, ...sts] }), parties({ m: 3 })),
  },
  {
    name: "two keys of one owner, for three",
    ...wrong,
    change: parties({
      m: 3,
      signed: [
        { by: BOB },
        { by: BOB, ...(BOB.keys[1] === undefined ? {} : { key: BOB.keys[1] }) },
      ],
    }),
  },
  ...OTHERWISE.map(([what, statement]): Mutation => ({
    name: `bob signed ${what}`,
    ...wrong,
    change: bob({ statement }),
  })),

  // his signature
  {
    name: "another key in bob's place",
    link: "parties",
    code: "signature_invalid",
    change: shown((part, sts) => ({
      ...part,
      sts: sts.map((one) => ({ ...one, key: { jwk: CAROL.keys[0]?.key ?? one.key.jwk } })),
    })),
  },
  {
    name: "bob's statement signed by carol",
    link: "parties",
    code: "key_not_enrolled",
    change: bob({ ...(CAROL.keys[0] === undefined ? {} : { signedBy: CAROL.keys[0] }) }),
  },
  {
    name: "the first one's signature under bob's statement",
    link: "parties",
    code: "key_not_enrolled",
    change: shown((part, sts) => ({ ...part, sts: sts.map((one) => ({ ...one, sig: part.sig })) })),
  },

  // his key
  {
    name: "bob's key is not pinned",
    ...unaccepted,
    change: trusting(({ owner: id }) => id !== BOB.id),
  },
  {
    name: "the first one's key is not pinned, whoever else signed",
    ...unaccepted,
    change: {
      ...trusting(({ owner: id }) => id === BOB.id || id === CAROL.id),
      parties: { ...TWO_OF_THREE, signed: [{ by: BOB }, { by: CAROL }] },
    },
  },
  {
    name: "bob's key is pinned for carol",
    ...unaccepted,
    change: {
      parties: TWO_OF_THREE,
      trust: (domain) => ({
        ...domain,
        ownerPins: domain.ownerPins.map((pin) =>
          pin.owner === BOB.id ? { ...pin, owner: CAROL.id } : pin,
        ),
      }),
    },
  },
  {
    name: "bob's key was removed",
    ...unaccepted,
    change: {
      parties: TWO_OF_THREE,
      trust: (domain) => ({
        ...domain,
        bundle: {
          ...domain.bundle,
          removedOwnerKeys: BOB.keys.map((one) => thumbprint(c, one.key)),
        },
      }),
    },
  },
];
