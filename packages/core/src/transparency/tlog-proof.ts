import type { Bytes, Crypto } from "../crypto.ts";
import { base64 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { openCheckpoint, readDecimal, readHashLine } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { MAX_NOTE_LENGTH } from "./note.ts";
import { leafHash, MAX_PROOF_HASHES, verifyInclusion } from "./tree.ts";

/** The parts of a `tlog-proof` file; nothing is verified. */
export interface TlogProof {
  readonly index: number;
  readonly proof: readonly Bytes[];
  /** The checkpoint as the log signed it. */
  readonly checkpoint: string;
}

/** Where an entry stands, and the checkpoint that covers it. */
export interface LoggedAt {
  readonly index: number;
  readonly checkpoint: Checkpoint;
}

const HEADER = "c2sp.org/tlog-proof@v1";
const MAX_LENGTH = MAX_NOTE_LENGTH + 45 * MAX_PROOF_HASHES + 64;

function refuse(why: string): never {
  throw new Refusal("log_proof_invalid", why);
}

/** Writes C2SP `tlog-proof@v1`, without the `extra` line. */
export function writeTlogProof(parts: TlogProof): string {
  const hashes = parts.proof.map((hash) => `${base64(hash)}\n`).join("");
  return `${HEADER}\nindex ${parts.index}\n${hashes}\n${parts.checkpoint}`;
}

/**
 * Reads C2SP `tlog-proof@v1`. An `extra` line is refused: nothing here defines one, and it is not authenticated.
 * @throws Refusal `log_proof_invalid`
 */
export function parseTlogProof(text: string): TlogProof {
  if (text.length > MAX_LENGTH) refuse("longer than a proof may be");
  const blank = text.indexOf("\n\n");
  if (blank < 0) refuse("no blank line before the checkpoint");
  const [header, second = "", ...hashes] = text.slice(0, blank).split("\n");
  if (header !== HEADER) refuse("not a tlog-proof");
  const index = second.startsWith("index ") ? readDecimal(second.slice(6)) : undefined;
  if (index === undefined) return refuse("no index line");
  if (hashes.length > MAX_PROOF_HASHES) refuse("too many hashes");
  const proof = hashes.map((line) => readHashLine(line) ?? refuse("not a hash"));
  return { index, proof, checkpoint: text.slice(blank + 2) };
}

/**
 * Checks that an entry stands in the log that `vkey` names: form, checkpoint, inclusion.
 * @param given.proof text of a `tlog-proof` file
 * @param given.entry octets of the entry, the leaf's JCS
 * @param given.vkey configured verifier key of the log
 * @throws Refusal `log_proof_invalid`, `checkpoint_invalid`
 */
export async function verifyTlogProof(
  c: Crypto,
  given: { readonly proof: string; readonly entry: Bytes; readonly vkey: string },
): Promise<LoggedAt> {
  const { index, proof, checkpoint: signed } = parseTlogProof(given.proof);
  const checkpoint = await openCheckpoint(c, signed, given.vkey);
  const { size, root } = checkpoint;
  verifyInclusion(c, { index, size, root, proof, leafHash: leafHash(c, given.entry) });
  return { index, checkpoint };
}
