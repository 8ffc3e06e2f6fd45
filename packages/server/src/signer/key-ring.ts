import { Refusal } from "@countersign/core";
import type { Crypto, Hierarchy, Random, Seconds } from "@countersign/core";
import type { ServerConfig } from "../config.ts";
import {
  forgetIssuers,
  hasRoots,
  HIERARCHIES,
  noteIssuersAnnounced,
  prepareIssuer,
  readIssuerList,
} from "./hierarchy.ts";
import type { Listing } from "./hierarchy.ts";
import type { ListedKey } from "./key-file.ts";
import { foldersOf, readKeys } from "./keys.ts";
import type { LiveKeys } from "./live-keys.ts";
import { forgetWit, noteWitAnnounced, prepareWit, readWitList } from "./wit-keys.ts";

export type KeyUse = "wit" | `${Hierarchy}_ca`;

/** A key that is prepared and that log and bundle do not know yet. */
export interface PreparedKey extends Pick<ListedKey, "nbf" | "exp"> {
  readonly use: KeyUse;
}

export interface RotationOrder {
  readonly wit: boolean;
  readonly ca: boolean;
  /** Seconds until the new ones sign. */
  readonly activateInSeconds: Seconds;
}

export interface KeyRingOptions {
  readonly data: string;
  readonly c: Crypto;
  readonly random: Random;
  readonly clock: () => Seconds;
  readonly config: Pick<ServerConfig, "origin">;
  readonly keys: LiveKeys;
}

/**
 * The key files of a running server, and the one place that changes them: prepared → active → retiring → gone. Every
 * file is written in one step, keys before the list that names them; what was listed is announced until that is noted,
 * so a crash between any two steps leaves a state from which the next start goes on. One change at a time.
 */
export class KeyRing {
  readonly #options: KeyRingOptions;
  readonly #listeners: Set<() => void> = new Set();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  get keys(): LiveKeys {
    return this.#options.keys;
  }

  /** Called once keys have changed in memory; returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Prepares new keys and takes them into use, on disk and here.
   * @throws Refusal `signer_unsuitable` without the roots' keys, `rate_limited` while some are prepared already;
   * nothing changed then
   */
  prepare(order: RotationOrder): Promise<void> {
    return this.#alone(async () => {
      const { random, clock, c, config, data } = this.#options;
      const now = clock();
      const from = now + order.activateInSeconds;
      const given = { c, random, now, origin: config.origin };
      const listings: Listing[] = [];
      if (order.ca)
        for (const hierarchy of HIERARCHIES)
          listings.push(await prepareIssuer(foldersOf(data), hierarchy, from, given));
      if (order.wit) await prepareWit(foldersOf(data).keys, from, now);
      for (const list of listings) await list();
      await this.#readAgain();
    });
  }

  /** What log and bundle must still be told of. */
  async unannounced(): Promise<readonly PreparedKey[]> {
    const { keys } = foldersOf(this.#options.data);
    const found: PreparedKey[] = [];
    const add = (use: KeyUse, list: readonly ListedKey[]): void => {
      for (const { nbf, exp, isAnnounced } of list) if (!isAnnounced) found.push({ use, nbf, exp });
    };
    add("wit", await readWitList(keys));
    for (const hierarchy of HIERARCHIES)
      add(`${hierarchy}_ca`, await readIssuerList(keys, hierarchy));
    return found;
  }

  /** They were told. */
  noteAnnounced(): Promise<void> {
    return this.#alone(async () => {
      const { keys } = foldersOf(this.#options.data);
      await noteWitAnnounced(keys);
      for (const hierarchy of HIERARCHIES) await noteIssuersAnnounced(keys, hierarchy);
    });
  }

  /** Removes keys of which nothing is alive any more. */
  forget(): Promise<void> {
    return this.#alone(async () => {
      const { keys } = foldersOf(this.#options.data);
      const now = this.#options.clock();
      let isLess = await forgetWit(keys, now);
      for (const hierarchy of HIERARCHIES)
        isLess = (await forgetIssuers(keys, hierarchy, now)) || isLess;
      if (isLess) await this.#readAgain();
    });
  }

  /** Whether the roots' keys are here, so that issuing CAs can be renewed. */
  hasRoots(): Promise<boolean> {
    return hasRoots(foldersOf(this.#options.data));
  }

  async #readAgain(): Promise<void> {
    const { data, c, clock, keys } = this.#options;
    keys.replace(await readKeys(data, c, clock()));
    for (const listener of this.#listeners) listener();
  }

  #alone<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => undefined); // its caller hears of it
    return done;
  }
}

/**
 * Issuing CAs that have ended are renewed before anything is loaded: with them no server could start.
 * @returns the hierarchies that were renewed
 */
export async function renewEnded(
  options: Omit<KeyRingOptions, "keys">,
): Promise<readonly Hierarchy[]> {
  const { data, c, random, clock, config } = options;
  const folders = foldersOf(data);
  const now = clock();
  const renewed: Hierarchy[] = [];
  for (const hierarchy of HIERARCHIES) {
    const list = await readIssuerList(folders.keys, hierarchy);
    if (list.some(({ exp }) => now <= exp)) continue;
    try {
      const origin = config.origin;
      await (
        await prepareIssuer(folders, hierarchy, now, { c, random, now, origin })
      )();
      renewed.push(hierarchy);
    } catch (error) {
      // without the roots' keys the start refuses, and says where to put them
      if (!(error instanceof Refusal)) throw error;
    }
  }
  return renewed;
}
