import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";

describe("metrics", () => {
  it("are written as Prometheus reads them", () => {
    const metrics = createMetrics();
    const asked = metrics.counter("asks_total", "How often\nasked");
    asked.add({ outcome: "issued", door: 'a"b\\c\nd' });
    asked.add({ door: 'a"b\\c\nd', outcome: "issued" }, 2);
    asked.add({ outcome: "refused" }, -5);
    metrics.gauge("live", "Credentials").set(7);
    const took = metrics.histogram("took_seconds", "Time", [0.1, 1]);
    for (const value of [0.1, 0.5, 2]) took.observe(value, { path: "/a" });
    expect(metrics.render()).toBe(
      [
        "# HELP asks_total How often\\nasked",
        "# TYPE asks_total counter",
        'asks_total{door="a\\"b\\\\c\\nd",outcome="issued"} 3',
        'asks_total{outcome="refused"} 0',
        "# HELP live Credentials",
        "# TYPE live gauge",
        "live 7",
        "# HELP took_seconds Time",
        "# TYPE took_seconds histogram",
        'took_seconds_bucket{path="/a",le="0.1"} 1',
        'took_seconds_bucket{path="/a",le="1"} 2',
        'took_seconds_bucket{path="/a",le="+Inf"} 3',
        'took_seconds_sum{path="/a"} 2.6',
        'took_seconds_count{path="/a"} 3',
        "",
      ].join("\n"),
    );
  });

  it("are bounded in number", () => {
    const metrics = createMetrics();
    const counter = metrics.counter("a_total", "A");
    for (let i = 0; i < 1_100; i += 1) counter.add({ who: String(i) });
    counter.add({ who: "0" });
    const lines = metrics.render().split("\n");
    expect(lines.filter((line) => line.startsWith("a_total{"))).toHaveLength(1_000);
    expect(lines).toContain('a_total{who="0"} 2');
  });

  it("have names of their own, in the form that Prometheus takes", () => {
    const metrics = createMetrics();
    metrics.gauge("a", "A");
    expect(() => metrics.counter("a", "A")).toThrow(TypeError);
    expect(() => metrics.counter("a-b", "A")).toThrow(TypeError);
    expect(() => metrics.gauge("b", "B").set(1, { "x-y": "z" })).toThrow(TypeError);
  });
});
