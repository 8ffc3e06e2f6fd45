import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { createLog, silentLog } from "./log.ts";
import type { LogOptions } from "./log.ts";
import { isSecretName } from "./redact.ts";
import { paintFor, printable } from "./text.ts";

const jws = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA-_";

/** What one event with these fields writes. */
function written(fields: object, options: Partial<LogOptions> = {}): string {
  const lines: string[] = [];
  const stream = { write: (line: string) => lines.push(line) };
  const log = createLog({ stream, format: "json", clock: () => 1_800_000_000, ...options });
  log.info("thing.happened", { ...fields });
  return lines.join("");
}

describe("a line", () => {
  it("in JSON", () => {
    expect(JSON.parse(written({ entry: "a", count: 2, level: "error", left: undefined }))).toEqual({
      time: "2027-01-15T08:00:00Z",
      level: "info",
      event: "thing.happened",
      fields: { entry: "a", count: 2, level: "error" },
    });
  });

  it("for a terminal", () => {
    expect(written({ entry: "a", note: "two words", n: [1] }, { format: "terminal" })).toBe(
      '08:00:00 info  thing.happened entry=a note="two words" n=[1]\n',
    );
  });

  it("has colours only on a terminal whose user wants them", () => {
    const write = (): boolean => true;
    let text = "";
    const stream = { isTTY: true, write: (line: string) => (text = line) };
    written({}, { format: "terminal", stream });
    expect(text).toContain("\u001b[32m");
    written({}, { format: "terminal", stream, noColor: "1" });
    expect(text).not.toContain("\u001b");
    expect(paintFor({ write, isTTY: true } as { isTTY: boolean }, "")("red", "x")).toContain(
      "\u001b",
    );
    expect(paintFor({}, undefined)("red", "x")).toBe("x");
  });

  it("is written from its level on", () => {
    const lines: string[] = [];
    const stream = { write: (line: string) => lines.push(line) };
    const log = createLog({ stream, format: "json", clock: () => 0, level: "warn" });
    for (const level of ["debug", "info", "warn", "error"] as const) log[level]("a");
    silentLog.error("a");
    expect(lines.map((line) => line.match(/"level":"(\w+)"/)?.[1])).toEqual(["warn", "error"]);
  });

  it("is one line that cannot steer a terminal, whatever stands in it", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.anything()), (fields) => {
        for (const format of ["json", "terminal"] as const) {
          const line = written(fields, { format });
          expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(line.endsWith("\n")).toBe(true);
          if (format === "json") JSON.parse(line);
        }
      }),
      { seed: 4, numRuns: 50 },
    );
  });
});

describe("redaction", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const rows: [string, object, string][] = [
    ["a token by its name", { join_token: "abc" }, "abc"],
    ["in camel case", { privateKey: "abc" }, "abc"],
    ["deep inside", { a: { b: [{ secret: "abc" }] } }, "abc"],
    ["a number", { pin: 987_654 }, "987654"],
    ["octets", { key: Uint8Array.of(201, 202) }, "201"],
    ["a JWS in a sentence", { detail: `bad ${jws} here` }, "eyJ"],
    ["a JWS as a name", { [jws]: 1 }, "eyJ"],
    ["a part of a JWS", { detail: jws.slice(0, 30) }, "eyJ"],
    ["an Authorization value", { detail: "sent Basic OnNlY3JldA==" }, "OnNl"],
    ["PEM", { detail: "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----" }, "abc"],
    ["PEM that is cut off", { detail: "-----BEGIN CERTIFICATE-----\nabc" }, "abc"],
    ["an error's words", { error: new Refusal("halted", jws) }, "eyJ"],
    ["an error's cause", { error: new Error("x", { cause: { wit: "abc" } }) }, "abc"],
    ["what lies too deep", { a: { b: { c: { d: { e: { f: "abc" } } } } } }, "abc"],
    ["too long a text's end", { detail: `${"x".repeat(3_000)}abc` }, "abc"],
    ["what refers to itself", circular, "self.self"],
  ];
  it.each(rows)("hides %s", (_name, fields, hidden) => {
    expect(written(fields)).not.toContain(hidden);
    expect(written(fields, { format: "terminal" })).not.toContain(hidden);
  });

  it.each([
    ["key_id", false],
    ["tokenHash", false],
    ["monkey", false],
    ["witness", false],
    ["kid", false],
    ["evidence_digest", false],
    ["key", true],
    ["wpt", true],
    ["Authorization", true],
    ["API-KEY", true],
    ["tokens", true],
  ])("a field named %s: %s", (name, wanted) => {
    expect(isSecretName(name)).toBe(wanted);
  });

  it("says what an error was", () => {
    const line = written({ error: new Refusal("halted", "agent x"), has_key: true });
    expect(line).toContain('"code":"halted"');
    expect(line).toContain("agent x");
    expect(line).toContain('"has_key":true');
  });
});

describe("printable", () => {
  it.each([
    ["plain", "aä€😀", "aä€😀"],
    ["a line end", "a\nb", "a\\u000ab"],
    ["an escape", "\u001b[31m", "\\u001b[31m"],
    ["C1", "\u009b31m", "\\u009b31m"],
    ["reordering", "\u202eabc", "\\u202eabc"],
    ["a tag beyond the first plane", "\u{e0041}", "\\udb40\\udc41"],
  ])("%s", (_name, text, wanted) => {
    expect(printable(text)).toBe(wanted);
  });
});
