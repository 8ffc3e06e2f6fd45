import { nodeCrypto as c, nodeRandom } from "../../../node/src/crypto.ts";
import { utf8 } from "../bytes.ts";
import type { CredentialStatement, Statement } from "../consent/statement.ts";
import type { Bundle } from "../credential/bundle.ts";
import type { Credential } from "../credential/issue.ts";
import { signCheckpoint } from "../transparency/checkpoint.ts";
import { cosign } from "../transparency/cosignature.ts";
import { formPayload, makeLeaf } from "../transparency/leaf.ts";
import type { LeafDraft } from "../transparency/leaf.ts";
import { writeTlogProof } from "../transparency/tlog-proof.ts";
import { leafHash, MerkleTree } from "../transparency/tree.ts";
import { NOW } from "./story.testing.ts";
import type { StoryKeys, StoryOptions } from "./story.testing.ts";

/** The leaf of this issue among others, and its proof under a checkpoint. */
export async function logIssue(
  options: StoryOptions,
  origin: string,
  keys: StoryKeys,
  statement: Statement<CredentialStatement>,
  credential: Credential,
): Promise<Pick<Bundle["credential"], "leaf" | "salts" | "proof">> {
  const salts = { wit: nodeRandom(16), x509: nodeRandom(16) };
  const [certificate = new Uint8Array(0)] = credential.chain;
  const draft: LeafDraft = {
    type: "credential.issued",
    t: NOW - 30,
    actor: "server",
    record: { v: 1, agent: statement.body.agent.id },
    recordSalt: nodeRandom(16),
    forms: [
      { salt: salts.wit, payload: formPayload(c, statement.cs, utf8(credential.wit)) },
      { salt: salts.x509, payload: formPayload(c, statement.cs, certificate) },
    ],
  };
  const { leaf } = makeLeaf(c, options.leaf?.(draft) ?? draft);
  const tree = new MerkleTree(c);
  for (const entry of ["before", leaf, "after"])
    tree.append(leafHash(c, typeof entry === "string" ? utf8(entry) : entry));
  const head = { origin, size: tree.size, root: tree.root() };
  let checkpoint = await signCheckpoint(c, head, options.checkpointBy ?? keys.log);
  const signed = checkpoint;
  for (const [i, witness] of keys.witnesses.entries())
    if ((options.cosignedBy ?? [0, 1]).includes(i))
      checkpoint += await cosign(c, signed, `witness.example/${i}`, NOW - 29, witness);
  return {
    leaf,
    salts,
    proof: writeTlogProof({ index: 1, proof: tree.inclusionProof(1), checkpoint }),
  };
}
