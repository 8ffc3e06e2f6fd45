import { describe, expect, it } from "vitest";
import { outcomeOf } from "../../packages/core/src/outcome.testing.ts";
import { Refusal } from "../../packages/core/src/index.ts";
import type { JsonObject, RefusalCode } from "../../packages/core/src/index.ts";
import { fakeCli } from "../../packages/cli/src/cli.testing.ts";
import { openRequest } from "../../packages/cli/src/open-request.ts";
import type { LocalApi } from "../../packages/cli/src/sockets.ts";
import { DIGITS, digitsScene } from "../../packages/server/src/cases/digits.testing.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Rig } from "../../packages/server/src/world.testing.ts";

/** The admin socket, asked as the command line asks it. */
function apiOf(rig: Rig, changed: (path: string) => string = (path) => path): LocalApi {
  const get = async (path: string): Promise<JsonObject> => {
    const { status, word, body } = await rig.call("admin", `GET ${changed(path)}`);
    if (status === 200) return body;
    throw new Refusal(word as RefusalCode, undefined, textOf(body["next"])); // as the problem document says it
  };
  const never = (): never => {
    throw new Error("nothing is written here");
  };
  return { get, post: never, remove: never, target: {} as LocalApi["target"] }; // nobody asks for it
}

/** A server that has the digits typed by itself. */
const typing = (path: string): string => `${path.replace(/&match=\d\d/, "")}&match=${DIGITS}`;

describe("countersign owner approve, where a terminal shows two digits", () => {
  type Row = readonly [string, string | undefined, ((path: string) => string) | undefined, string];
  it.each<Row>([
    ["as the terminal shows them", DIGITS, undefined, "accepted"],
    ["wrong", "24", undefined, "digits_mismatched"],
    ["not two", "4", undefined, "malformed_request"],
    ["none, and nobody to ask", undefined, undefined, "terminal_required"],
    ["none, and a text that says some", undefined, typing, "statement_invalid"],
    ["others than the text says", "24", typing, "statement_invalid"],
  ])("given %s: %#", async (_name, digits, changed, wanted) => {
    const { rig, owner, id } = await digitsScene();
    const key = { jwk: owner.signer.key };
    const opening = { id, key, isElsewhere: false, digits };
    expect(await outcomeOf(() => openRequest(fakeCli(), apiOf(rig, changed), opening))).toBe(
      wanted,
    );
    await rig.close();
  });

  it("shows who asks, with the digits in the text that is signed", async () => {
    const { rig, owner, id } = await digitsScene();
    const key = { jwk: owner.signer.key };
    const opening = { id, key, isElsewhere: true, digits: DIGITS };
    const opened = await openRequest(fakeCli(), apiOf(rig), opening);
    if (opened === "deny" || opened === "quit") return expect.fail("nobody was asked");
    expect(opened.lines).toContain("Somebody sits at its terminal.");
    expect(opened.lines.join(" ")).toContain(`digits:     "${DIGITS}"`);
    await rig.close();
  });
});
