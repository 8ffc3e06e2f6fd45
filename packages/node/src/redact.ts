/** Bounds of what one log field may hold. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 32;
const MAX_CHARACTERS = 2048;
const REDACTED = "[redacted]";

/** Words in a field's name that say its value is a secret … */
const SECRET_WORDS = new Set(
  "key keys token tokens secret secrets password passphrase pin wit wpt authorization cookie credential credentials evidence endorsement jwk pem".split(
    " ",
  ),
);
/** … unless the name's last word says that it is only about one. */
const ABOUT_WORDS = new Set(
  "id ids hash digest jkt thumbprint kind type name path file count bytes seconds ms exp state".split(
    " ",
  ),
);

/** What must not be logged even in the middle of a sentence: a JWS, PEM, an Authorization value. */
const PATTERNS: readonly RegExp[] = [
  /-----BEGIN [A-Z0-9 ]+-----[\s\S]*?(?:-----END [A-Z0-9 ]+-----|$)/g,
  /\b(?:Bearer|Basic|DPoP)\s+[A-Za-z0-9._~+/=-]+/gi,
  /eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)*/g,
];

export type LogValue =
  string | number | boolean | null | readonly LogValue[] | { readonly [name: string]: LogValue };

/** Whether a field of this name holds a secret: `wit`, `joinToken`, `private_key`; not `key_id`, `token_hash`. */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
  return words.some((word) => SECRET_WORDS.has(word)) && !ABOUT_WORDS.has(words.at(-1) ?? "");
}

/** The text without anything that looks like a token, key or certificate, and not longer than 2048 characters. */
export function redactText(text: string): string {
  const bounded = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  return PATTERNS.reduce((rest, pattern) => rest.replace(pattern, REDACTED), bounded);
}

function redactError(error: Error, depth: number): LogValue {
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) };
  return { name: error.name, message: redactText(error.message), ...code, ...cause };
}

/** A copy of the value that is safe to log: bounded in depth and size, secrets replaced. Octets show as a count. */
export function redact(value: unknown, depth = 0): LogValue {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "boolean" || value === null) return value;
  if (typeof value === "bigint") return String(value);
  if (value instanceof Error) return depth > MAX_DEPTH ? value.name : redactError(value, depth);
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (typeof value !== "object") return `[${typeof value}]`;
  if (depth >= MAX_DEPTH) return "[nested]";
  if (Array.isArray(value))
    return value.slice(0, MAX_ITEMS).map((item: unknown) => redact(item, depth + 1));
  return redactFields(value, depth + 1);
}

/** As `redact`, for named fields: a field with a secret's name is replaced whatever it holds, except true and false. */
export function redactFields(fields: object, depth = 0): { readonly [name: string]: LogValue } {
  const safe: Record<string, LogValue> = Object.create(null) as Record<string, LogValue>; // no prototype to write to
  for (const [name, value] of Object.entries(fields).slice(0, MAX_ITEMS)) {
    if (value === undefined) continue;
    safe[redactText(name)] =
      isSecretName(name) && typeof value !== "boolean" ? REDACTED : redact(value, depth);
  }
  return safe;
}
