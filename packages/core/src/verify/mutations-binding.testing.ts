import { base64url } from "../bytes.ts";
import { writeStatement } from "../consent/statement.ts";
import { agentId, entryId } from "../identifier/workload.ts";
import { thumbprint } from "../jose/jwk.ts";
import { spkiOf } from "../x509/spki.ts";
import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { approvalOf, owned } from "./mutation.testing.ts";
import type { Mutation } from "./mutation.testing.ts";
import type { Presented } from "./examination.ts";
import { NOW, strangerJwk, strangerKey } from "./story.testing.ts";

const other = strangerKey("Ed25519");
/** A second agent of the same owner, with an installation of its own. */
const second = { anchor: strangerKey(), name: entryId("example.org", "second") };
const secondId = agentId(second.name, thumbprint(c, second.anchor.key));

/** What a statement that adds a key says: signed by the same owner, and no approval of an agent. */
const KEY_STATEMENT = writeStatement(c, {
  typ: "agent-consent/1",
  kind: "key",
  decision: "approve",
  jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0B",
  aud: "https://id.example.org",
  td: "example.org",
  iat: NOW - 120,
  exp: NOW + 180,
  nonce: base64url(new Uint8Array(16)),
  owner: { id: "urn:agent-owner:example.org:alice-0001", jkt: thumbprint(c, other.key) },
  key: {
    op: "add",
    jkt: thumbprint(c, other.key),
    kind: "person",
    spki: base64url(spkiOf(other.key)),
  },
});

const withoutApproval = ({ approval: _none, ...presented }: Presented): Presented => presented;

/** One approval spliced onto another credential, keys put in the place of others, an owner stripped or added. */
export const BINDING_MUTATIONS: readonly Mutation[] = [
  // splicing: the owner's approval of one agent, shown for another
  {
    name: "B-4: an approval of one agent on a second agent of the same owner",
    link: "agent",
    code: "statement_invalid",
    change: {
      draft: (d) => ({ ...d, agent: secondId, key: strangerJwk() }),
      endorsedBy: second.anchor,
      endorsement: (claims) => ({ ...claims, sub: secondId }),
    },
  },
  {
    name: "B-3: an approval of one installation on a key that a second installation endorsed",
    link: "endorsement",
    code: "endorsement_invalid",
    change: { endorsedBy: second.anchor },
  },
  {
    name: "B-2: a key of the server's under a genuine approval and endorsement",
    link: "endorsement",
    code: "endorsement_invalid",
    change: { draft: (d) => ({ ...d, key: strangerJwk() }) },
  },
  {
    name: "B-5: a claim whose thumbprint is the owner's and whose key is not",
    link: "wit",
    code: "owner_claim",
    change: {
      claims: (claims) => ({
        ...claims,
        countersign_owner: { ...(claims["countersign_owner"] as object), jwk: other.key },
      }),
      binding: ({ ownerSpki: _none, ...binding }) => binding,
    },
  },
  {
    name: "B-5: an owner of another trust domain",
    link: "wit",
    code: "owner_claim",
    change: {
      claims: (claims) => ({
        ...claims,
        countersign_owner: {
          ...(claims["countersign_owner"] as object),
          id: "urn:agent-owner:example.com:alice-0001",
        },
      }),
    },
  },
  {
    name: "B-9: a statement of another kind by the same key",
    link: "statement",
    code: "statement_invalid",
    change: {
      draft: owned(() => ({ cs: KEY_STATEMENT.cs })),
      presented: (p) => ({ ...p, approval: { ...approvalOf(p), st: KEY_STATEMENT.bytes } }),
    },
  },

  // the approval in the certificate
  {
    name: "a certificate that carries another approval than is shown beside it",
    link: "evidence",
    code: "forms_differ",
    mix: (own, stranger) => ({
      presented: { ...own.presented, approval: approvalOf(stranger.presented) },
    }),
    change: { carried: (part) => part },
  },
  {
    name: "a certificate that carries another owner's signature, and nothing beside it",
    link: "owner-signature",
    code: "key_not_enrolled",
    change: { carried: (part) => part, signedBy: other, presented: withoutApproval },
  },
  {
    name: "a certificate that carries another statement, and nothing beside it",
    link: "statement",
    code: "owner_claim",
    change: {
      carried: (part) => ({ ...part, st: KEY_STATEMENT.bytes }),
      presented: withoutApproval,
    },
  },
  {
    name: "a certificate that carries what is no approval",
    link: "evidence",
    code: "malformed_json",
    change: {
      binding: (binding) => ({ ...binding, evidence: new Uint8Array(400) }),
      presented: withoutApproval,
    },
  },
  {
    name: "an approval in the certificate, and no endorsement",
    link: "endorsement",
    code: "owner_evidence_needed",
    change: { carried: (part) => part },
    mix: ({ presented: { approval: _a, endorsement: _e, ...presented } }) => ({ presented }),
  },

  // downgrade: one form says less, or something else, than the other
  {
    name: "B-16: a token that was stripped of the owner",
    link: "forms",
    code: "forms_differ",
    change: { claims: ({ countersign_owner: _none, ...claims }) => claims },
  },
  {
    name: "B-16: a certificate whose owner key is another one under the same thumbprint",
    link: "forms",
    code: "forms_differ",
    change: { binding: (binding) => ({ ...binding, ownerSpki: spkiOf(other.key) }) },
  },
  {
    name: "B-16: a certificate whose owner's thumbprint is another one beside the same key",
    link: "forms",
    code: "forms_differ",
    change: { binding: (binding) => ({ ...binding, ownerKey: thumbprint(c, other.key) }) },
  },
  {
    name: "B-16: a certificate whose assurance alone is higher",
    link: "forms",
    code: "forms_differ",
    change: { binding: (binding) => ({ ...binding, assurance: 4 }) },
  },
];
