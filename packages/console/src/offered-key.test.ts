import { expect, it } from "vitest";
import type { JsonObject } from "@countersign/core";
import { Problem, Unreachable } from "./api.ts";
import { offerEnd } from "./offered-key.ts";

type Answer = string | Error;

/** Follows a key about which the server says this, one after the other, and nothing after it. */
async function followed(
  answers: readonly Answer[],
  {
    shownFor = 99,
    lateAfter = 99,
  }: { readonly shownFor?: number; readonly lateAfter?: number } = {},
): Promise<
  readonly [end: string | undefined, asked: number, heard: readonly boolean[], ms: number]
> {
  let asked = 0;
  let waitedMs = 0;
  let looks = 0;
  const heard: boolean[] = [];
  const end = await offerEnd({
    ask: (): Promise<JsonObject> => {
      const answer = answers[asked] ?? new Unreachable("no more");
      asked += 1;
      return typeof answer === "string"
        ? Promise.resolve({ state: answer })
        : Promise.reject(answer);
    },
    isShown: () => (looks += 1) <= shownFor,
    isLate: () => asked >= lateAfter,
    heard: (isAnswered) => heard.push(isAnswered),
    pause: (ms) => {
      waitedMs += ms;
      return Promise.resolve();
    },
  });
  return [end, asked, heard, waitedMs];
}

const problem = (reason: string): Problem => new Problem(400, reason, reason, "-");

it.each(["enrolled", "declined", "cancelled", "over"])(
  "a key that waits is followed to its end: %s",
  async (end) => {
    expect(await followed(["waiting", "waiting", end])).toEqual([
      end,
      3,
      [true, true, true],
      15_000,
    ]);
  },
);

it("is gone where the server knows it no more", async () => {
  expect((await followed(["waiting", problem("invitation_invalid")]))[0]).toBe("gone");
});

it("is asked about again where nobody answered, or it was asked too often, and says so", async () => {
  const answers = [new Unreachable("cut"), problem("rate_limited"), "what", "enrolled"];
  expect(await followed(answers)).toEqual(["enrolled", 4, [false, false, true, true], 20_000]);
});

it("is asked about no more at the end of its time", async () => {
  expect(await followed(["waiting", "waiting"], { lateAfter: 2 })).toEqual([
    "unheard",
    2,
    [true, true],
    10_000,
  ]);
});

it("is asked about no more once its page was left", async () => {
  expect(await followed(["waiting"], { shownFor: 2 })).toEqual([undefined, 1, [true], 10_000]);
  expect(await followed(["enrolled"], { shownFor: 1 })).toEqual([undefined, 1, [true], 5000]);
});
