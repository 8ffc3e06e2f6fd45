import type { Bytes, Crypto, Jwk, OkpJwk, Signer } from "../crypto.ts";
import {
  base64,
  base64url,
  concat,
  equalBytes,
  fromBase64,
  fromBase64url,
  hex,
  utf8,
} from "../bytes.ts";
import { Refusal } from "../refusal.ts";

/** A note holds at least 16 signatures, of which post-quantum ones take 5 kB each (C2SP signed-note). */
export const MAX_NOTE_LENGTH: number = 128 * 1024;
const MAX_SIGNATURES = 64;
const MAX_NAME_LENGTH = 255;

/** Signature types of C2SP signed-note: Ed25519 over the note text; a witness's timestamped cosignature. */
const TYPES = { note: 0x01, cosignature: 0x04 } as const;
export type NoteKeyType = keyof typeof TYPES;
const KEY_NAME = /^[^\s\u0085+]+$/u;
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

/** A key that signs notes: `<name>+<8 hex digits>+<base64 of type and key>`. */
export interface NoteKey {
  readonly name: string;
  /** First four octets of SHA-256(name ‖ 0x0A ‖ type ‖ key). */
  readonly id: Bytes;
  readonly key: OkpJwk;
}

function refuse(why: string): never {
  throw new Refusal("checkpoint_invalid", why);
}

function isKeyName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && KEY_NAME.test(name) && !CONTROL.test(name);
}

function typeAndKey(type: NoteKeyType, key: OkpJwk): Bytes {
  return concat(new Uint8Array([TYPES[type]]), fromBase64url(key.x));
}

/** The key of a signer as notes know it. @throws Refusal `checkpoint_invalid` */
export function noteKey(c: Crypto, name: string, key: Jwk, type: NoteKeyType): NoteKey {
  if (key.kty !== "OKP") return refuse("notes are signed with Ed25519");
  if (!isKeyName(name)) return refuse("a key name holds neither spaces nor plus");
  const id = c.sha256(concat(utf8(`${name}\n`), typeAndKey(type, key))).subarray(0, 4);
  return { name, id, key };
}

/**
 * The verifier key, as it stands in configuration.
 * @param type default `note`: it signs what it says; `cosignature`: a witness
 * @throws Refusal `checkpoint_invalid` for keys that are not Ed25519 and names that a note cannot carry
 */
export function vkeyOf(c: Crypto, name: string, key: Jwk, type: NoteKeyType = "note"): string {
  const made = noteKey(c, name, key, type);
  return `${name}+${hex(made.id)}+${base64(typeAndKey(type, made.key))}`;
}

/**
 * Reads a verifier key of the given type (0x01 `note`, the default; 0x04 `cosignature`) and checks its id.
 * @throws Refusal `checkpoint_invalid`
 */
export function parseVkey(c: Crypto, text: string, type: NoteKeyType = "note"): NoteKey {
  const wanted = `not a verifier key of type 0x0${TYPES[type]}`;
  // the last part is base64, which may hold a plus
  const [, name, id, body] =
    /^([^+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})$/.exec(text) ?? [];
  if (name === undefined || body === undefined) return refuse(wanted);
  const data = base64Or(body);
  if (data.length !== 33 || data[0] !== TYPES[type]) return refuse(wanted);
  const x = base64url(data.subarray(1));
  const made = noteKey(c, name, { kty: "OKP", crv: "Ed25519", x }, type);
  if (hex(made.id) !== id) return refuse("the id of the verifier key is of another key");
  if (!c.isValidKey(made.key)) return refuse("not an Ed25519 key");
  return made;
}

function base64Or(text: string): Bytes {
  try {
    return fromBase64(text);
  } catch {
    return refuse("not base64");
  }
}

/**
 * Signs a text as a note with one signature line.
 * @param text ends in a newline and holds no other control character
 * @throws Refusal `checkpoint_invalid` when text, name or key do not fit
 */
export async function signNote(c: Crypto, text: string, name: string, by: Signer): Promise<string> {
  if (!text.endsWith("\n") || CONTROL.test(text)) refuse("not a note text");
  const key = noteKey(c, name, by.key, "note");
  return `${text}\n${signatureLine(key, await by.sign(utf8(text)))}`;
}

/** One signature line with its newline. */
export function signatureLine({ name, id }: NoteKey, signature: Bytes): string {
  return `— ${name} ${base64(concat(id, signature))}\n`;
}

interface SignatureLine {
  readonly name: string;
  readonly id: Bytes;
  readonly signature: Bytes;
}

function readSignatureLine(line: string): SignatureLine {
  const [dash, name, body, ...more] = line.split(" ");
  if (dash !== "—" || name === undefined || body === undefined || more.length > 0)
    return refuse("not a signature line");
  if (!isKeyName(name)) return refuse("not a key name");
  const data = base64Or(body);
  if (data.length < 5) return refuse("not a signature");
  return { name, id: data.subarray(0, 4), signature: data.subarray(4) };
}

/** A note taken apart; nothing is verified. */
export interface SignedNote {
  /** With its final newline. */
  readonly text: string;
  /** Signature lines as they stand in the note, each with its newline. */
  readonly lines: readonly string[];
}

/**
 * Takes a signed note apart.
 * @throws Refusal `checkpoint_invalid`
 */
export function parseNote(note: string): SignedNote {
  if (note.length > MAX_NOTE_LENGTH) refuse("longer than a note may be");
  if (CONTROL.test(note) || !note.endsWith("\n")) refuse("not a note");
  const blank = note.lastIndexOf("\n\n");
  if (blank < 1) refuse("no blank line before the signatures");
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) refuse("more signatures than are read");
  return { text: note.slice(0, blank + 1), lines: lines.map((line) => `${line}\n`) };
}

/**
 * What this key has signed in a note's lines; lines of other keys are ignored.
 * @throws Refusal `checkpoint_invalid` for a line that is none, whosesoever it is
 */
export function signaturesOf({ lines }: SignedNote, key: NoteKey): readonly Bytes[] {
  return lines
    .map((line) => readSignatureLine(line.slice(0, -1)))
    .filter((line) => line.name === key.name && equalBytes(line.id, key.id))
    .map(({ signature }) => signature);
}

/**
 * Opens a signed note (C2SP signed-note): lines of other keys are ignored, every line of this key must verify,
 * and there is at least one.
 * @returns the note text with its final newline
 * @throws Refusal `checkpoint_invalid`
 */
export async function openNote(c: Crypto, note: string, key: NoteKey): Promise<string> {
  const parsed = parseNote(note);
  const ours = signaturesOf(parsed, key);
  if (ours.length === 0) refuse("not signed by this key");
  for (const signature of ours)
    if (!(await c.verify("Ed25519", key.key, utf8(parsed.text), signature)))
      refuse("a signature of this key does not hold");
  return parsed.text;
}
