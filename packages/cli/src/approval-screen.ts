import { agentEntryOf, fenceNote, renderTerminal } from "@countersign/core";
import type { Json, JsonObject, Rendering } from "@countersign/core";
import { printable } from "@countersign/node";
import { changeLines } from "./change-lines.ts";
import { list, text } from "./sockets.ts";
import { instant } from "./terminal.ts";

const RULE_WIDTH = 79;

/** What the server tells beside the bytes to be signed; all of it is shown as observed, none of it decides. */
export interface ScreenParts {
  readonly view: JsonObject;
  readonly rendering: Rendering;
  /** Agent id and host as they stand in the statement. */
  readonly agent: string;
  readonly host: string | undefined;
  readonly anchor: string;
  readonly ownerKey: string;
  readonly deadline: number;
  /** Signed before the server was asked: what it ends at is days away. Default false. */
  readonly isBeforehand?: boolean;
}

const nameOf = (id: string): string => id.split("/").at(-1) ?? id;
const rule = (): string => "-".repeat(RULE_WIDTH);

function object(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {}; // checked just now
}

function observedLines(parts: ScreenParts): readonly string[] {
  const proc = object(
    object(object(object(object(parts.view["facts"])["evidence"])["submods"])["agent"])[
      "countersign_proc"
    ],
  );
  const exe = object(proc["exe"]);
  const scripts = list(proc, "args");
  const warnings = object(parts.view["appraisal"])["warnings"];
  const show = (value: Json | undefined): string =>
    typeof value === "string" || typeof value === "number" ? printable(String(value)) : "not known";
  return [
    `OBSERVED BY THE PROXY ON ${parts.host === undefined ? "ANY HOST" : nameOf(parts.host)}`,
    `  program file  ${show(exe["path"])}`,
    ...scripts.map(
      (script) =>
        `  main script   ${show(script["path"])}${script["basis"] === "argv" ? "  (as the program states)" : ""}`,
    ),
    `  process       ${show(proc["pid"])}, user ${show(proc["uid"])}`,
    ...(Array.isArray(warnings) ? warnings.map((warning: Json) => `! ${show(warning)}`) : []),
  ];
}

function noteLines(view: JsonObject): readonly string[] {
  const note = object(view["claimed"])["note"];
  if (typeof note !== "string") return [];
  return [
    "THE AGENT SAYS. Not checked by anybody. Do not decide by this.",
    ...fenceNote(note).lines,
  ];
}

/** Who started the run, and that somebody sits there, by the proxy's word: labels, and no more. */
function startedLines({ view, host }: ScreenParts): readonly string[] {
  const { uid } = object(view["started_by"]);
  const waits = view["digits"] === undefined ? [] : ["Somebody sits at its terminal."];
  if (typeof uid !== "number") return waits;
  return [
    ...waits,
    `Started under uid ${uid} on ${nameOf(host ?? "any host")} (the proxy's word).`,
  ];
}

/** The whole request as it is shown before signing: changes first, facts second, claims last (console.md 6.3). */
export function approvalScreen(parts: ScreenParts, columns: number): readonly string[] {
  const { view, rendering } = parts;
  const name = nameOf(agentEntryOf(parts.agent));
  const reasons = list(view, "reasons").map((reason) => printable(text(reason, "text")));
  return [
    `[/_] ${name} asks for a credential on ${parts.host === undefined ? "any host" : nameOf(parts.host)}   code ${rendering.code}, to ${instant(parts.deadline).slice(parts.isBeforehand === true ? 0 : 11, 16)} UTC`,
    view["expected"] === true ? "You announced it." : "Nobody announced it.",
    ...startedLines(parts),
    "",
    ...changeLines(view),
    "WHY YOU ARE ASKED",
    ...reasons.map((reason) => `  ${reason}`),
    rule(),
    ...renderTerminal(rendering, { columns: Math.min(columns, 100) }),
    rule(),
    ...observedLines(parts),
    ...noteLines(view),
    `[/_] agent ${parts.anchor.slice(0, 8)} signed          you, key ${parts.ownerKey.slice(0, 8)}: not signed`,
  ];
}
