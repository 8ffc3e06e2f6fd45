import { generateSigner, nodeCrypto as c, nodeRandom } from "../../../node/src/crypto.ts";
import type { Attestation } from "../attestation/attestation.ts";
import { base64url, fromBase64url } from "../bytes.ts";
import type { KeySignature } from "../consent/approval.ts";
import { writeStatement } from "../consent/statement.ts";
import type { KeyStatement, OwnerKind } from "../consent/statement.ts";
import type { EnrolmentStep } from "../credential/enrolment.ts";
import type { Signer } from "../crypto.ts";
import { thumbprint } from "../jose/jwk.ts";
import { signCheckpoint } from "../transparency/checkpoint.ts";
import { makeLeaf } from "../transparency/leaf.ts";
import type { LeafType } from "../transparency/leaf.ts";
import { writeTlogProof } from "../transparency/tlog-proof.ts";
import { leafHash, MerkleTree } from "../transparency/tree.ts";
import { spkiOf } from "../x509/spki.ts";
import { appOf, signOwner } from "./owner-signs.testing.ts";
import type { OwnerSigns } from "./owner-signs.testing.ts";
import { NOW } from "./story.testing.ts";
import type { Story } from "./story.testing.ts";

/** How one key was added; what is absent is as the rules have it. */
export interface StepDraft {
  readonly adds: Signer;
  readonly coSigners: readonly Signer[];
  readonly kind?: OwnerKind;
  /** How keys sign that are in hardware. */
  readonly signs?: ReadonlyMap<Signer, OwnerSigns>;
  readonly att?: Attestation;
  readonly statement?: (body: KeyStatement) => KeyStatement;
  /** Who signs as the new key. */
  readonly signedBy?: Signer;
  /** Shows that the statement is in the log. */
  readonly isLogged?: boolean;
  readonly loggedBy?: Signer;
  /** Default `key.added`. */
  readonly loggedAs?: LeafType;
}

export const ownerSigner = (): Signer => generateSigner("Ed25519");

function bodyOf({ statement }: Story, draft: StepDraft): KeyStatement {
  const { aud, td, owner } = statement.body;
  const jkt = thumbprint(c, draft.adds.key);
  const spki = base64url(spkiOf(draft.adds.key));
  const app = appOf(draft.signs?.get(draft.adds) ?? {}, td);
  return {
    typ: "agent-consent/1",
    kind: "key",
    decision: "approve",
    jti: "01J5ZK6Q0V7M3N8P2R4T6W8Y0B",
    aud,
    td,
    iat: NOW - 7200,
    exp: NOW - 3600,
    nonce: base64url(nodeRandom(16)),
    owner: { id: owner.id, jkt },
    key: { op: "add", jkt, kind: draft.kind ?? "person", spki, ...app },
  };
}

async function logged(
  story: Story,
  cs: string,
  by: Signer,
  type: LeafType,
): Promise<NonNullable<EnrolmentStep["logged"]>> {
  const salt = nodeRandom(16);
  const { leaf } = makeLeaf(c, {
    type,
    t: NOW - 7100,
    actor: "admin",
    record: { v: 1 },
    recordSalt: nodeRandom(16),
    forms: [{ salt, payload: fromBase64url(cs.slice("sha-256:".length)) }],
  });
  const tree = new MerkleTree(c);
  tree.append(leafHash(c, leaf));
  const { origin } = story.domain.bundle.log;
  const checkpoint = await signCheckpoint(c, { origin, size: 1, root: tree.root() }, by);
  return {
    leaf,
    salt,
    proof: writeTlogProof({ index: 0, proof: tree.inclusionProof(0), checkpoint }),
  };
}

/** One step of a chain to the story's owner. */
export async function makeStep(story: Story, draft: StepDraft): Promise<EnrolmentStep> {
  const plain = bodyOf(story, draft);
  const { bytes, cs } = writeStatement(c, draft.statement?.(plain) ?? plain);
  const { td } = plain;
  const sign = async (signer: Signer, key: Signer): Promise<KeySignature> => {
    const how = draft.signs?.get(key) ?? {};
    const signature = await signOwner(how, td, signer, bytes);
    return { signature, key: { jwk: key.key, ...appOf(how, td) } };
  };
  const sigs = [await sign(draft.signedBy ?? draft.adds, draft.adds)];
  for (const signer of draft.coSigners) sigs.push(await sign(signer, signer));
  const att = draft.att === undefined ? {} : { att: draft.att };
  if (draft.isLogged !== true) return { st: bytes, sigs, ...att };
  const { loggedBy = story.keys.log, loggedAs = "key.added" } = draft;
  return { st: bytes, sigs, ...att, logged: await logged(story, cs, loggedBy, loggedAs) };
}
