import type { Seconds } from "@countersign/core";

const WINDOW_SECONDS = 60;

/** How often within a minute. */
export interface AddressBounds {
  /** From one network; default 10: people type more slowly. */
  readonly ofAddress?: number;
  /** From all together; default 300. */
  readonly ofAll?: number;
}

/** Who shares an address: of IPv6 the network, since a host has all addresses of it. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail = ""] = plain.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0");
  const groups = plain.includes("::") ? [...before, ...zeros, ...after] : before;
  return groups.slice(0, 4).join(":").toLowerCase();
}

/** Bounds how often strangers may ask within a minute: of each network, and all together, so that memory is bounded too. */
export class AddressLimit {
  readonly #counts: Map<string, number> = new Map();
  readonly #ofAddress: number;
  readonly #ofAll: number;
  #all = 0;
  #until: Seconds = 0;

  constructor({ ofAddress = 10, ofAll = 300 }: AddressBounds = {}) {
    this.#ofAddress = ofAddress;
    this.#ofAll = ofAll;
  }

  /** Whether one more is taken now; it is counted in that case. */
  takes(address: string, now: Seconds): boolean {
    // a clock that went back begins a window too
    if (now >= this.#until || now < this.#until - WINDOW_SECONDS) {
      this.#counts.clear();
      this.#all = 0;
      this.#until = now + WINDOW_SECONDS;
    }
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#ofAddress || this.#all >= this.#ofAll) return false;
    this.#counts.set(network, count + 1);
    this.#all += 1;
    return true;
  }
}
