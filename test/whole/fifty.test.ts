import { describe, expect, it } from "vitest";
import {
  entryId,
  presentedOf,
  readBundle,
  thumbprint,
  verify,
} from "../../packages/core/src/index.ts";
import type { Digest, Presented, Verdict } from "../../packages/core/src/index.ts";
import { generateSigner, nodeCrypto as c } from "../../packages/node/src/index.ts";
import { makeScene } from "../../packages/server/src/cases/scene.testing.ts";
import type { Scene } from "../../packages/server/src/cases/scene.testing.ts";
import { ownTrust } from "../../packages/server/src/cases/trust.ts";
import { textOf } from "../../packages/server/src/world.testing.ts";
import type { Answered } from "../../packages/server/src/world.testing.ts";

const AGENTS = 50;
const REVOKED = 17;

/** One agent: its registration, its installation's key, and what the owner approved for it. */
class Agent {
  readonly #scene: Scene;
  readonly #anchor = generateSigner();
  readonly #sub: string;
  readonly keys: string[] = [];
  cs: Digest | undefined;

  constructor(scene: Scene, name: string) {
    this.#scene = scene;
    this.#sub = entryId("example.org", name);
  }

  /** Asks with a new key, and with the approval where there is one. */
  ask(): Promise<Answered> {
    const { host } = this.#scene;
    const key = generateSigner();
    this.keys.push(thumbprint(c, key.key));
    host.anchor = this.#anchor;
    return host.ask({
      key,
      request: { sub: this.#sub },
      ...(this.cs === undefined ? {} : { cs: this.cs }),
    });
  }

  async approve(): Promise<void> {
    this.cs = await this.#scene.owner.approve(textOf((await this.ask()).body["id"]));
  }
}

function presentedIn({ body }: Answered): Presented {
  const bundle = readBundle(body["bundle"] ?? {});
  return presentedOf(textOf(body["wit"]), undefined, bundle);
}

describe("one owner key that signs for fifty agents with fifty keys", () => {
  it("proves each, and when one is halted forty-nine go on", async () => {
    const scene = await makeScene();
    const { rig, owner } = scene;
    const agents: Agent[] = [];
    for (let i = 0; i < AGENTS; i += 1) {
      await scene.put({ name: `agent-${i}` });
      const agent = new Agent(scene, `agent-${i}`);
      agents.push(agent);
      await agent.approve();
    }
    const judge = async (answer: Answered): Promise<Verdict> =>
      verify(
        c,
        presentedIn(answer),
        await ownTrust(rig.world, [{ jkt: owner.jkt }]),
        { proof: "logged" },
        rig.now(),
      );
    const verdicts: Verdict[] = [];
    for (const agent of agents) verdicts.push(await judge(await agent.ask()));
    expect(new Set(verdicts.map(({ agent }) => agent)).size).toBe(AGENTS);
    expect(new Set(agents.flatMap(({ keys }) => keys)).size).toBe(2 * AGENTS);
    expect(new Set(agents.map(({ cs }) => cs)).size).toBe(AGENTS);
    expect(new Set(verdicts.map((verdict) => verdict.owner?.id))).toEqual(new Set([owner.id]));

    const target = verdicts[REVOKED]?.agent ?? "";
    const halt = { scope: "agent", target, reason: "" };
    expect((await rig.call("admin", "POST /v1/halts", { json: halt })).word).toBe("200");
    rig.advance(450);
    const again: (string | undefined)[] = [];
    for (const agent of agents) {
      const answer = await agent.ask();
      again.push(answer.status === 200 ? (await judge(answer)).proof : answer.word);
    }
    expect(again).toEqual(agents.map((_agent, i) => (i === REVOKED ? "halted" : "logged")));
    await rig.close();
  }, 60_000);
});
