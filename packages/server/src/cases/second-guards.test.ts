import { readStatement } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import { expect, it } from "vitest";
import { textOf } from "../world.testing.ts";
import { approvedScene, before, makeScene } from "./scene.testing.ts";

it("a start that its owner announces at the very moment of the question is expected", async () => {
  let act: () => Promise<unknown> = () => Promise.resolve();
  const { rig, host } = await makeScene({ wrap: before("approval.asked", () => act()) });
  act = () => rig.call("admin", "POST /v1/owner/expectations", { json: { agent: "mailer" } });
  expect((await host.ask()).word).toBe("202");
  expect(await rig.world.store.asks({ state: "asked" })).toMatchObject([{ expected: true }]);
  await rig.close();
});

it("a printed code that was used says nothing of keys: its answer is that of any wrong one", async () => {
  const { rig, owner } = await makeScene();
  const made = await rig.call("admin", "POST /v1/owner/stop-codes", { json: { owner: owner.id } });
  const [code = ""] = made.body["codes"] as readonly string[]; // as the server gives them
  const use = (json: object): ReturnType<typeof rig.call> =>
    rig.call("admin", "POST /v1/owner/stop-codes/use", { json: { code, ...json } });
  expect(textOf((await use({ do: "stop" })).body["done"])).toBe("stop");
  for (const jkt of [owner.jkt, "A".repeat(43)])
    expect((await use({ do: "remove_key", jkt })).word).toBe("stop_code_invalid");
  await rig.close();
});

it("an approval burns the number of its statement, whatever became of the question", async () => {
  const { rig, cs } = await approvedScene();
  const grant = await rig.world.store.grant(cs);
  const { body } = readStatement(nodeCrypto, grant?.statement ?? new Uint8Array());
  const again = { kind: "jti", value: body.jti, until: Number.MAX_SAFE_INTEGER } as const;
  expect(await rig.world.store.commit({ changes: [], once: [again] })).toBe("used");
  await rig.close();
});
