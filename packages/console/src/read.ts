import { isObject } from "@countersign/core";
import type { Json, JsonObject } from "@countersign/core";

/** A member of an answer is not what its description says: a bug of one side, shown as such. */
export class Unreadable extends Error {}

export function text(from: JsonObject, name: string): string {
  const { [name]: value } = from;
  if (typeof value !== "string") throw new Unreadable(`${name} is not a text`);
  return value;
}

export function number(from: JsonObject, name: string): number {
  const { [name]: value } = from;
  if (typeof value !== "number") throw new Unreadable(`${name} is not a number`);
  return value;
}

export function optional<T>(
  from: JsonObject,
  name: string,
  read: (from: JsonObject, name: string) => T,
): T | undefined {
  return from[name] === undefined ? undefined : read(from, name);
}

/** An object; an empty one where there is none. */
export function object(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/** More than the server gives of anything: a page does not drown in what it is told. */
const MAX_ITEMS = 1000;

/** The objects of a list, the first thousand; none where there is no list. */
export function list(from: JsonObject, name: string): readonly JsonObject[] {
  const { [name]: value } = from;
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_ITEMS).filter((item: Json) => isObject(item));
}

/** The name in an id: its last segment. */
export const nameOf = (id: string): string => id.split("/").at(-1) ?? id;
