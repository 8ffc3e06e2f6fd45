import { readTrustBundle, Refusal } from "@countersign/core";
import type { ConsentPages, Seconds } from "@countersign/core";
import type { Log } from "@countersign/node";

const sameOrigins = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((origin) => b.includes(origin));

/** Where the pages are kept. Durable when `write` resolves; nobody retries. */
export interface KeptPages {
  /** Absolute path, for messages. */
  readonly path: string;
  /** @throws Refusal `configuration_invalid`, `private_mode` */
  read(): Promise<ConsentPages | undefined>;
  write(pages: ConsentPages): Promise<void>;
}

/** Kept as long as this process runs. */
const IN_MEMORY: KeptPages = {
  path: "",
  read: () => Promise.resolve(undefined),
  write: () => Promise.resolve(),
};

/**
 * The pages where owners sign with WebAuthn. They are pinned with the first trust bundle that this proxy hears, for
 * good: a later one that names others is said loudly and not followed (DESIGN 5.3), whatever else it holds is. A stop
 * comes with the same state, and holds whoever tries to change the pages.
 */
export class PinnedPages {
  readonly #kept: KeptPages;
  #pages: ConsentPages | undefined;
  /** The last bundle's text: nothing is read twice. */
  #text = "";

  constructor(kept: KeptPages = IN_MEMORY, pages?: ConsentPages) {
    this.#kept = kept;
    this.#pages = pages;
  }

  /** With what was pinned before this process began. @throws Refusal as `read` */
  static async from(kept: KeptPages): Promise<PinnedPages> {
    return new PinnedPages(kept, await kept.read());
  }

  get pages(): ConsentPages | undefined {
    return this.#pages;
  }

  /** Reads the trust bundle of one state. One that cannot be read pins nothing, and changes nothing. */
  async judge(text: string, now: Seconds, log: Log): Promise<void> {
    if (text === this.#text) return;
    try {
      const { consent } = readTrustBundle(text, now);
      this.#text = text;
      if (this.#pages === undefined) await this.#pin(consent, log);
      else this.#compare(this.#pages, consent, log);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.warn("trust.bundle_unread", { reason: error.code, detail: error.message });
    }
  }

  async #pin(consent: ConsentPages, log: Log): Promise<void> {
    this.#pages = consent;
    try {
      await this.#kept.write(consent);
      log.info("trust.pages_pinned", { pinned: [consent.rpId, ...consent.origins] });
    } catch (error) {
      log.error("trust.pages_not_kept", {
        error,
        next: "make room in the data directory, and restart this proxy: until then a restart believes whoever speaks first",
      });
    }
  }

  #compare(pinned: ConsentPages, offered: ConsentPages, log: Log): void {
    if (offered.rpId === pinned.rpId && sameOrigins(offered.origins, pinned.origins)) return;
    log.error("trust.pages_changed", {
      pinned: [pinned.rpId, ...pinned.origins],
      offered: [offered.rpId, ...offered.origins],
      next: `approvals of the new pages are refused; if their operator means them, remove ${this.#kept.path} and restart this proxy`,
    });
  }
}
