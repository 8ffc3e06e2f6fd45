import { isObject, parseJson } from "@countersign/core";
import type { JsonObject } from "@countersign/core";
import type { LogRow } from "../store/rows.ts";

const LIMITS = { maxBytes: 65_536, maxDepth: 16 };

/** What the record of a log row says, or nothing once it was erased. */
export function recordOf({ record }: Pick<LogRow, "record">): JsonObject {
  if (record === undefined) return {};
  const value = parseJson(record, LIMITS);
  return isObject(value) ? value : {};
}

const isAmong = ({ owner, parties }: JsonObject, who: string): boolean => {
  const among = isObject(parties) ? parties["owners"] : undefined;
  return owner === who || (Array.isArray(among) && among.includes(who));
};

/** Whether a record is of this owner, by himself or among several; of an agent that is, or was, registered for him. */
export function concerns(record: JsonObject, who: string): boolean {
  const { owner, scope, target, entry, was } = record;
  if ([record, entry, was].some((part) => isObject(part) && isAmong(part, who))) return true;
  return owner === undefined && scope === "owner" && target === who;
}
