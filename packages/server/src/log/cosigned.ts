/** A checkpoint with what witnesses have added to it. */
export interface Cosigned {
  readonly size: number;
  /** The log's signature first, then one line a witness. */
  readonly text: string;
  readonly witnesses: number;
}

/**
 * Which cosigned checkpoints are worth keeping: of two, the larger one covers more leaves, the other one may have more
 * witnesses. Never more than there are witnesses. In memory: after a start they are asked again.
 */
export class CosignedCheckpoints {
  /** Sizes ascend, numbers of witnesses descend. */
  #kept: readonly Cosigned[] = [];

  /** Later ones never cover less. */
  add(next: Cosigned): void {
    const newest = this.#kept.at(-1);
    if (newest !== undefined && next.size < newest.size) return;
    if (newest?.size === next.size && next.witnesses < newest.witnesses) return;
    this.#kept = [...this.#kept.filter((one) => one.witnesses > next.witnesses), next];
  }

  /** The one with the most witnesses that covers this leaf. */
  covering(index: number): Cosigned | undefined {
    return this.#kept.find(({ size }) => size > index);
  }

  /** The one of exactly this size. */
  of(size: number): Cosigned | undefined {
    return this.#kept.find((one) => one.size === size);
  }
}
