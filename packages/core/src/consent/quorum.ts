import type { Bytes, Crypto } from "../crypto.ts";
import { equalBytes } from "../bytes.ts";
import { canonicalBytes } from "../json/canonical.ts";
import { Refusal } from "../refusal.ts";
import { verifyApproval } from "./approval.ts";
import type { Approval, ApprovalOptions } from "./approval.ts";
import type { OwnerPublicKey, OwnerSignature } from "./owner-signature.ts";
import { isCredentialStatement, readStatement } from "./statement.ts";
import type { CredentialStatement, Statement } from "./statement.ts";

/** A statement as one owner signed it. */
export interface SignedStatement {
  readonly st: Bytes;
  readonly sig: OwnerSignature;
  readonly key: OwnerPublicKey;
}

const no = (why: string): never => {
  throw new Refusal("statement_invalid", why);
};

/** Whether two statements say the same, but for who signs and the number that each has of its own. */
export function isSameConsent(
  a: Statement<CredentialStatement>,
  b: Statement<CredentialStatement>,
): boolean {
  const { owner, jti } = b.body;
  return equalBytes(canonicalBytes({ ...a.body, owner, jti }), b.bytes);
}

/**
 * Verifies that as many owners have signed as a statement demands: the one whose approval was verified, and these others
 * (formats.md 3). Each statement is judged whole: it says the same as the first outside `owner` and `jti`, it has a
 * number of its own, and no owner signs twice, with whichever of his keys. That each is among the parties is a rule of
 * the statement itself. Which keys are accepted is for the caller.
 * @returns every approval, the first one first
 * @throws Refusal `quorum_unmet`, `statement_invalid`, and as `verifyApproval`
 */
export async function verifyParties(
  c: Crypto,
  first: Approval,
  others: readonly SignedStatement[],
  options: ApprovalOptions = {},
): Promise<readonly Approval[]> {
  const { parties } = first.statement.body.grant;
  if (parties === undefined) {
    if (others.length > 0) no("others signed what takes one owner");
    return [first];
  }
  if (others.length + 1 < parties.m)
    throw new Refusal("quorum_unmet", `${others.length + 1} of ${parties.m} signed`);
  const approvals = [first];
  for (const { st, sig, key } of others) {
    const statement = readStatement(c, st);
    if (!isCredentialStatement(statement) || !isSameConsent(first.statement, statement))
      return no("an owner signed something else");
    const { owner, jti } = statement.body;
    if (approvals.some(({ statement: { body } }) => body.owner.id === owner.id))
      no("an owner signed twice");
    if (approvals.some(({ statement: { body } }) => body.jti === jti)) no("jti stands twice");
    approvals.push(await verifyApproval(c, statement, sig, key, options));
  }
  return approvals;
}
