import type { Bytes } from "../crypto.ts";
import { concat } from "../bytes.ts";
import { Refusal } from "../refusal.ts";

function fourOctets(text: string): Bytes | undefined {
  const parts = text.split(".");
  const isPlain = parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return parts.length === 4 && isPlain ? Uint8Array.from(parts, Number) : undefined;
}

function groups(text: string): readonly string[] | undefined {
  const list = text === "" ? [] : text.split(":");
  return list.every((group) => /^[\da-f]{1,4}$/i.test(group)) ? list : undefined;
}

function sixteenOctets(text: string): Bytes | undefined {
  const [left, right, more] = text.split("::").map(groups);
  if (left === undefined || (text.includes("::") && right === undefined) || more !== undefined)
    return undefined;
  const missing = 8 - left.length - (right?.length ?? 0);
  if (text.includes("::") ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array.from({ length: missing }, () => "0"), ...(right ?? [])];
  const values = all.map((group) => Number.parseInt(group, 16));
  return concat(...values.map((value) => Uint8Array.of(value >> 8, value & 255)));
}

/**
 * Octets of an IP address for a subjectAltName: 4 of `127.0.0.1`, 16 of `::1`. No zone, no embedded dotted form.
 * @throws Refusal `configuration_invalid`
 */
export function ipOctets(text: string): Bytes {
  const octets = fourOctets(text) ?? sixteenOctets(text);
  if (octets === undefined) throw new Refusal("configuration_invalid", "not an IP address");
  return octets;
}
