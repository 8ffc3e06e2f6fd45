import { readApprovalPart, withoutAttestations, writeApprovalPart } from "../credential/bundle.ts";
import type { ApprovalPart } from "../credential/bundle.ts";
import { canonicalJson } from "../json/canonical.ts";
import { parseJsonObject } from "../json/strict.ts";
import { Refusal } from "../refusal.ts";
import type { Examination } from "./examination.ts";

/** As much as an owner binding may be long (formats.md 2). */
const MAX_CARRIED_BYTES = 15_360;

/** What two verifiers must judge alike. Attestations go where there is room, and no certificate has it. */
const textOf = (part: ApprovalPart): string =>
  canonicalJson(writeApprovalPart(withoutAttestations(part)));

/**
 * The approval part, from the bundle or from the certificate. A certificate that carries another one than was shown
 * beside it is refused: a verifier of the one form would judge another approval than a verifier of the other.
 * @throws Refusal `owner_evidence_needed` where neither has one; `forms_differ`; `malformed_json`, `malformed_request`
 */
export function approvalShown(x: Examination): ApprovalPart {
  const shown = x.presented.approval;
  const octets = x.peek("certificate")?.leaf.ownerBinding?.evidence;
  if (octets === undefined) {
    if (shown === undefined) throw new Refusal("owner_evidence_needed", "no approval part");
    return shown;
  }
  const carried = readApprovalPart(
    parseJsonObject(octets, { maxBytes: MAX_CARRIED_BYTES, maxDepth: 8 }),
  );
  if (shown !== undefined && textOf(shown) !== textOf(carried))
    throw new Refusal("forms_differ", "the certificate carries another approval");
  return shown ?? carried;
}
