import type { Identity } from "../keys/identity.ts";
import type { ServerTargets } from "../world.ts";

/**
 * The identity in use and the connections made with it. It changes between calls, never under them: to the server a
 * certificate that is used after its successor is a copy in other hands (DESIGN 3).
 */
export class Link {
  readonly #open: (identity: Identity) => ServerTargets;
  #identity: Identity;
  #targets: ServerTargets;
  #inUse = 0;
  #drained: () => void = () => undefined;
  #changing: Promise<void> | undefined;

  constructor(identity: Identity, open: (identity: Identity) => ServerTargets) {
    this.#open = open;
    this.#identity = identity;
    this.#targets = open(identity);
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** Exchanges with one identity. Each must be bounded in time; not to be nested. */
  async use<T>(act: (server: ServerTargets) => Promise<T>): Promise<T> {
    while (this.#changing !== undefined) await this.#changing;
    this.#inUse += 1;
    try {
      return await act(this.#targets);
    } finally {
      this.#inUse -= 1;
      if (this.#inUse === 0) this.#drained();
    }
  }

  /**
   * Puts the next identity in place once nothing is under way with this one; calls that come meanwhile wait for it.
   * Streams that are open end, and are opened anew by who reads them.
   */
  async replace(identity: Identity): Promise<void> {
    let open: () => void = () => undefined;
    this.#changing = new Promise((resolve) => (open = resolve));
    if (this.#inUse > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    const before = this.#targets;
    this.#identity = identity;
    this.#targets = this.#open(identity);
    before.calls.close();
    before.streams.close();
    this.#changing = undefined;
    open();
  }

  close(): void {
    this.#targets.calls.close();
    this.#targets.streams.close();
  }
}
