import {
  equalBytes,
  leafHash,
  MerkleTree,
  openCheckpoint,
  parseNote,
  readTreeHead,
  Refusal,
  signCheckpoint,
  TILE_WIDTH,
  tileOf,
  vkeyOf,
  writeTlogProof,
} from "@countersign/core";
import type { Bytes, Checkpoint, Crypto, Signer, Tile } from "@countersign/core";
import type { CheckpointFile } from "../store/checkpoint-file.ts";
import type { Release } from "../store/store.ts";
import { CosignedCheckpoints } from "./cosigned.ts";

export interface KeeperOptions {
  readonly crypto: Crypto;
  /** Ed25519; signs checkpoints and nothing else. */
  readonly signer: Signer;
  /** `id.<trust domain>/log` */
  readonly origin: string;
  readonly file: CheckpointFile;
  /** Told what a listener threw; a release is never undone by it. */
  readonly report?: (error: unknown) => void;
}

/**
 * Keeps the tree over the rows of the log: appends what the store has made durable, signs one checkpoint for each
 * group, and proves leaves under it. A leaf counts as released when a checkpoint that covers it lies in the file.
 *
 * A log that is older than, or differs from, what was once released is frozen: nothing is appended and nothing
 * signed, since a second root of one size under the same key is a forked log.
 */
export class LogKeeper {
  readonly #options: KeeperOptions;
  readonly #vkey: string;
  readonly #tree: MerkleTree;
  readonly #listeners: Set<(release: Release) => void> = new Set();
  readonly #cosigned = new CosignedCheckpoints();
  #released: Checkpoint | undefined;
  #releasing: Promise<void> | undefined;
  #frozen: string | undefined;
  #unannounced: Release["changed"] = [];
  #hasNews = false;

  private constructor(options: KeeperOptions) {
    this.#options = options;
    this.#vkey = vkeyOf(options.crypto, options.origin, options.signer.key);
    this.#tree = new MerkleTree(options.crypto);
  }

  /**
   * Rebuilds the tree and compares it with the file. A log without entries and without a file is a first start.
   * @param leaves octets of all leaves in order; `undefined` stands for a row that is missing between two others
   * @throws what file and signer throw
   */
  static async open(
    options: KeeperOptions,
    leaves: Iterable<Bytes | undefined>,
  ): Promise<LogKeeper> {
    const keeper = new LogKeeper(options);
    for (const leaf of leaves) {
      if (leaf === undefined) {
        keeper.freeze("a row of the log is missing");
        return keeper;
      }
      keeper.#tree.append(leafHash(options.crypto, leaf));
    }
    await keeper.#compareWithFile();
    await keeper.release();
    return keeper;
  }

  async #compareWithFile(): Promise<void> {
    const text = await this.#options.file.read();
    if (text === undefined) {
      if (this.#tree.size > 0) this.freeze("the file of the last checkpoint is missing");
      return;
    }
    const last = await this.#openOwn(text);
    if (last === undefined) return this.freeze("the last checkpoint is not of this log");
    this.#released = last;
    this.#compare(last, "the last checkpoint");
  }

  async #openOwn(text: string): Promise<Checkpoint | undefined> {
    try {
      return await openCheckpoint(this.#options.crypto, text, this.#vkey);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  #compare(genuine: Checkpoint, whose: string): void {
    if (genuine.size > this.#tree.size) this.freeze(`the log is behind ${whose}`);
    else if (!equalBytes(this.#tree.root(genuine.size), genuine.root))
      this.freeze(`the log differs from ${whose}`);
  }

  /** What its checkpoints say, and are verified with. */
  get name(): { readonly origin: string; readonly vkey: string } {
    return { origin: this.#options.origin, vkey: this.#vkey };
  }

  /** Why nothing is appended or signed any more. */
  get frozen(): string | undefined {
    return this.#frozen;
  }

  /** Stays until the process ends; the first reason is kept. */
  freeze(reason: string): void {
    this.#frozen ??= reason;
  }

  /** Number of leaves, released or not. */
  get size(): number {
    return this.#tree.size;
  }

  /** Whether every leaf stands under the checkpoint in the file. */
  get isReleased(): boolean {
    return this.#frozen !== undefined || this.#released?.size === this.#tree.size;
  }

  /** The newest signed checkpoint; absent only in a frozen log whose file was lost. */
  get checkpoint(): string | undefined {
    return this.#released?.text;
  }

  /** As `checkpoint`, with what witnesses have added to it so far. */
  get published(): string | undefined {
    const released = this.#released;
    return released === undefined
      ? undefined
      : (this.#cosigned.of(released.size)?.text ?? released.text);
  }

  /** Number of leaves under `checkpoint`. */
  get releasedSize(): number {
    return this.#released?.size ?? 0;
  }

  /** Adds the leaf of a row that is durable. Ignored when frozen. */
  append(leaf: Bytes): void {
    if (this.#frozen === undefined) this.#tree.append(leafHash(this.#options.crypto, leaf));
  }

  /** Remembers whom the next release concerns; listeners hear it then. */
  changed(proxies: Release["changed"]): void {
    const before = this.#unannounced;
    this.#unannounced =
      before === "all" || proxies === "all" ? "all" : [...new Set([...before, ...proxies])];
    this.#hasNews = true;
  }

  /**
   * Signs a checkpoint over everything appended, writes it to the file, and tells the listeners; done when there is
   * nothing to do. May be called again after it failed, and by several at once.
   * @throws Refusal `indeterminate` when signer or file fail
   */
  async release(): Promise<void> {
    while (!this.isReleased) {
      this.#releasing ??= this.#signAndWrite().finally(() => {
        this.#releasing = undefined;
      });
      await this.#releasing;
    }
    this.#announce();
  }

  async #signAndWrite(): Promise<void> {
    const { crypto, file, origin, signer } = this.#options;
    const head = { origin, size: this.#tree.size, root: this.#tree.root() };
    let checkpoint: Checkpoint;
    try {
      const text = await signCheckpoint(crypto, head, signer);
      checkpoint = await openCheckpoint(crypto, text, this.#vkey);
      await file.write(text);
    } catch (error) {
      this.#options.report?.(error);
      throw new Refusal("indeterminate", "the checkpoint could not be signed or written");
    }
    this.#released = checkpoint;
  }

  /** @throws Refusal `hold` when frozen, `not_found` unless all these leaves are released */
  #demandReleased(leaves: number): Checkpoint {
    if (this.#frozen !== undefined) throw new Refusal("hold", this.#frozen);
    if (this.#released === undefined || !(leaves > 0 && leaves <= this.#released.size))
      throw new Refusal("not_found", "not in the log, or not yet");
    return this.#released;
  }

  /**
   * A tlog-proof of a leaf under the newest checkpoint, or under an older one that covers it and that more witnesses
   * have cosigned.
   * @throws Refusal `hold` when frozen, `not_found` for a leaf that is not released
   */
  proofFor(index: number): string {
    if (!Number.isSafeInteger(index)) throw new Refusal("not_found", "no such leaf");
    const { size, text } = this.#cosigned.covering(index) ?? this.#demandReleased(index + 1);
    this.#demandReleased(index + 1);
    const proof = this.#tree.inclusionProof(index, size);
    return writeTlogProof({ index, proof, checkpoint: text });
  }

  /**
   * Checks that a tile is one of the released log, and gives its octets; those of an entry bundle are the database's.
   * @throws Refusal `hold` when frozen, `not_found`
   */
  tile(tile: Tile): Bytes | undefined {
    const { level, index, width } = tile;
    const span = level === "entries" ? 1 : TILE_WIDTH ** level;
    this.#demandReleased((index * TILE_WIDTH + width) * span);
    return level === "entries" ? undefined : tileOf(this.#tree, tile);
  }

  /** @throws Refusal `hold` when frozen, `not_found` for sizes that are not released */
  consistencyProof(from: number, to: number): readonly Bytes[] {
    if (from === 0 && to === 0) return [];
    this.#demandReleased(to);
    if (!Number.isSafeInteger(from) || from < 0 || from > to) throw new Refusal("not_found");
    return this.#tree.consistencyProof(from, to);
  }

  /**
   * Publishes a checkpoint of this log with cosignatures that the caller has verified.
   * @param checkpoint as it was released
   * @param lines signature lines with their newlines, one a witness
   */
  addCosignatures(checkpoint: string, lines: readonly string[]): void {
    const { size } = readTreeHead(parseNote(checkpoint).text);
    const text = checkpoint + lines.join("");
    if (this.#frozen === undefined) this.#cosigned.add({ size, text, witnesses: lines.length });
  }

  /**
   * Compares with a checkpoint that somebody was given. One that this log's key did not sign says nothing.
   * @returns the reason why the log is frozen from now on
   */
  async noteSeen(text: string): Promise<string | undefined> {
    if (this.#frozen !== undefined || text === this.#released?.text) return undefined;
    const seen = await this.#openOwn(text);
    if (seen !== undefined) this.#compare(seen, "a checkpoint that a proxy has seen");
    return this.#frozen;
  }

  /** Listeners are called in turn and must be quick; returns how to stop. */
  subscribe(listener: (release: Release) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #announce(): void {
    if (!this.#hasNews) return;
    const checkpoint = this.checkpoint;
    const release: Release = {
      size: this.releasedSize,
      ...(checkpoint === undefined ? {} : { checkpoint }),
      changed: this.#unannounced,
    };
    this.#hasNews = false;
    this.#unannounced = [];
    for (const listener of this.#listeners)
      try {
        listener(release);
      } catch (error) {
        this.#options.report?.(error);
      }
  }
}
