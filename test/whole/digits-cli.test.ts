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

/**
 * The admin socket, asked as the command line asks it.
 * @param typed digits that the server takes by itself, whatever it was asked
 */
function apiOf(rig: Rig, typed?: { readonly jkt: string; readonly match: string }): LocalApi {
  const call = async (what: string, json?: JsonObject): Promise<JsonObject> => {
    const { status, word, body } = await rig.call(
      "admin",
      what,
      json === undefined ? {} : { json },
    );
    if (status === 200) return body;
    throw new Refusal(word as RefusalCode, undefined, textOf(body["next"])); // as the problem document says it
  };
  const get = (path: string): Promise<JsonObject> => {
    const [asked] = path.split("?");
    return typed === undefined ? call(`GET ${path}`) : call(`POST ${asked}/statement`, typed);
  };
  const post = (path: string, json: JsonObject): Promise<JsonObject> =>
    call(`POST ${path}`, typed ?? json);
  const never = (): never => {
    throw new Error("nothing is removed here");
  };
  return { get, post, remove: never, target: {} as LocalApi["target"] }; // nobody asks for it
}

describe("countersign owner approve, where a terminal shows two digits", () => {
  type Row = readonly [string, string | undefined, string | undefined, string];
  it.each<Row>([
    ["as the terminal shows them", DIGITS, undefined, "accepted"],
    ["wrong", "24", undefined, "digits_mismatched"],
    ["not two", "4", undefined, "malformed_request"],
    ["none, and nobody to ask", undefined, undefined, "terminal_required"],
    ["none, and a text that says some", undefined, DIGITS, "statement_invalid"],
    ["others than the text says", "24", DIGITS, "statement_invalid"],
  ])("given %s: %#", async (_name, digits, match, wanted) => {
    const { rig, owner, id } = await digitsScene();
    const key = { jwk: owner.signer.key };
    const opening = { id, key, isElsewhere: false, digits };
    const api = apiOf(rig, match === undefined ? undefined : { jkt: owner.jkt, match });
    expect(await outcomeOf(() => openRequest(fakeCli(), api, opening))).toBe(wanted);
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
