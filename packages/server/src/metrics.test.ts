import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { createMetrics } from "@countersign/node";
import { approvedScene, askedScene, makeScene } from "./cases/scene.testing.ts";
import { ENTRY_ID } from "./people.testing.ts";
import { watchServer } from "./metrics.ts";
import type { Rig } from "./world.testing.ts";

/** Every sample by its name with labels. */
async function metricsOf(rig: Rig): Promise<ReadonlyMap<string, number>> {
  const { text, type } = await rig.call("admin", "GET /metrics");
  expect(type).toBe("text/plain; version=0.0.4");
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    samples.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

const decisions = (type: string, outcome = "written"): string =>
  `countersign_decisions_total{outcome="${outcome}",type="${type}"}`;

describe("/metrics", () => {
  it("says that a question waits, and that nothing is held", async () => {
    const { rig } = await askedScene();
    const seen = await metricsOf(rig);
    expect(seen.get("countersign_asks_open")).toBe(1);
    expect(seen.get("countersign_grants_live")).toBe(0);
    expect(seen.get("countersign_hold")).toBe(0);
    expect(seen.get("countersign_store_readable")).toBe(1);
    expect(seen.get("countersign_log_leaves")).toBe(await rig.logSize());
    expect(seen.get('countersign_answers_total{listener="api",status="202"}')).toBe(1);
    await rig.close();
  });

  it("counts what was issued, approved, stopped and refused, by reason", async () => {
    const { rig, host, cs } = await approvedScene();
    await host.ask({ cs });
    const halt = { scope: "entry", target: ENTRY_ID, reason: "drill" };
    await rig.call("admin", "POST /v1/halts", { json: halt });
    expect((await host.ask({ cs })).word).toBe("halted");
    const seen = await metricsOf(rig);
    expect(seen.get(decisions("credential.issued"))).toBe(1);
    expect(seen.get(decisions("halt.set"))).toBe(1);
    expect(seen.get("countersign_stops_in_force")).toBe(1);
    expect(seen.get("countersign_grants_live")).toBe(0);
    const refused = 'countersign_answers_total{listener="api",reason="halted",status="403"}';
    expect(seen.get(refused)).toBe(1);
    expect(seen.get("countersign_commit_seconds_count")).toBeGreaterThanOrEqual(
      await rig.logSize(),
    );
    await rig.close();
  });

  it("says when what signs ends, and whether the streams are open", async () => {
    const { rig, host } = await makeScene();
    const stream = await rig.api(new Request("https://server.test/v1/state"), {
      certificate: host.certificate,
    });
    const seen = await metricsOf(rig);
    expect(seen.get("countersign_state_streams")).toBe(1);
    expect(seen.get('countersign_key_end_timestamp_seconds{use="wit"}')).toBe(
      rig.world.keys.wit[0]?.exp,
    );
    await stream.body?.cancel();
    await rig.close();
  });

  it("says something when the store cannot be read", async () => {
    const { rig } = await makeScene();
    const metrics = createMetrics();
    const checkpoint = (): Promise<never> => Promise.reject(new Refusal("indeterminate"));
    const store = new Proxy(rig.world.store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (name === "checkpoint") return checkpoint;
        if (name === "hold") return () => "the log is behind";
        return typeof member === "function"
          ? (...given: unknown[]) => Reflect.apply(member, target, given) as unknown
          : member;
      },
    });
    const text = await watchServer(metrics, { ...rig.world, store }, rig.feed).render();
    expect(text).toContain("\ncountersign_hold 1\n");
    expect(text).toContain("\ncountersign_store_readable 0\n");
    await rig.close();
  });
});
