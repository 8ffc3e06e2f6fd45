import { describe, expect, it } from "vitest";
import type { JsonObject } from "@countersign/core";
import { outcomeOfStop } from "./stopper.ts";

const NOW = Date.parse("2026-11-23T14:06:52Z") / 1000;
const host = (name: string, more: JsonObject = {}): JsonObject => ({
  proxy: `spiffe://example.com/proxy/${name}`,
  agents: [],
  ...more,
});
const stop = (...hosts: readonly JsonObject[]): JsonObject => ({ now: NOW, hosts });
const until = NOW + 15 * 60;
const time = new Date(until * 1000).toLocaleTimeString([], {
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});

describe("what came of a stop", () => {
  it.each<[string, readonly JsonObject[], readonly string[], boolean]>([
    [
      "everybody confirmed",
      [stop(host("build-3", { confirmed_at: NOW }), host("build-1", { confirmed_at: NOW }))],
      ["2 of 2 hosts confirmed."],
      true,
    ],
    [
      "one has not, and holds credentials",
      [stop(host("build-3", { confirmed_at: NOW }), host("lab-09", { credentials_until: until }))],
      ["1 of 2 hosts confirmed.", `lab-09 has not answered; its credentials end by ${time}.`],
      false,
    ],
    [
      "one has not, and holds none",
      [stop(host("lab-09"))],
      ["0 of 1 host confirmed.", "lab-09 has not answered; it holds no credential that is alive."],
      false,
    ],
    [
      "of two stops on a host one is not confirmed",
      [
        stop(host("build-3", { credentials_until: until })),
        stop(host("build-3", { confirmed_at: NOW, credentials_until: until - 60 })),
      ],
      ["0 of 1 host confirmed.", `build-3 has not answered; its credentials end by ${time}.`],
      false,
    ],
    ["no host serves it", [stop()], ["No host serves it."], true],
  ])("%s", (_name, stops, lines, isDone) => {
    expect(outcomeOfStop(stops)).toEqual({ lines, isDone });
  });
});
