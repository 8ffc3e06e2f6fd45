import { join } from "node:path";
import {
  base64url,
  Members,
  parseJsonObject,
  parseName,
  readApprovalPart,
  utf8,
  writeApprovalPart,
} from "@countersign/core";
import type { ApprovalPart, Digest, JsonObject, Signer } from "@countersign/core";
import {
  loadOrCreateSigner,
  privateDirectory,
  readPrivateFile,
  writePrivateFile,
} from "@countersign/node";

/** What the proxy remembers beside an anchor: the approval it endorses, owner keys it has seen, approvals that are over. */
export interface AnchorMemory {
  readonly approval?: { readonly cs: Digest; readonly part: ApprovalPart };
  readonly ownerKeys: readonly string[];
  /** Statements that were halted or replaced: never endorsed again. */
  readonly ended: readonly Digest[];
}

const MAX_ENDED = 256;
const MAX_OWNER_KEYS = 64;
const MAX_FILE_BYTES = 131_072;

function readMemory(octets: Uint8Array): AnchorMemory {
  const members = new Members(
    parseJsonObject(octets, { maxBytes: MAX_FILE_BYTES, maxDepth: 12 }),
    "configuration_invalid",
    "anchor",
  );
  const approval = members.optional("approval", (name) => {
    const inner = members.object(name);
    return { cs: inner.digest("cs"), part: readApprovalPart(inner.raw("part")) };
  });
  const text = (item: unknown): string =>
    typeof item === "string" ? item : members.fail("list", "holds something that is no string");
  return {
    ...(approval === undefined ? {} : { approval }),
    ownerKeys: members.list("owner_keys", text, MAX_OWNER_KEYS),
    ended: members.list(
      "ended",
      (item) => `sha-256:${text(item).slice("sha-256:".length)}` as const,
      MAX_ENDED,
    ),
  };
}

/** The anchors of this proxy, one file per entry, mode 0600. They never leave; a TPM takes their place later. */
export class Anchors {
  readonly #folder: string;
  readonly #signers: Map<string, Promise<Signer>> = new Map();
  readonly #updates: Map<string, Promise<void>> = new Map();

  constructor(data: string) {
    this.#folder = join(data, "anchors");
  }

  /** The anchor of an entry, made on first use. @throws Refusal `private_mode` */
  signer(entry: string): Promise<Signer> {
    const known = this.#signers.get(entry);
    if (known !== undefined) return known;
    const made = loadOrCreateSigner(this.#folder, `${this.#name(entry)}.anchor`, "P-256");
    this.#signers.set(entry, made);
    made.catch(() => this.#signers.delete(entry)); // its caller hears of it; the next one tries again
    return made;
  }

  async memory(entry: string): Promise<AnchorMemory> {
    await privateDirectory(this.#folder);
    const octets = await readPrivateFile(this.#path(entry), MAX_FILE_BYTES);
    return octets === undefined ? { ownerKeys: [], ended: [] } : readMemory(octets);
  }

  /**
   * Changes what is remembered of an entry, one change after the other: two sessions of one entry never undo each
   * other's marks.
   * @param change returns what to write, or undefined to leave it
   */
  update(entry: string, change: (memory: AnchorMemory) => AnchorMemory | undefined): Promise<void> {
    const before = this.#updates.get(entry) ?? Promise.resolve();
    const update = before.then(async () => {
      const after = change(await this.memory(entry));
      if (after !== undefined) await this.remember(entry, after);
    });
    this.#updates.set(
      entry,
      update.catch(() => undefined), // its caller hears of it; the next change starts from what is on disk
    );
    return update;
  }

  /** Writes the whole memory of an entry. */
  async remember(entry: string, memory: AnchorMemory): Promise<void> {
    const { approval } = memory;
    const object = {
      ...(approval === undefined
        ? {}
        : { approval: { cs: approval.cs, part: writeApprovalPart(approval.part) as JsonObject } }), // the writer makes plain JSON
      owner_keys: memory.ownerKeys.slice(-MAX_OWNER_KEYS),
      ended: memory.ended.slice(-MAX_ENDED),
    };
    await writePrivateFile(this.#path(entry), JSON.stringify(object));
  }

  #name(entry: string): string {
    const name = parseName(entry);
    return name.kind === "entry" ? name.name : base64url(utf8(entry)).toLowerCase().slice(0, 60);
  }

  #path(entry: string): string {
    return join(this.#folder, `${this.#name(entry)}.json`);
  }
}
