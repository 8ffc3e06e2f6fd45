import { readTrustBundle, Refusal } from "@countersign/core";
import type { ConsentPages, Seconds } from "@countersign/core";
import type { Log } from "@countersign/node";

const sameOrigins = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((origin) => b.includes(origin));

/**
 * The pages where owners sign with WebAuthn. They are pinned with the first trust bundle that this process hears: a
 * later one that names others is said loudly and not followed (DESIGN 5.3), whatever else it holds is. A stop comes
 * with the same state, and holds whoever tries to change the pages.
 */
export class PinnedPages {
  #pages: ConsentPages | undefined;
  /** The last bundle's text: nothing is read twice. */
  #text = "";

  get pages(): ConsentPages | undefined {
    return this.#pages;
  }

  /** Reads the trust bundle of one state. One that cannot be read pins nothing, and changes nothing. */
  judge(text: string, now: Seconds, log: Log): void {
    if (text === this.#text) return;
    try {
      const { consent } = readTrustBundle(text, now);
      this.#text = text;
      this.#pages ??= consent;
      if (consent.rpId === this.#pages.rpId && sameOrigins(consent.origins, this.#pages.origins))
        return;
      log.error("trust.pages_changed", {
        pinned: [this.#pages.rpId, ...this.#pages.origins],
        offered: [consent.rpId, ...consent.origins],
        next: "approvals of the new pages are refused; if their operator means them, restart this proxy",
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.warn("trust.bundle_unread", { reason: error.code, detail: error.message });
    }
  }
}
