import { owned, ownerId, tampered, unbound } from "./mutation.testing.ts";
import type { Mutation, Owned } from "./mutation.testing.ts";
import { NOW, strangerJwk, strangerKey } from "./story.testing.ts";

const DAY = 86_400;
const other = strangerKey("Ed25519");

/** Both forms of the credential, and the owner that they name. */
export const CREDENTIAL_MUTATIONS: readonly Mutation[] = [
  // wit
  {
    name: "a token whose signature was changed",
    link: "wit",
    code: "invalid_signature",
    change: { presented: (p) => ({ ...p, wit: tampered(p.wit) }) },
  },
  {
    name: "a token of a trust domain that is not configured",
    link: "wit",
    code: "unknown_trust_domain",
    mix: () => ({ trust: new Map() }),
  },
  {
    name: "a token of the same name from other keys",
    link: "wit",
    code: "unknown_key",
    mix: (_own, stranger) => ({ trust: stranger.trust }),
  },
  { name: "a token at its end", link: "wit", code: "expired", now: NOW + 600 + 60 },
  { name: "a token before its time", link: "wit", code: "not_yet_valid", now: NOW - 121 },
  {
    name: "a trust bundle that is over",
    link: "wit",
    code: "indeterminate",
    change: {
      trust: (domain) => ({ ...domain, bundle: { ...domain.bundle, exp: NOW - 61 } }),
    },
  },

  // development
  {
    name: "a development trust domain that is not allowed",
    link: "development",
    code: "development_refused",
    change: { trustDomain: "k3x9.dev.invalid" },
  },

  // wic
  {
    name: "a certificate of another hierarchy",
    link: "wic",
    code: "untrusted_chain",
    mix: ({ presented }, { credential }) => ({
      presented: { ...presented, chain: credential.chain },
    }),
  },
  {
    name: "an empty chain",
    link: "wic",
    code: "untrusted_chain",
    change: { presented: (p) => ({ ...p, chain: [] }) },
  },
  {
    name: "a certificate without its issuing CA",
    link: "wic",
    code: "untrusted_chain",
    change: { presented: (p) => ({ ...p, chain: (p.chain ?? []).slice(0, 1) }) },
  },

  {
    name: "a certificate of a TLS handshake that is none",
    link: "wic",
    code: "malformed_certificate",
    change: { presented: ({ chain: _chain, ...p }) => ({ ...p, tlsLeaf: new Uint8Array(1) }) },
  },
  {
    name: "the CA's certificate in a TLS handshake",
    link: "wic",
    code: "invalid_identifier",
    change: {
      presented: ({ chain: [, issuing = new Uint8Array()] = [], ...p }) => ({
        ...p,
        tlsLeaf: issuing,
      }),
    },
  },

  // forms
  {
    name: "a certificate of a TLS handshake for another key",
    link: "forms",
    code: "forms_differ",
    change: {
      certificate: (d) => ({ ...d, key: strangerJwk() }),
      presented: ({ chain: [leaf = new Uint8Array()] = [], ...p }) => ({ ...p, tlsLeaf: leaf }),
    },
  },
  {
    name: "a certificate for another agent",
    link: "forms",
    code: "forms_differ",
    change: {
      certificate: (d) => ({ ...d, agent: "spiffe://example.org/agent/other/0011223344556677" }),
    },
  },
  {
    name: "a certificate for another key",
    link: "forms",
    code: "forms_differ",
    change: { certificate: (d) => ({ ...d, key: strangerJwk() }) },
  },
  {
    name: "a certificate with another end",
    link: "forms",
    code: "forms_differ",
    change: { certificate: (d) => ({ ...d, exp: d.exp + 1 }) },
  },
  {
    name: "a certificate without owner",
    link: "forms",
    code: "forms_differ",
    change: { certificate: unbound },
  },
  {
    name: "a certificate with an owner that the token does not name",
    link: "forms",
    code: "forms_differ",
    change: {
      draft: unbound,
      certificate: (d) => ({
        ...d,
        owner: {
          n: 1,
          grant: {
            cs: `sha-256:${"A".repeat(43)}`,
            ownerKey: other.key,
            ownerKind: "person",
            basis: "admin",
            assurance: 2,
            model: "server",
            statement: {
              owner: { id: "urn:agent-owner:example.org:alice-0001", jkt: "" },
              grant: { exp: NOW + DAY },
            } as unknown as Owned["grant"]["statement"], // only these members stand in a credential
          },
        },
      }),
    },
  },
  {
    name: "a certificate of another owner",
    link: "forms",
    code: "forms_differ",
    change: { certificate: ownerId("urn:agent-owner:example.org:mallory-01") },
  },
  {
    name: "a certificate of another owner key",
    link: "forms",
    code: "forms_differ",
    change: { certificate: owned(() => ({ ownerKey: other.key })) },
  },
  {
    name: "a certificate of another approval",
    link: "forms",
    code: "forms_differ",
    change: { certificate: owned(() => ({ cs: `sha-256:${"A".repeat(43)}` })) },
  },
  {
    name: "a certificate of another assurance",
    link: "forms",
    code: "forms_differ",
    change: { certificate: owned(() => ({ assurance: 4 })) },
  },

  // owner-claim
  {
    name: "a credential without owner",
    link: "owner-claim",
    code: "owner_missing",
    change: { draft: unbound },
  },
  {
    name: "a credential without owner, where the claim alone is demanded",
    link: "owner-claim",
    code: "owner_missing",
    change: { draft: unbound },
    demand: { proof: "claimed" },
  },
];
