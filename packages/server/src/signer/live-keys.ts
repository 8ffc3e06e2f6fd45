import type { Bytes, Certificate, Seconds } from "@countersign/core";
import type { IssuingCa, ServerKeys, WitSigner } from "../world.ts";
import type { DatedCa, LoadedHierarchy } from "./hierarchy.ts";

/** Everything that was read from the key files at one time. */
export interface LoadedKeys {
  readonly agents: LoadedHierarchy;
  readonly infrastructure: LoadedHierarchy;
  readonly wit: readonly WitSigner[];
  readonly mac: (data: Bytes) => Bytes;
}

/** The newest that issues and has not ended. Where none issues yet, the first one must. */
function issuing({ issuers }: LoadedHierarchy, now: Seconds): IssuingCa {
  const living = issuers.filter(({ certificate }) => now <= certificate.notAfter);
  const found = living.findLast(({ from }) => from <= now) ?? living[0] ?? issuers.at(-1);
  if (found === undefined) throw new TypeError("a hierarchy is loaded with an issuing CA");
  return found;
}

const certificateOf = ({ certificate }: DatedCa): Certificate => certificate;

/** The server's keys as they are at this moment; a rotation replaces all that was read in one step. */
export class LiveKeys implements ServerKeys {
  readonly #clock: () => Seconds;
  #loaded: LoadedKeys;
  #logVkey: string;

  constructor(clock: () => Seconds, loaded: LoadedKeys, logVkey: string) {
    this.#clock = clock;
    this.#loaded = loaded;
    this.#logVkey = logVkey;
  }

  get agents(): IssuingCa {
    return issuing(this.#loaded.agents, this.#clock());
  }

  get infrastructure(): IssuingCa {
    return issuing(this.#loaded.infrastructure, this.#clock());
  }

  get infrastructureIssuers(): readonly Certificate[] {
    return this.#loaded.infrastructure.issuers.map(certificateOf);
  }

  get agentsRoot(): Bytes {
    return this.#loaded.agents.root;
  }

  get infrastructureRoot(): Bytes {
    return this.#loaded.infrastructure.root;
  }

  get wit(): readonly WitSigner[] {
    return this.#loaded.wit;
  }

  get logVkey(): string {
    return this.#logVkey;
  }

  /** The log that the store writes: a later one than the first where it was recovered. */
  nameLog(vkey: string): void {
    this.#logVkey = vkey;
  }

  get mac(): (data: Bytes) => Bytes {
    return this.#loaded.mac;
  }

  replace(loaded: LoadedKeys): void {
    this.#loaded = loaded;
  }

  /** When the newest of each kind ends. */
  get ends(): {
    readonly agents: Seconds;
    readonly infrastructure: Seconds;
    readonly wit: Seconds;
  } {
    const end = ({ issuers }: LoadedHierarchy): Seconds =>
      Math.max(...issuers.map(({ certificate }) => certificate.notAfter));
    const { agents, infrastructure, wit } = this.#loaded;
    const last = Math.max(...wit.map(({ exp }) => exp));
    return { agents: end(agents), infrastructure: end(infrastructure), wit: last };
  }
}
