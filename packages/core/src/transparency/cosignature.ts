import type { Bytes, Crypto, Seconds, Signer } from "../crypto.ts";
import { concat, utf8 } from "../bytes.ts";
import { Refusal } from "../refusal.ts";
import { readTreeHead } from "./checkpoint.ts";
import { noteKey, parseNote, parseVkey, signatureLine, signaturesOf } from "./note.ts";
import type { NoteKey, SignedNote } from "./note.ts";

const TIME_BYTES = 8;
const SIGNATURE_BYTES = 64;

/** Most witnesses that a policy names, and most that a log asks. */
export const MAX_WITNESSES = 16;

/** Who saw a checkpoint, and when. */
export interface Cosignature {
  /** Name of the witness's key. */
  readonly name: string;
  /** By the witness's clock. */
  readonly at: Seconds;
}

/** Which witnesses count, and how many of them it takes. */
export interface WitnessPolicy {
  /** Verifier keys of type 0x04, each with a public key of its own. */
  readonly vkeys: readonly string[];
  readonly threshold: number;
}

function refuse(why: string): never {
  throw new Refusal("checkpoint_invalid", why);
}

/** What an Ed25519 cosigner signs: two lines before the whole text of the checkpoint. */
function messageOf(at: Seconds, text: string): Bytes {
  return utf8(`cosignature/v1\ntime ${at}\n${text}`);
}

function writeTime(at: Seconds): Bytes {
  const octets = new Uint8Array(TIME_BYTES);
  new DataView(octets.buffer).setBigUint64(0, BigInt(at));
  return octets;
}

function readTime(octets: Bytes): Seconds {
  const { buffer, byteOffset } = octets;
  const at = Number(new DataView(buffer, byteOffset, TIME_BYTES).getBigUint64(0));
  return Number.isSafeInteger(at) ? at : refuse("a cosignature of no known time");
}

/**
 * Cosigns a checkpoint (C2SP tlog-cosignature, Ed25519): says that at `at` this is the largest consistent tree which
 * the witness has seen of this log. The caller has verified that, and made it durable.
 * @param checkpoint the signed note
 * @param name name of the witness's key
 * @returns one signature line with its newline
 * @throws Refusal `checkpoint_invalid`
 */
export async function cosign(
  c: Crypto,
  checkpoint: string,
  name: string,
  at: Seconds,
  by: Signer,
): Promise<string> {
  const { text } = parseNote(checkpoint);
  readTreeHead(text);
  const key = noteKey(c, name, by.key, "cosignature");
  return signatureLine(key, concat(writeTime(at), await by.sign(messageOf(at, text))));
}

/** @throws Refusal `checkpoint_invalid` when a line of this witness does not hold */
async function cosignatureBy(
  c: Crypto,
  note: SignedNote,
  key: NoteKey,
): Promise<Cosignature | undefined> {
  let newest: Cosignature | undefined;
  for (const signature of signaturesOf(note, key)) {
    if (signature.length !== TIME_BYTES + SIGNATURE_BYTES) refuse("not a cosignature");
    const at = readTime(signature);
    const isTrue = await c.verify(
      "Ed25519",
      key.key,
      messageOf(at, note.text),
      signature.subarray(TIME_BYTES),
    );
    if (!isTrue) refuse("a cosignature of a known witness does not hold");
    if (newest === undefined || at > newest.at) newest = { name: key.name, at };
  }
  return newest;
}

/**
 * The cosignatures of these witnesses on a checkpoint, one a witness, the newest. Lines of others are ignored.
 * @param checkpoint the signed note; the log's own signature is not looked at
 * @throws Refusal `checkpoint_invalid` for a note or key that is none, or a line of one of them that does not hold
 */
export async function cosignaturesOn(
  c: Crypto,
  checkpoint: string,
  vkeys: readonly string[],
): Promise<readonly Cosignature[]> {
  const note = parseNote(checkpoint);
  readTreeHead(note.text);
  const found: Cosignature[] = [];
  for (const vkey of vkeys) {
    const cosignature = await cosignatureBy(c, note, parseVkey(c, vkey, "cosignature"));
    if (cosignature !== undefined) found.push(cosignature);
  }
  return found;
}

/**
 * Checks that enough witnesses saw a checkpoint.
 * @throws Refusal `witnesses_missing`; `checkpoint_invalid` as `cosignaturesOn` does
 */
export async function checkWitnesses(
  c: Crypto,
  checkpoint: string,
  { vkeys, threshold }: WitnessPolicy,
): Promise<readonly Cosignature[]> {
  // one key under two names is one witness
  const keys = new Set(vkeys.map((vkey) => parseVkey(c, vkey, "cosignature").key.x));
  if (keys.size !== vkeys.length || threshold < 1)
    throw new Refusal("configuration_invalid", "a witness policy that counts nobody, or one twice");
  const found = await cosignaturesOn(c, checkpoint, vkeys);
  if (found.length < threshold)
    throw new Refusal("witnesses_missing", `${found.length} of ${threshold} witnesses`);
  return found;
}
