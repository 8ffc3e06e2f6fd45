import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import {
  isCredentialStatement,
  Members,
  parseJsonObject,
  readPresignedRequest,
  readStatement,
  Refusal,
  writePresignedRequest,
} from "@countersign/core";
import type { CredentialStatement, Crypto, PostedConsent, Statement } from "@countersign/core";
import { privateDirectory, readPrivateFile, writePrivateFile } from "@countersign/node";

/** An approval that was signed beforehand, and what became of it. */
export interface Kept {
  readonly posted: PostedConsent;
  readonly statement: Statement<CredentialStatement>;
  /** Entry id. */
  readonly entry: string;
  readonly state: "waiting" | "accepted" | "refused";
  /** Why it was refused. */
  readonly reason?: string;
}

const MAX_FILE_BYTES = 65_536;
const FILE = /^[A-Za-z0-9_-]{43}\.json$/;
const bad = "configuration_invalid";

function read(c: Crypto, octets: Uint8Array): Kept {
  const members = new Members(
    parseJsonObject(octets, { maxBytes: MAX_FILE_BYTES, maxDepth: 8 }),
    bad,
    "presigned",
  );
  const posted = readPresignedRequest(members.raw("posted") ?? null);
  const statement = readStatement(c, posted.statement, { preSigned: true });
  if (!isCredentialStatement(statement)) throw new Refusal(bad, "a statement of another kind");
  const reason = members.optional("reason", (name) => members.text(name, { maxLength: 64 }));
  const kept: Kept = {
    posted,
    statement,
    entry: members.text("entry", { maxLength: 512 }),
    state: members.choice("state", ["waiting", "accepted", "refused"] as const),
    ...(reason === undefined ? {} : { reason }),
  };
  members.end();
  return kept;
}

/** One file an approval, mode 0600, named by the digest of its statement. */
export class PresignedFiles {
  readonly #folder: string;
  readonly #crypto: Crypto;

  constructor(crypto: Crypto, data: string) {
    this.#crypto = crypto;
    this.#folder = join(data, "presigned");
  }

  /** Everything that is there. @throws Refusal `private_mode`, and for a file that is not ours */
  async all(): Promise<readonly Kept[]> {
    await privateDirectory(this.#folder);
    const names = (await readdir(this.#folder)).filter((name) => FILE.test(name)).toSorted();
    const files = await Promise.all(
      names.map((name) => readPrivateFile(join(this.#folder, name), MAX_FILE_BYTES)),
    );
    return files.flatMap((octets) => (octets === undefined ? [] : [read(this.#crypto, octets)]));
  }

  /** Durable when it resolves. */
  async write({ posted, statement, ...rest }: Kept): Promise<void> {
    const object = { posted: writePresignedRequest(posted), ...rest };
    await writePrivateFile(this.#path(statement), JSON.stringify(object));
  }

  async remove({ statement }: Kept): Promise<void> {
    await unlink(this.#path(statement));
  }

  #path({ cs }: Statement): string {
    return join(this.#folder, `${cs.slice("sha-256:".length)}.json`);
  }
}
