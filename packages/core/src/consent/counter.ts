import { Refusal } from "../refusal.ts";
import type { SignatureFacts } from "./owner-signature.ts";

/**
 * What an authenticator's counter says of one more signature:
 * - `advanced`: it went up, and the new value is to be kept;
 * - `silent`: neither side counts. Synced passkeys do not: this proves nothing, and is no check;
 * - `regressed`: somebody else may sign with a copy of the key.
 */
export type CounterStep = "advanced" | "silent" | "regressed";

/**
 * Judges the counter of a signature that was verified, against the highest that was seen of its key (WebAuthn 7.2,
 * owner.md 1.2). A key that counted once must go on counting.
 * @param stored absent: none was seen
 * @param shown absent: the signature has none, as that of a software key
 */
export function counterStep(stored: number | undefined, shown: number | undefined): CounterStep {
  const before = stored ?? 0;
  const after = shown ?? 0;
  if (before === 0 && after === 0) return "silent";
  return after > before ? "advanced" : "regressed";
}

/**
 * That a passkey may be copied is fixed when it is made (BE, WebAuthn 6.1.3); whether it has been (BS) may change.
 * @param enrolled BE as registered; absent: the key was registered by no WebAuthn ceremony
 * @throws Refusal `signature_invalid`
 */
export function checkEligibility(
  enrolled: boolean | undefined,
  { backup }: Pick<SignatureFacts, "backup">,
): void {
  if (backup?.eligible !== enrolled)
    throw new Refusal(
      "signature_invalid",
      "whether the key may be copied is not as it was registered",
    );
}
