import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { handlerTarget } from "@countersign/node";
import { fakeCli } from "./cli.testing.ts";
import { firstInvitation, followInvitation } from "./first-invitation.ts";

const JKT = "f2LZTCd1Sibt2nzXNmmSvbH0UZWLyeGn5t5bQ2Ho2Mo";
const MADE = { id: "Ne0ggFCM", made_at: 1_795_430_000, expires_at: 1_795_430_600 };

const answer = (status: number, body: object): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": status < 400 ? "application/json" : "application/problem+json" },
  });

const problem = (status: number, reason: string): Response =>
  answer(status, {
    type: `urn:countersign:refusal:${reason}`,
    title: reason,
    status,
    reason,
    next: "-",
  });

describe("the first passkey, invited by countersign dev", () => {
  it.each([
    ["nobody has a key", [{ keys: [] }], answer(200, MADE), MADE],
    ["the only key was removed", [{ keys: [{ removed_at: 1 }] }], answer(200, MADE), MADE],
    ["somebody has one", [{ keys: [] }, { keys: [{}] }], answer(200, MADE), undefined],
    ["there is no console", [], problem(400, "configuration_invalid"), undefined],
  ])("where %s", async (_, owners, invited, wanted) => {
    const admin = handlerTarget((request) =>
      Promise.resolve(request.method === "GET" ? answer(200, { owners }) : invited),
    );
    expect(await firstInvitation(admin)).toEqual(wanted);
  });

  it.each([
    [
      "used",
      answer(200, { state: "used", jkt: JKT }),
      /the same eight characters: f2LZ TCd1\n.*remove-key/,
    ],
    [
      "cancelled",
      answer(200, { state: "cancelled" }),
      /No passkey was made: the link was cancelled.*countersign owner invite me\n$/,
    ],
    [
      "over",
      answer(200, { state: "over" }),
      /nobody used the code within ten minutes.*countersign owner invite me\n$/,
    ],
    [
      "over, and a key was enrolled in the terminal",
      answer(200, { state: "over" }),
      /^$/,
      [{ keys: [{}] }],
    ],
    ["open still", answer(200, { state: "open" }), /^$/],
    ["replaced by another", problem(404, "not_found"), /^$/],
    ["not told now", problem(503, "unreachable"), /^$/],
  ])(
    "says what became of the code: %s",
    async (_, state, wanted, owners: readonly object[] = []) => {
      const cli = { ...fakeCli(), stderr: new PassThrough() };
      let heard = "";
      cli.stderr.on("data", (piece: Buffer) => (heard += piece.toString()));
      let released = (): void => undefined;
      const onRelease = (listener: () => void): (() => void) => {
        released = listener;
        return () => undefined;
      };
      const admin = handlerTarget(({ url }) =>
        Promise.resolve(url.endsWith("/v1/owners") ? answer(200, { owners }) : state),
      );
      const stop = followInvitation(cli, { onRelease }, admin, MADE);
      released();
      await new Promise(setImmediate);
      await expect.poll(() => heard).toMatch(wanted);
      stop();
    },
  );
});
