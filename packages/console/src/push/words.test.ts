import { describe, expect, it } from "vitest";
import type { PushMessage } from "@countersign/core";
import { UNREAD, wordsOf } from "./words.ts";

describe("a notification", () => {
  it.each<readonly [Omit<PushMessage, "id">, string, string]>([
    [{ kind: "request", agent: "mail.er" }, "mail.er asks for you", "Open your inbox."],
    [{ kind: "digest", waiting: 1 }, "1 question waits for you", "Open your inbox."],
    [{ kind: "digest", waiting: 12 }, "12 questions wait for you", "Open your inbox."],
    [
      { kind: "key", change: "added" },
      "A key was added to yours",
      "If it was not you, stop everything and have it taken away.",
    ],
    [{ kind: "key", change: "removed" }, "One of your keys was taken away", "Open your console."],
    [
      { kind: "key", change: "codes_made" },
      "New stop codes of yours were made, and the old ones stop nothing",
      "If it was not you, make new ones.",
    ],
    [{ kind: "test" }, "Notices work on this device", "Nothing waits for you."],
  ])("of %o says who waits, and nothing of what for", (message, title, body) => {
    expect(wordsOf({ id: "n", ...message })).toEqual({ title, body });
  });

  it("of what cannot be read names nobody", () => {
    expect(UNREAD).toEqual({ title: "countersign", body: "Open your inbox." });
  });
});
