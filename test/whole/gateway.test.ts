import { describe, expect, it } from "vitest";
import { fromBase64url, parseJson } from "../../packages/core/src/index.ts";
import type { Json } from "../../packages/core/src/index.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";
import { throughGateway } from "./gateway.ts";
import { makeWhole } from "./whole.ts";

const claimsOf = (issued: Answered): Json =>
  parseJson(fromBase64url(textOf(issued.body["wit"]).split(".")[1] ?? ""), {
    maxBytes: 8192,
    maxDepth: 6,
  });

describe("a proxy behind its owner's gateway (agent-identity 2.6)", () => {
  it("asks through it, a person approves in the ordinary way, and the credential comes through it", async () => {
    const whole = await makeWhole({ gateway: throughGateway() });
    expect((await whole.credential()).word).toBe("202");
    await whole.approve();
    const issued = await whole.credential();
    expect(issued.word).toBe("200");
    expect(claimsOf(issued)).toMatchObject({ countersign_owner: { model: "server", n: 1 } });
    expect((await whole.proof()).word).toBe("200");
    await whole.end();
  });

  it("renews through it, and hears of a stop through it", async () => {
    const whole = await makeWhole({ gateway: throughGateway() });
    await whole.credential();
    await whole.approve();
    await whole.credential();
    await whole.pass(450);
    const { store } = whole.scene.rig.world;
    await whole.until(async () => (await store.credentials()).length === 2);
    const { agent } = (await store.credentials())[0] ?? {};
    const json = { scope: "agent", target: agent, reason: "" };
    expect((await whole.scene.rig.call("admin", "POST /v1/halts", { json })).word).toBe("200");
    await whole.heard();
    expect((await whole.proof()).word).toBe("halted");
    await whole.end();
  });
});
