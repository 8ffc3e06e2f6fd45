import { flipped, loggedOf } from "./mutation.testing.ts";
import type { Mutation } from "./mutation.testing.ts";
import { strangerKey } from "./story.testing.ts";
import type { Story } from "./story.testing.ts";

function witnessesOf({ domain }: Story): Pick<Story["domain"], "witnesses"> {
  return domain.witnesses === undefined ? {} : { witnesses: domain.witnesses };
}

/** That the issue stands in the log, and that others saw the same log. */
export const LOG_MUTATIONS: readonly Mutation[] = [
  // leaf
  {
    name: "no log part",
    link: "leaf",
    code: "owner_evidence_needed",
    mix: ({ presented: { logged: _none, ...presented } }) => ({ presented }),
  },
  {
    name: "a leaf of another event",
    link: "leaf",
    code: "log_proof_invalid",
    change: {
      leaf: ({ forms: _none, ...draft }) => ({
        ...draft,
        type: "approval.approved",
        actor: "owner",
      }),
    },
  },
  {
    name: "a leaf of another token",
    link: "leaf",
    code: "log_proof_invalid",
    mix: ({ presented }, stranger) => ({
      presented: { ...presented, logged: loggedOf(stranger.presented) },
    }),
  },
  {
    name: "a log part that says it is of another credential",
    link: "leaf",
    code: "log_proof_invalid",
    change: { presented: (p) => ({ ...p, logged: { ...loggedOf(p), jti: "A".repeat(22) } }) },
  },
  {
    name: "a log part that says it is of another approval",
    link: "leaf",
    code: "log_proof_invalid",
    change: {
      presented: (p) => ({ ...p, logged: { ...loggedOf(p), cs: `sha-256:${"A".repeat(43)}` } }),
    },
  },
  {
    name: "another salt for the token",
    link: "leaf",
    code: "log_proof_invalid",
    change: {
      presented: (p) => {
        const logged = loggedOf(p);
        return { ...p, logged: { ...logged, salts: { ...logged.salts, wit: logged.salts.x509 } } };
      },
    },
  },
  {
    name: "another salt for the certificate",
    link: "leaf",
    code: "log_proof_invalid",
    change: {
      presented: (p) => {
        const logged = loggedOf(p);
        return { ...p, logged: { ...logged, salts: { ...logged.salts, x509: logged.salts.wit } } };
      },
    },
  },
  {
    name: "a leaf that is not JSON",
    link: "leaf",
    code: "log_proof_invalid",
    change: {
      presented: (p) => ({ ...p, logged: { ...loggedOf(p), leaf: flipped(loggedOf(p).leaf, 0) } }),
    },
  },

  // inclusion
  {
    name: "a checkpoint of another log",
    link: "inclusion",
    code: "checkpoint_invalid",
    change: { checkpointBy: strangerKey("Ed25519") },
  },
  {
    name: "a proof for another place in the log",
    link: "inclusion",
    code: "log_proof_invalid",
    change: {
      presented: (p) => ({
        ...p,
        logged: { ...loggedOf(p), proof: loggedOf(p).proof.replace("index 1", "index 2") },
      }),
    },
  },

  // witnessed
  {
    name: "one witness where two are demanded",
    link: "witnessed",
    code: "witnesses_missing",
    change: { cosignedBy: [1] },
  },
  {
    name: "no witness",
    link: "witnessed",
    code: "witnesses_missing",
    change: { cosignedBy: [] },
  },
  {
    name: "one witness whose cosignature stands there twice",
    link: "witnessed",
    code: "witnesses_missing",
    change: {
      cosignedBy: [0],
      presented: (p) => {
        const logged = loggedOf(p);
        const line = logged.proof.slice(logged.proof.lastIndexOf("—"));
        return { ...p, logged: { ...logged, proof: logged.proof + line } };
      },
    },
  },
  {
    name: "a cosignature of another checkpoint",
    link: "witnessed",
    code: "checkpoint_invalid",
    mix: ({ presented, domain }, stranger) => {
      const lineOf = (proof: string): string => proof.slice(proof.lastIndexOf("— witness"));
      const [own, foreign] = [loggedOf(presented).proof, loggedOf(stranger.presented).proof];
      const proof = own.replace(lineOf(own), lineOf(foreign));
      const { vkeys } = stranger.domain.witnesses ?? { vkeys: [] };
      const trusted = { ...domain, witnesses: { vkeys, threshold: 1 } };
      return {
        presented: { ...presented, logged: { ...loggedOf(presented), proof } },
        trust: new Map([[domain.origin, trusted]]),
      };
    },
  },
  {
    name: "witnesses that nobody knows",
    link: "witnessed",
    code: "witnesses_missing",
    mix: ({ domain }, stranger) => ({
      trust: new Map([[domain.origin, { ...domain, ...witnessesOf(stranger) }]]),
    }),
  },
];
