import {
  base64url,
  fromUtf8,
  leafHash,
  makeLeaf,
  MerkleTree,
  Refusal,
  signCheckpoint,
  tileOf,
  vkeyOf,
} from "@countersign/core";
import type { Bytes, JsonObject, Signer, Tile } from "@countersign/core";
import { generateSigner, nodeCrypto as c, nodeRandom } from "@countersign/node";
import type { LogClient } from "./log-client.ts";

export const ORIGIN = "id.example.org/log";

/** A log in memory that grows, and can be made to lie. */
export class TestLog {
  readonly signer: Signer;
  readonly vkey: string;
  readonly rows: JsonObject[] = [];
  tree = new MerkleTree(c);

  constructor(signer: Signer = generateSigner("Ed25519")) {
    this.signer = signer;
    this.vkey = vkeyOf(c, ORIGIN, signer.key);
  }

  grow(count: number, word = "entry"): this {
    for (let i = 0; i < count; i += 1) {
      const seq = this.tree.size;
      const recordSalt = nodeRandom(16);
      const t = 1_800_000_000 + seq;
      const record = { v: 1, entry: `${word} ${seq}` };
      const made = makeLeaf(c, { type: "entry.added", t, actor: "admin", record, recordSalt });
      this.tree.append(leafHash(c, made.leaf));
      this.rows.push({
        seq,
        type: "entry.added",
        t,
        leaf: base64url(made.leaf),
        record: fromUtf8(made.record),
        salts: { record: base64url(recordSalt) },
      });
    }
    return this;
  }

  checkpoint(size: number = this.tree.size, origin = ORIGIN): Promise<string> {
    return signCheckpoint(c, { origin, size, root: this.tree.root(size) }, this.signer);
  }

  async *each(): AsyncGenerator<JsonObject> {
    yield* this.rows;
  }

  /** The log as its readers see it. */
  client(): LogClient {
    return {
      checkpoint: () => this.checkpoint(),
      tile: async (tile) => this.#tile(tile),
    };
  }

  #tile(tile: Tile): Bytes {
    try {
      return tileOf(this.tree, tile);
    } catch {
      throw new Refusal("unreachable", "answered 404");
    }
  }
}
