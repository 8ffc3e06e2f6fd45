import { describe, expect, it } from "vitest";
import { ServerClock } from "./api.ts";

describe("the server's clock", () => {
  const HEARD = Date.parse("2026-11-23T14:06:51Z");
  it.each<[string, string | null, number, number]>([
    ["this browser's, before an answer came", null, 1_000_500, 1000],
    ["this browser's, where it agrees to a second", "Mon, 23 Nov 2026 14:06:50 GMT", HEARD, 51],
    [
      "the server's, where this browser is six minutes early",
      "Mon, 23 Nov 2026 14:12:51 GMT",
      HEARD,
      411,
    ],
    ["the server's, where this browser is late", "Mon, 23 Nov 2026 14:00:51 GMT", HEARD, -309],
    ["this browser's, where the answer says nothing of time", "yesterday", HEARD, 51],
  ])("is %s", (_name, date, nowMs, wanted) => {
    const clock = new ServerClock();
    clock.hear(date, nowMs);
    const base = nowMs === HEARD ? HEARD / 1000 - 51 : 0;
    expect(clock.now(nowMs) - base).toBe(wanted);
  });

  it("goes on with the steady clock of the browser", () => {
    const clock = new ServerClock();
    clock.hear("Mon, 23 Nov 2026 14:12:51 GMT", HEARD);
    expect(clock.now(HEARD + 61_999)).toBe(HEARD / 1000 + 360 + 61);
  });
});
