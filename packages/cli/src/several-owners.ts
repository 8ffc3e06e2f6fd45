import type { JsonObject } from "@countersign/core";
import { printable } from "@countersign/node";
import { list, number, text } from "./sockets.ts";

const named = (owners: readonly JsonObject[]): string =>
  owners.map((owner) => printable(text(owner, "name"))).join(", ");

/** ` 1 of 2 signed, asked: alice, bob`; empty where it takes one owner. */
export function signedSoFar(request: JsonObject): string {
  const { parties } = request;
  if (typeof parties !== "object" || parties === null || Array.isArray(parties)) return "";
  const of = parties as JsonObject; // an object, as was seen just now
  const owners = list(of, "owners");
  const signed = owners.filter((owner) => owner["signed"] === true);
  const missing = owners.filter((owner) => owner["signed"] !== true);
  const who = signed.length === 0 ? "" : ` by ${named(signed)}`;
  return `  ${signed.length} of ${number(of, "m")} signed${who}, asked: ${named(missing)}`;
}

/** What one of several owners is told whose signature was not yet the last. */
export function signedLines(id: string, answer: JsonObject): readonly string[] {
  const [signed, needed] = [number(answer, "signed"), number(answer, "needed")];
  return [
    `[/_] Signed, ${signed} of ${needed}. Nothing is granted yet to ${printable(text(answer, "agent"))}.`,
    `  Still asked: ${named(list(answer, "missing"))}. Each of them: countersign owner approve ${id} --key FILE`,
  ];
}
