import type { Target } from "@countersign/node";
import type { Identity } from "../keys/identity.ts";
import { uplinkOf } from "./server.ts";
import type { Uplink } from "./server.ts";

/** An identity and the connection made with it. */
export interface Linked {
  readonly identity: Identity;
  readonly target: Target;
  readonly uplink: Uplink;
}

/**
 * The identity in use. It changes between calls, never under them: evidence is signed by the key that the connection
 * shows, and to the server a certificate that is used after its successor is a copy in other hands (DESIGN 3).
 */
export class Link {
  readonly #open: (identity: Identity) => Target;
  #now: Linked;
  #inUse = 0;
  #drained: () => void = () => undefined;
  #changing: Promise<void> | undefined;

  constructor(identity: Identity, open: (identity: Identity) => Target) {
    this.#open = open;
    this.#now = this.#linked(identity);
  }

  #linked(identity: Identity): Linked {
    const target = this.#open(identity);
    return { identity, target, uplink: uplinkOf(target) };
  }

  get identity(): Identity {
    return this.#now.identity;
  }

  get target(): Target {
    return this.#now.target;
  }

  /** Calls that belong together, all with one identity. Each must be bounded in time; not to be nested. */
  async use<T>(act: (linked: Linked) => Promise<T>): Promise<T> {
    while (this.#changing !== undefined) await this.#changing;
    this.#inUse += 1;
    try {
      return await act(this.#now);
    } finally {
      this.#inUse -= 1;
      if (this.#inUse === 0) this.#drained();
    }
  }

  /**
   * Puts the next identity in place once nothing is under way with this one; calls that come meanwhile wait for it.
   * @param onChanged ends what else goes over the earlier connection and begins it anew; called before any call
   */
  async replace(identity: Identity, onChanged: () => void): Promise<void> {
    let open: () => void = () => undefined;
    this.#changing = new Promise((resolve) => (open = resolve));
    if (this.#inUse > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    const before = this.#now.target;
    this.#now = this.#linked(identity);
    onChanged();
    before.close();
    this.#changing = undefined;
    open();
  }
}
