import { describe, expect, it } from "vitest";
import { paintLine } from "./screen-paint.ts";

const marked = (line: string): string =>
  paintLine({ paint: (style, text) => `<${style}>${text}` }, line);

describe("a line of the owner's screen", () => {
  it.each([
    ["[/_] mailer asks for a credential on build-3", "bold"],
    ["WHAT IT CAN DO", "bold"],
    ["IN FULL                     digest GmfUsjl9", "bold"],
    ["! CANNOT BE UNDONE, 1 of 1", "yellow"],
    ["  | I have been updated", "dim"],
    ["-------", "dim"],
  ])("%s is %s", (line, style) => {
    expect(marked(line)).toBe(`<${style}>${line}`);
  });

  it.each([
    '  The agent is "spiffe://example.com/agent/mailer".',
    'owner:      "urn:agent-owner:example.com:7Qm0Zs6Yw1"',
    "You announced it.",
    "",
  ])("%j stays as it is", (line) => {
    expect(marked(line)).toBe(line);
  });

  it("is the same without colours", () => {
    expect(paintLine({ paint: (_style, text) => text }, "! it runs as root")).toBe(
      "! it runs as root",
    );
  });
});
