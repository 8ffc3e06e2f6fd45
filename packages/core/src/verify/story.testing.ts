import {
  generateSigner,
  nodeCrypto as c,
  nodeRandom,
  randomName,
} from "../../../node/src/crypto.ts";
import { base64url } from "../bytes.ts";
import { writeStatement } from "../consent/statement.ts";
import type { CredentialStatement, OwnerKind, Statement } from "../consent/statement.ts";
import { VIEW_CREDENTIAL, VIEW_PARTIES } from "../consent/view.ts";
import type { ApprovalPart, Bundle } from "../credential/bundle.ts";
import { issueCredential } from "../credential/issue.ts";
import type { Credential, IssueParts } from "../credential/issue.ts";
import type { Crypto, Digest, Jwk, Seconds, Signer } from "../crypto.ts";
import { agentId, entryId, proxyId } from "../identifier/workload.ts";
import type { CredentialDraft } from "../issuance/decide.ts";
import { ENDORSEMENT } from "../issuance/endorsement.ts";
import type { EndorsementClaims } from "../issuance/endorsement.ts";
import { thumbprint } from "../jose/jwk.ts";
import { seal } from "../jose/signed.ts";
import type { Signed } from "../jose/signed.ts";
import type { JsonObject } from "../json/strict.ts";
import type { LeafDraft } from "../transparency/leaf.ts";
import { vkeyOf } from "../transparency/note.ts";
import { readTrustBundle, writeTrustBundle } from "../trust/bundle.ts";
import type { TrustBundle } from "../trust/bundle.ts";
import { parseCertificate } from "../x509/certificate.ts";
import type { OwnerBinding } from "../x509/owner-binding.ts";
import { buildIssuingCa, buildRoot } from "../x509/profiles.ts";
import { presentedOf } from "./examination.ts";
import type { Presented } from "./examination.ts";
import { appOf, pagesOf, signOwner } from "./owner-signs.testing.ts";
import type { OwnerSigns } from "./owner-signs.testing.ts";
import { pinsOf, partiesOf, signOthers } from "./parties.testing.ts";
import type { PartiesDraft } from "./parties.testing.ts";
import { rebound, rewritten } from "./rewritten.testing.ts";
import { logIssue } from "./story-log.testing.ts";
import type { DomainTrust, Trust } from "./trust.ts";

/** The second at which every story is true. */
export const NOW: Seconds = 1_800_000_000;
/** A service inside the ceiling of the story's approval. */
export const RESOURCE = "https://mail.example.com";
const DAY = 86_400;
const DIGEST: Digest = `sha-256:${"A".repeat(43)}`;

/**
 * One thing that is otherwise than in the true story. Every artifact made after it is consistent with the change, so
 * that a verifier which refuses saw exactly this.
 */
export interface StoryOptions extends OwnerSigns {
  /** Default `example.org`. */
  readonly trustDomain?: string;
  /** The owner's key; default Ed25519. */
  readonly owner?: Signer;
  readonly ownerKind?: OwnerKind;
  /** Signed before anybody asked (model `agent`). Default false. */
  readonly preSigned?: boolean;
  /** Several owners, of whom the story's is the one that the credential names; absent: he alone. */
  readonly parties?: PartiesDraft;
  readonly statement?: (body: CredentialStatement) => CredentialStatement;
  /** Who signs in the owner's place. */
  readonly signedBy?: Signer;
  /** The credential's own words: life, owner's claim, ordinal. */
  readonly draft?: (draft: CredentialDraft) => CredentialDraft;
  /** Makes the certificate from another draft than the token. */
  readonly certificate?: (draft: CredentialDraft) => CredentialDraft;
  /** The owner binding of the certificate alone, when everything else is made. */
  readonly binding?: (binding: OwnerBinding) => OwnerBinding;
  /** The approval part that the certificate carries; absent: none. */
  readonly carried?: (part: ApprovalPart) => ApprovalPart;
  /** The token's claims alone, as a server writes them that keeps no rule. */
  readonly claims?: (claims: JsonObject) => object;
  readonly endorsement?: (claims: EndorsementClaims) => EndorsementClaims;
  readonly endorsedBy?: Signer;
  readonly leaf?: (draft: LeafDraft) => LeafDraft;
  /** Who signs the checkpoint in the log's place. */
  readonly checkpointBy?: Signer;
  /** Which of the three witnesses cosign, from 0; default the first two. */
  readonly cosignedBy?: readonly number[];
  /** What the relying party decided. */
  readonly trust?: (domain: DomainTrust) => DomainTrust;
  /** What was shown, at the very end. */
  readonly presented?: (presented: Presented) => Presented;
}

export interface StoryKeys {
  readonly root: Signer;
  readonly issuing: Signer;
  readonly wit: Signer;
  readonly log: Signer;
  /** Three, of which two are demanded. */
  readonly witnesses: readonly Signer[];
  readonly owner: Signer;
  readonly anchor: Signer;
  /** The credential's: proofs are made with it. */
  readonly credential: Signer;
}

/** An agent whose owner approved it, with everything that a relying party is shown and trusts. */
export interface Story {
  readonly c: Crypto;
  readonly now: Seconds;
  readonly keys: StoryKeys;
  readonly agent: string;
  readonly statement: Statement<CredentialStatement>;
  readonly credential: Credential;
  readonly bundle: Bundle;
  readonly presented: Presented;
  readonly domain: DomainTrust;
  readonly trust: Trust;
}

function makeKeys(options: StoryOptions): StoryKeys {
  return {
    root: generateSigner(),
    issuing: generateSigner(),
    wit: generateSigner(),
    log: generateSigner("Ed25519"),
    witnesses: [0, 1, 2].map(() => generateSigner("Ed25519")),
    owner: options.owner ?? generateSigner("Ed25519"),
    anchor: generateSigner(),
    credential: generateSigner(),
  };
}

function bodyOf(td: string, keys: StoryKeys, draft: PartiesDraft | undefined): CredentialStatement {
  const jkt = thumbprint(c, keys.anchor.key);
  const owner = { id: `urn:agent-owner:${td}:alice-0001`, jkt: thumbprint(c, keys.owner.key) };
  const parties = draft === undefined ? {} : { parties: partiesOf(draft, owner) };
  return {
    typ: "agent-consent/1",
    kind: "credential",
    decision: "approve",
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0A",
    aud: `https://id.${td}`,
    td,
    iat: NOW - 120,
    exp: NOW + 180,
    nonce: base64url(nodeRandom(16)),
    owner,
    agent: {
      id: agentId(entryId(td, "mailer"), jkt),
      jkt,
      meas: [{ n: "binary", d: DIGEST }],
      host: proxyId(td, "laptop"),
    },
    req: DIGEST,
    grant: {
      use: "standing",
      nbf: NOW - 120,
      exp: NOW + DAY,
      max_ttl: 900,
      max_issue: 1000,
      max_live: 8,
      rekey: "endorsed",
      ceiling: [{ type: "http_api", locations: [`${RESOURCE}/`], actions: ["send"] }],
      ...parties,
    },
    view: draft === undefined ? VIEW_CREDENTIAL : VIEW_PARTIES,
  };
}

async function makeHierarchy(
  td: string,
  keys: StoryKeys,
): Promise<{ readonly root: Uint8Array; readonly ca: IssueParts["ca"] }> {
  const common = {
    notBefore: NOW - DAY,
    origin: `spiffe://${td}`,
    hierarchy: "agents",
    name: td,
  } as const;
  const rootDraft = { ...common, serial: nodeRandom(16), notAfter: NOW + 3650 * DAY };
  const root = await buildRoot(c, rootDraft, keys.root);
  const issuing = await buildIssuingCa(
    c,
    {
      ...common,
      serial: nodeRandom(16),
      notAfter: NOW + 30 * DAY,
      key: keys.issuing.key,
      issuer: parseCertificate(root),
    },
    keys.root,
  );
  return { root, ca: { signer: keys.issuing, certificate: parseCertificate(issuing) } };
}

async function issueBoth(
  options: StoryOptions,
  td: string,
  keys: StoryKeys,
  ca: IssueParts["ca"],
  statement: Statement<CredentialStatement>,
  carried: ApprovalPart | undefined,
): Promise<Credential & { readonly jti: string }> {
  const parts: IssueParts = {
    issuer: `https://id.${td}`,
    wit: keys.wit,
    ca,
    jti: randomName(),
    serial: nodeRandom(20),
    ...(carried === undefined ? {} : { carried }),
  };
  const kind = options.ownerKind ?? "person";
  const plain: CredentialDraft = {
    agent: statement.body.agent.id,
    key: keys.credential.key,
    iat: NOW - 30,
    exp: NOW + 600,
    owner: {
      n: 1,
      grant: {
        cs: statement.cs,
        statement: statement.body,
        ownerKey: keys.owner.key,
        ownerKind: kind,
        basis: "admin",
        assurance: kind === "person" ? 2 : 1,
        model: options.preSigned === true ? "agent" : "server",
      },
    },
  };
  const draft = options.draft?.(plain) ?? plain;
  const { wit, chain } = await issueCredential(c, draft, parts);
  const certificate = options.certificate?.(draft);
  const other =
    certificate === undefined ? chain : (await issueCredential(c, certificate, parts)).chain;
  return {
    wit: await rewritten(wit, keys.wit, options.claims),
    chain: await rebound(other, parts.ca, options.binding),
    jti: parts.jti,
  };
}

async function endorse(
  options: StoryOptions,
  keys: StoryKeys,
  statement: Statement<CredentialStatement>,
): Promise<Signed<EndorsementClaims>> {
  const claims: EndorsementClaims = {
    sub: statement.body.agent.id,
    aud: statement.body.aud,
    jkt: thumbprint(c, keys.credential.key),
    iat: NOW - 31,
    exp: NOW + 869,
    jti: randomName(),
    cs: statement.cs,
  };
  return seal(
    c,
    ENDORSEMENT,
    options.endorsement?.(claims) ?? claims,
    options.endorsedBy ?? keys.anchor,
  );
}

function trustBundleOf(td: string, keys: StoryKeys, root: Uint8Array): TrustBundle {
  const origin = `id.${td}/log`;
  const bundle: TrustBundle = {
    trustDomain: `spiffe://${td}`,
    issuer: `https://id.${td}`,
    sequence: 7,
    refreshHintSeconds: 300,
    witKeys: [
      {
        kid: thumbprint(c, keys.wit.key),
        key: keys.wit.key,
        nbf: NOW - DAY,
        exp: NOW + 30 * DAY,
      },
    ],
    roots: [root],
    log: { origin, vkey: vkeyOf(c, origin, keys.log.key) },
    consent: pagesOf(td),
    removedOwnerKeys: [],
    exp: NOW + 7 * DAY,
  };
  return readTrustBundle(writeTrustBundle(bundle), NOW);
}

/** One true story, or one with one thing changed. */
export async function makeStory(options: StoryOptions = {}): Promise<Story> {
  const td = options.trustDomain ?? "example.org";
  const keys = makeKeys(options);
  const plain = bodyOf(td, keys, options.parties);
  const form = { preSigned: options.preSigned === true };
  const statement = writeStatement(c, options.statement?.(plain) ?? plain, form);
  const sig = await signOwner(options, td, options.signedBy ?? keys.owner, statement.bytes);
  const app = appOf(options, td);
  const { root, ca } = await makeHierarchy(td, keys);
  const approval: ApprovalPart = {
    st: statement.bytes,
    sig,
    key: { jwk: keys.owner.key, ...app },
    ...(await signOthers(options.parties, statement.body)),
  };
  const carried = options.carried?.(approval);
  const { jti, ...credential } = await issueBoth(options, td, keys, ca, statement, carried);
  const endorsement = await endorse(options, keys, statement);
  const trustBundle = trustBundleOf(td, keys, root);
  const logged = await logIssue(options, trustBundle.log.origin, keys, statement, credential);
  const bundle: Bundle = {
    approval,
    credential: { jti, cs: statement.cs, end: endorsement.octets, ...logged },
  };
  const trusted: DomainTrust = {
    origin: `spiffe://${td}`,
    bundle: trustBundle,
    ownerPins: [
      { jkt: thumbprint(c, keys.owner.key), owner: statement.body.owner.id, ...app },
      ...pinsOf(options.parties),
    ],
    isInside: false,
    witnesses: {
      vkeys: keys.witnesses.map(({ key }, i) =>
        vkeyOf(c, `witness.example/${i}`, key, "cosignature"),
      ),
      threshold: 2,
    },
    insecureAcceptServerEnrolment: false,
    insecureAcceptDevelopment: false,
  };
  const domain = options.trust?.(trusted) ?? trusted;
  const shown = presentedOf(credential.wit, credential.chain, bundle);
  return {
    c,
    now: NOW,
    keys,
    agent: statement.body.agent.id,
    statement,
    credential,
    bundle,
    presented: options.presented?.(shown) ?? shown,
    domain,
    trust: new Map([[domain.origin, domain]]),
  };
}

/** A key nobody has seen. */
export function strangerKey(kind: "P-256" | "Ed25519" = "P-256"): Signer {
  return generateSigner(kind);
}

/** Public half of a key nobody has seen. */
export function strangerJwk(): Jwk {
  return generateSigner().key;
}
