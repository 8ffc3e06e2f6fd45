import type { Pkcs11Uri } from "./uri.ts";

/** A token, as `pkcs11-tool --list-slots` shows it. */
export interface Token {
  readonly slotId: number;
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  /** Whether its keys sign for nobody who has not logged in. */
  readonly needsLogin: boolean;
  /** Whether the PIN is typed at the token itself. */
  readonly hasPinPad: boolean;
}

/** A public key object, as `pkcs11-tool --list-objects --type pubkey` shows it. */
export interface KeyObject {
  /** `EC`, `RSA`, `EC_EDWARDS` …: the first word of what the tool says of its kind. */
  readonly kind: string;
  readonly label: string;
  /** CKA_ID in lower-case hexadecimal; empty where the object has none. */
  readonly id: string;
  /** CKA_EC_PARAMS and CKA_EC_POINT in lower-case hexadecimal; empty where the tool shows none. */
  readonly ecParams: string;
  readonly ecPoint: string;
}

const MAX_ENTRIES = 256;
const SLOT = /^Slot \d+ \(0x([0-9a-f]{1,16})\):/;
const OBJECT = /^Public Key Object; (.+)$/;
/** Values stand in a column of their own: a label that begins or ends with spaces is named by its id. */
const FIELD = /^ {2}([A-Za-z][A-Za-z_ ]*?) *:(.*)$/;

type Fields = ReadonlyMap<string, string>;

/** The blocks of a listing: a head, and the indented fields below it. */
function blocks(text: string, head: RegExp): readonly (readonly [string, Fields])[] {
  const found: [string, Map<string, string>][] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, name] = head.exec(line) ?? [];
    if (name !== undefined && found.length < MAX_ENTRIES)
      found.push([name, new Map<string, string>()]);
    const [, field, value] = FIELD.exec(line) ?? [];
    const fields = found.at(-1)?.[1];
    if (field !== undefined && value !== undefined && fields?.has(field) === false)
      fields.set(field, value.trim());
  }
  return found;
}

/** The tokens of a listing that are there and initialised. */
export function readTokens(text: string): readonly Token[] {
  return blocks(text, SLOT).flatMap(([slot, fields]) => {
    const label = fields.get("token label");
    const flags = (fields.get("token flags") ?? "").split(", ");
    if (label === undefined) return [];
    return {
      slotId: Number.parseInt(slot, 16),
      label,
      manufacturer: fields.get("token manufacturer") ?? "",
      model: fields.get("token model") ?? "",
      serial: fields.get("serial num") ?? "",
      needsLogin: flags.includes("login required"),
      hasPinPad: flags.includes("PIN pad present"),
    };
  });
}

const hexOf = (value = ""): string => (/^[0-9a-f]+(?= |$)/i.exec(value)?.[0] ?? "").toLowerCase();

/** The public keys of a listing. */
export function readKeyObjects(text: string): readonly KeyObject[] {
  return blocks(text, OBJECT).map(([what, fields]) => ({
    kind: /^[A-Za-z0-9_-]+/.exec(what)?.[0] ?? "",
    label: fields.get("label") ?? "",
    id: hexOf(fields.get("ID")),
    ecParams: hexOf(fields.get("EC_PARAMS")),
    ecPoint: hexOf(fields.get("EC_POINT")),
  }));
}

/** Whether a token is one that the URI means. */
export function isToken(uri: Pkcs11Uri, token: Token): boolean {
  const { slotId, label, manufacturer, model, serial } = token;
  return (
    (uri.slotId ?? slotId) === slotId &&
    (uri.token ?? label) === label &&
    (uri.manufacturer ?? manufacturer) === manufacturer &&
    (uri.model ?? model) === model &&
    (uri.serial ?? serial) === serial
  );
}

/** Whether an object is one that the URI means. */
export function isKey(uri: Pkcs11Uri, { label, id }: KeyObject): boolean {
  return (uri.object ?? label) === label && (uri.id ?? id) === id;
}
