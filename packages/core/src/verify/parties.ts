import { assuranceOf } from "../consent/approval.ts";
import { verifyParties } from "../consent/quorum.ts";
import { Refusal } from "../refusal.ts";
import { acceptanceOf } from "./acceptance.ts";
import type { Acceptance, AcceptedParty, Examination, OtherApproval } from "./examination.ts";

/** That as many owners signed the same as the statement demands; their keys are judged by `checkAccepted`. */
export async function checkParties(x: Examination): Promise<void> {
  const { sts = [] } = x.found("part");
  const pages = x.found("domain").bundle.consent;
  const [, ...approvals] = await verifyParties(x.c, x.found("approval"), sts, { pages });
  const others: OtherApproval[] = [];
  for (const [i, part] of sts.entries()) {
    const approval = approvals[i];
    if (approval !== undefined) others.push({ part, approval });
  }
  x.keep("others", others);
}

/** What one owner's signature proves by a key that is accepted. @throws Refusal as `acceptanceOf` */
async function judge(
  x: Examination,
): Promise<{ readonly party: AcceptedParty; readonly acceptance: Acceptance }> {
  const acceptance = await acceptanceOf(x);
  const proved = assuranceOf(x.found("approval").facts, acceptance.kind, acceptance.isAttested);
  const { id, jkt } = x.found("consent").owner;
  const oa = Math.min(proved, acceptance.assurance ?? proved);
  return { party: { id, jkt, oa, vouchedBy: acceptance.vouchedBy }, acceptance };
}

/** As `judge`; undefined where the key is none that is accepted here. */
async function judgeOther(x: Examination): Promise<AcceptedParty | undefined> {
  try {
    return (await judge(x)).party;
  } catch (error) {
    if (error instanceof Refusal && error.code === "owner_key_unaccepted") return undefined;
    throw error;
  }
}

/**
 * That the key of the owner whom the credential names is accepted, and as many others' as the statement demands. What
 * is proved is what the weakest of the strongest so many proves: the m-th highest assurance.
 */
export async function checkAccepted(x: Examination): Promise<void> {
  const { party, acceptance } = await judge(x);
  const accepted = [party];
  for (const one of x.found("others")) {
    const other = await judgeOther(x.of(one));
    if (other !== undefined) accepted.push(other);
  }
  const { parties } = x.found("consent").grant;
  const m = parties?.m ?? 1;
  if (accepted.length < m)
    throw new Refusal("owner_key_unaccepted", `${accepted.length} of ${m} owners' keys`);
  const proved = accepted.map(({ oa }) => oa).toSorted((a, b) => b - a)[m - 1] ?? 0;
  x.keep("acceptance", acceptance);
  if (parties !== undefined) x.keep("accepted", accepted);
  x.keep("assurance", Math.min(x.found("wit").owner?.oa ?? 0, proved));
}
