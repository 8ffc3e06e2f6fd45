import { nodeCrypto as c } from "../../../node/src/crypto.ts";
import { base64 } from "../bytes.ts";
import { compareParties } from "../consent/parties.ts";
import type { Parties, Party } from "../consent/parties.ts";
import { CONSENT_NAMESPACE, makeSshsig } from "../consent/ssh/sshsig.ts";
import type { CredentialStatement } from "../consent/statement.ts";
import type { ApprovalPart, OwnerApproval } from "../credential/bundle.ts";
import type { Signer } from "../crypto.ts";
import { thumbprint } from "../jose/jwk.ts";
import { canonicalBytes } from "../json/canonical.ts";
import type { OwnerPin } from "./trust.ts";

/** An owner beside the story's, with every key that is listed for him. */
export interface OwnerDraft {
  readonly id: string;
  readonly keys: readonly Signer[];
}

/** What one of them signed; what is absent is as the rules have it. */
export interface OtherDraft {
  readonly by: OwnerDraft;
  /** Default: the first of his keys. */
  readonly key?: Signer;
  /** Who signs in his place. */
  readonly signedBy?: Signer;
  readonly statement?: (body: CredentialStatement) => CredentialStatement;
}

/** Several owners of one story. */
export interface PartiesDraft {
  readonly m: number;
  readonly listed: readonly OwnerDraft[];
  readonly signed: readonly OtherDraft[];
}

const rowsOf = ({ id, keys }: OwnerDraft): readonly Party[] =>
  keys.map(({ key }) => ({ id, jkt: thumbprint(c, key) }));

/** The parties of the statement: the story's owner, and those of the draft. */
export function partiesOf({ m, listed }: PartiesDraft, owner: Party): Parties {
  return { m, owners: [owner, ...listed.flatMap(rowsOf)].toSorted(compareParties) };
}

async function signOther(
  { by, key = by.keys[0], signedBy, statement }: OtherDraft,
  first: CredentialStatement,
  i: number,
): Promise<OwnerApproval> {
  if (key === undefined) throw new TypeError("an owner has a key");
  const plain: CredentialStatement = {
    ...first,
    jti: `01J5ZK6Q0V7M3N8P2R4T6W8Y1${i}`,
    owner: { id: by.id, jkt: thumbprint(c, key.key) },
  };
  // not by `writeStatement`: what is no statement is for the verifier to refuse
  const st = canonicalBytes(statement?.(plain) ?? plain);
  const s = base64(await makeSshsig(c, signedBy ?? key, CONSENT_NAMESPACE, st));
  return { st, sig: { k: "sshsig", s }, key: { jwk: key.key } };
}

/** What the others signed, as it stands in the approval part. */
export async function signOthers(
  draft: PartiesDraft | undefined,
  first: CredentialStatement,
): Promise<Pick<ApprovalPart, "sts">> {
  if (draft === undefined || draft.signed.length === 0) return {};
  return { sts: await Promise.all(draft.signed.map((other, i) => signOther(other, first, i))) };
}

/** Pins for every key of the others. */
export function pinsOf(draft: PartiesDraft | undefined): readonly OwnerPin[] {
  return (draft?.listed ?? []).flatMap(rowsOf).map(({ id, jkt }) => ({ jkt, owner: id }));
}
