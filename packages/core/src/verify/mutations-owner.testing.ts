import { base64, fromBase64 } from "../bytes.ts";
import { agentId, entryId } from "../identifier/workload.ts";
import { approvalOf, flipped, owned, ownerId, tampered } from "./mutation.testing.ts";
import type { Mutation } from "./mutation.testing.ts";
import { NOW, strangerKey } from "./story.testing.ts";
import type { Story, StoryOptions } from "./story.testing.ts";

const other = strangerKey("Ed25519");

/** What only a statement that was signed beforehand may be. */
export const SIGNED_BEFOREHAND = [
  ["a ceremony of 7 d", (body) => ({ ...body, iat: NOW - 86_400, exp: NOW + 6 * 86_400 })],
  ["a nonce of 64 octets", (body) => ({ ...body, nonce: "A".repeat(86) })],
  ["a nonce of 8 octets", (body) => ({ ...body, nonce: "A".repeat(11) })],
] as const satisfies readonly (readonly [string, StoryOptions["statement"]])[];

/** What the owner signed, and what leads from there to the credential's key. */
export const OWNER_MUTATIONS: readonly Mutation[] = [
  // evidence
  {
    name: "no approval shown",
    link: "evidence",
    code: "owner_evidence_needed",
    mix: ({ presented: { approval: _none, ...presented } }) => ({ presented }),
  },

  // statement
  {
    name: "a statement that the credential does not name",
    link: "statement",
    code: "owner_claim",
    mix: ({ presented }, stranger) => ({
      presented: { ...presented, approval: approvalOf(stranger.presented) },
    }),
  },
  {
    name: "a statement with one octet changed",
    link: "statement",
    code: "statement_invalid",
    change: {
      presented: (p) => {
        const approval = approvalOf(p);
        return { ...p, approval: { ...approval, st: flipped(approval.st, 0) } };
      },
    },
  },
  {
    name: "a denial",
    link: "statement",
    code: "statement_invalid",
    change: { statement: (body) => ({ ...body, decision: "deny" }) },
  },
  ...(["server", "owner"] as const).flatMap((model): readonly Mutation[] =>
    SIGNED_BEFOREHAND.map(([what, statement]) => ({
      name: `${what}, in a credential of model ${model}`,
      link: "statement",
      code: "statement_invalid",
      change: { preSigned: true, statement, draft: owned(() => ({ model })) },
    })),
  ),

  // audience
  {
    name: "an approval for another server",
    link: "audience",
    code: "statement_invalid",
    change: { statement: (body) => ({ ...body, aud: "https://id.example.com" }) },
  },

  // owner-key
  {
    name: "another key in the bundle",
    link: "owner-key",
    code: "signature_invalid",
    change: {
      presented: (p) => ({ ...p, approval: { ...approvalOf(p), key: { jwk: other.key } } }),
    },
  },
  {
    name: "a claim that names another owner than the statement",
    link: "owner-key",
    code: "owner_claim",
    change: { draft: ownerId("urn:agent-owner:example.org:mallory-01") },
  },
  {
    name: "a claim that names another key than the statement",
    link: "owner-key",
    code: "owner_claim",
    change: { draft: owned(() => ({ ownerKey: other.key })) },
  },

  // owner-signature
  {
    name: "a signature by another key",
    link: "owner-signature",
    code: "key_not_enrolled",
    change: { signedBy: other },
  },
  {
    name: "a signature made for something else",
    link: "owner-signature",
    code: "namespace_mismatch",
    change: { namespace: "git" },
  },
  {
    name: "an assertion made at a page that the trust bundle does not name",
    link: "owner-signature",
    code: "origin_mismatch",
    change: { webauthn: { client: { origin: "https://id.example.org.evil.test" } } },
  },
  {
    name: "an assertion for an RP ID that the trust bundle does not name",
    link: "owner-signature",
    code: "origin_mismatch",
    change: { webauthn: { rpId: "example.org" } },
  },
  {
    name: "an assertion without user verification",
    link: "owner-signature",
    code: "user_not_verified",
    change: { webauthn: { flags: 0x01 } },
  },
  {
    name: "an assertion by a software key, whose pin names no RP ID",
    link: "owner-accepted",
    code: "owner_key_unaccepted",
    change: {
      webauthn: {},
      trust: (domain) => ({
        ...domain,
        ownerPins: domain.ownerPins.map(({ app: _none, ...pin }) => pin),
      }),
    },
  },
  {
    name: "a signature with one octet changed",
    link: "owner-signature",
    code: "signature_invalid",
    change: {
      presented: (p) => {
        const approval = approvalOf(p);
        const blob = fromBase64(approval.sig.s);
        const s = base64(flipped(blob, blob.length - 1));
        return { ...p, approval: { ...approval, sig: { k: "sshsig", s } } };
      },
    },
  },
  {
    name: "a signature of another statement of the same owner",
    link: "owner-signature",
    code: "signature_invalid",
    mix: ({ presented }, stranger) => ({
      presented: {
        ...presented,
        approval: { ...approvalOf(presented), sig: approvalOf(stranger.presented).sig },
      },
    }),
    change: { owner: other },
  },
  {
    name: "a view that nobody here can show",
    link: "owner-signature",
    code: "approval_unsuitable",
    change: {
      statement: (body) => ({ ...body, view: { ...body.view, d: `sha-256:${"A".repeat(43)}` } }),
    },
  },

  // agent
  {
    name: "a credential of another agent than the one approved",
    link: "agent",
    code: "statement_invalid",
    change: {
      draft: (d) => ({
        ...d,
        agent: agentId(entryId("example.org", "other"), "A".repeat(43)),
      }),
    },
  },
  {
    name: "an agent id that is not of the approved installation",
    link: "agent",
    code: "statement_invalid",
    change: {
      statement: (body) => ({ ...body, agent: { ...body.agent, jkt: "A".repeat(43) } }),
    },
  },

  // endorsement
  {
    name: "no endorsement",
    link: "endorsement",
    code: "endorsement_missing",
    mix: ({ presented: { endorsement: _none, ...presented } }) => ({ presented }),
  },
  {
    name: "an endorsement by another installation",
    link: "endorsement",
    code: "endorsement_invalid",
    change: { endorsedBy: strangerKey() },
  },
  {
    name: "an endorsement whose signature was changed",
    link: "endorsement",
    code: "invalid_signature",
    change: { presented: (p) => ({ ...p, endorsement: tampered(p.endorsement ?? "") }) },
  },
  ...(
    [
      ["another approval", (c) => ({ ...c, cs: `sha-256:${"A".repeat(43)}` })],
      ["no approval", ({ cs: _none, ...c }) => c],
      ["another agent", (c) => ({ ...c, sub: `${c.sub.slice(0, -16)}0011223344556677` })],
      ["another key", (c) => ({ ...c, jkt: "A".repeat(43) })],
      ["another server", (c) => ({ ...c, aud: "https://id.example.com" })],
      ["a later issue", (c) => ({ ...c, iat: NOW + 31 })],
      ["a shorter life", (c) => ({ ...c, exp: NOW + 599 })],
    ] as const satisfies readonly (readonly [string, StoryOptions["endorsement"]])[]
  ).map(([what, endorsement]): Mutation => ({
    name: `an endorsement for ${what}`,
    link: "endorsement",
    code: "endorsement_invalid",
    change: { endorsement },
  })),

  // grant
  ...(
    [
      ["a grant that begins later", (g) => ({ ...g, nbf: NOW + 31 })],
      ["a grant that ends before the credential", (g) => ({ ...g, exp: NOW + 599 })],
      ["a credential that lives longer than each may", (g) => ({ ...g, max_ttl: 629 })],
    ] as const satisfies readonly (readonly [
      string,
      (grant: Story["statement"]["body"]["grant"]) => Story["statement"]["body"]["grant"],
    ])[]
  ).map(([name, change]): Mutation => ({
    name,
    link: "grant",
    code: "outside_grant",
    change: { statement: (body) => ({ ...body, grant: change(body.grant) }) },
  })),
  {
    name: "a credential issued before the owner was asked",
    link: "grant",
    code: "outside_grant",
    change: { statement: (body) => ({ ...body, iat: NOW + 31 }) },
  },
  {
    name: "more credentials than were approved",
    link: "grant",
    code: "outside_grant",
    change: { draft: owned(() => ({}), 1001) },
  },
  {
    name: "a claim with another end of the grant",
    link: "grant",
    code: "owner_claim",
    change: {
      draft: owned(({ grant: { statement } }) => ({
        statement: { ...statement, grant: { ...statement.grant, exp: statement.grant.exp + 1 } },
      })),
    },
  },

  // owner-accepted
  {
    name: "an owner key that nobody pinned",
    link: "owner-accepted",
    code: "owner_key_unaccepted",
    change: { trust: (domain) => ({ ...domain, ownerPins: [] }) },
  },
  {
    name: "a key that is pinned for another owner",
    link: "owner-accepted",
    code: "owner_key_unaccepted",
    change: {
      trust: (domain) => ({
        ...domain,
        ownerPins: domain.ownerPins.map((pin) => ({
          ...pin,
          owner: "urn:agent-owner:example.org:mallory-01",
        })),
      }),
    },
  },
  {
    name: "a key that is pinned for another application",
    link: "owner-accepted",
    code: "owner_key_unaccepted",
    change: {
      trust: (domain) => ({
        ...domain,
        ownerPins: domain.ownerPins.map((pin) => ({ ...pin, app: "ssh:" })),
      }),
    },
  },
  {
    name: "a key that is pinned, and was removed",
    link: "owner-accepted",
    code: "owner_key_unaccepted",
    change: {
      trust: (domain) => ({
        ...domain,
        bundle: { ...domain.bundle, removedOwnerKeys: domain.ownerPins.map(({ jkt }) => jkt) },
      }),
    },
  },
  {
    name: "a removed key, whatever the server says",
    link: "owner-accepted",
    code: "owner_key_unaccepted",
    change: {
      trust: (domain) => ({
        ...domain,
        insecureAcceptServerEnrolment: true,
        bundle: { ...domain.bundle, removedOwnerKeys: domain.ownerPins.map(({ jkt }) => jkt) },
      }),
    },
  },

  // ceiling
  {
    name: "a service that the approval does not reach",
    link: "ceiling",
    code: "outside_ceiling",
    demand: { resource: "https://mail.example.com.evil.example" },
  },
];
