import type { Clock } from "./clock.ts";
import { redactFields } from "./redact.ts";
import type { LogValue } from "./redact.ts";
import { paintFor, printable } from "./text.ts";
import type { Colour, Paint } from "./text.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";
const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const COLOUR: Readonly<Record<LogLevel, Colour>> = {
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
};

/** What happened, as a dotted name (`proxy.enrolled`), and its facts. Never throws, never waits. */
export type LogEvent = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** One line per event. Fields with a secret's name, and anything that looks like a token or key, are replaced. */
export type Log = Readonly<Record<LogLevel, LogEvent>>;

export interface LogOptions {
  readonly stream: { write(line: string): unknown; readonly isTTY?: boolean };
  /** `json`: one object a line. `terminal`: time, level, event, `name=value`; colours only on a terminal. */
  readonly format: "json" | "terminal";
  /** The least level that is written. Default `info`. */
  readonly level?: LogLevel;
  readonly clock: Clock;
  /** The environment's `NO_COLOR`, as `main.ts` read it. */
  readonly noColor?: string;
}

type Fields = Readonly<Record<string, LogValue>>;

function terminalValue(value: LogValue): string {
  if (typeof value !== "string") return printable(JSON.stringify(value));
  return /^[^\s"=\\]+$/.test(value) ? printable(value) : printable(JSON.stringify(value));
}

function terminalLine(
  paint: Paint,
  time: string,
  level: LogLevel,
  event: string,
  fields: Fields,
): string {
  const facts = Object.entries(fields).map(
    ([name, value]) => `${paint("dim", `${printable(name)}=`)}${terminalValue(value)}`,
  );
  const head = `${paint("dim", time.slice(11, 19))} ${paint(COLOUR[level], level.padEnd(5))}`;
  return [head, paint("bold", printable(event)), ...facts].join(" ");
}

/** A structured log on a stream: one line per event, nothing buffered. */
export function createLog(options: LogOptions): Log {
  const least = RANK[options.level ?? "info"];
  const paint = paintFor(options.stream, options.noColor);
  const write =
    (level: LogLevel): LogEvent =>
    (event, fields = {}) => {
      if (RANK[level] < least) return;
      const time = new Date(options.clock() * 1000).toISOString().replace(".000Z", "Z");
      const safe = redactFields(fields);
      const line =
        options.format === "terminal"
          ? terminalLine(paint, time, level, event, safe)
          : // the fields stand apart, so that none can pass for the time, the level or the event
            printable(JSON.stringify({ time, level, event, fields: safe }));
      options.stream.write(`${line}\n`);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** A log that nobody reads: the default where a caller gives none. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
