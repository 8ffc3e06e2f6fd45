import { describe, expect, it } from "vitest";
import type { Habits, JsonObject } from "@countersign/core";
import { judge } from "./judge.ts";
import type { Facts } from "./judge.ts";

const NOW = 1_800_000_000;
const DAY = 86_400;
const KEYS = {
  agents_ca: { not_after: NOW + 30 * DAY },
  infrastructure_ca: { not_after: NOW + 30 * DAY },
  wit: [{ nbf: NOW - 300, exp: NOW + 30 * DAY }],
  log: "id.example.org/log+00000000+A",
};
const HOST = {
  id: "spiffe://example.org/proxy/here",
  state: "enrolled",
  not_after: NOW + 7 * DAY,
  forked: false,
};
const SERVER: JsonObject = { now: NOW, keys: KEYS, proxies: [HOST] };
const PROXY: JsonObject = {
  now: NOW,
  trust_domain: "example.org",
  connected: true,
  heard_at: NOW,
  certificate: { not_after: NOW + 7 * DAY },
};
const WELL: Facts = {
  now: NOW,
  nodeVersion: "v20.19.0",
  platform: "linux",
  server: { socket: "/run/countersign/server.sock", status: SERVER },
  proxy: { socket: "/run/countersign/proxy.sock", status: PROXY },
  folders: [{ path: "/var/lib/countersign/server", open: [], isReadable: true }],
  places: ["/run/countersign"],
};

const server = (change: JsonObject): Partial<Facts> => ({
  server: { socket: "s", status: { ...SERVER, ...change } },
});
const keys = (change: JsonObject): Partial<Facts> => server({ keys: { ...KEYS, ...change } });
const proxy = (change: JsonObject): Partial<Facts> => ({
  proxy: { socket: "s", status: { ...PROXY, ...change } },
});

const HABITS: Habits = {
  decided: 50,
  approved: 49,
  expired: 0,
  unseen: 0,
  byMachine: 0,
  timed: 49,
  medianSeconds: 20,
  signs: [],
};
const habits = (change: Partial<Habits>): Partial<Facts> => ({
  habits: new Map([
    ["alice", HABITS],
    ["bob", { ...HABITS, ...change }],
  ]),
});

const signedHere = (state: string): JsonObject => ({
  code: "9DD6X-2QK7M",
  state,
  until: NOW + DAY,
  ...(state === "refused" ? { reason: "halted" } : {}),
});

/** Name, what differs, and everything that is not good. */
const ROWS: readonly (readonly [string, Partial<Facts>, readonly string[]])[] = [
  ["a machine that is well", {}, []],
  ["Node 20.18", { nodeVersion: "v20.18.3" }, ["bad node"]],
  ["Node 24", { nodeVersion: "v24.1.0" }, []],
  ["an approval that waits", proxy({ presigned: [signedHere("waiting")] }), ["warning presigned"]],
  [
    "an approval that was refused",
    proxy({ presigned: [signedHere("refused")] }),
    ["bad presigned"],
  ],
  ["an approval that was accepted", proxy({ presigned: [signedHere("accepted")] }), []],
  ["owners who read", habits({}), []],
  [
    "an owner who signs at once",
    habits({ medianSeconds: 0, signs: ["signed_at_once"] }),
    ["warning owners"],
  ],
  [
    "an owner with two signs",
    habits({ signs: ["signed_at_once", "always_approved"] }),
    ["warning owners", "warning owners"],
  ],
  ["another system", { platform: "darwin" }, ["bad kernel"]],
  ["a kernel that is silent", { peerFault: "errno 1" }, ["bad kernel"]],
  ["no daemon at all", { server: {}, proxy: {} }, ["bad server", "bad proxy"]],
  ["a proxy host", { server: {} }, ["warning server"]],
  ["a server host", { proxy: {} }, ["warning proxy"]],
  ["a socket that nobody serves", { server: { socket: "s", fault: "refused" } }, ["bad server"]],
  ["a clock 10 s off", { now: NOW + 10 }, []],
  ["a clock 11 s off", { now: NOW - 11 }, ["warning clock"]],
  ["a clock 121 s off", { now: NOW + 121 }, ["bad clock"]],
  ["a hold", server({ hold: "the log is behind" }), ["bad hold"]],
  ["an agents CA of 10 days", keys({ agents_ca: { not_after: NOW + 10 * DAY } }), []],
  [
    "an agents CA of less",
    keys({ agents_ca: { not_after: NOW + 10 * DAY - 1 } }),
    ["warning agents CA"],
  ],
  ["an agents CA that ended", keys({ agents_ca: { not_after: NOW } }), ["bad agents CA"]],
  ["a hosts CA of less", keys({ infrastructure_ca: { not_after: NOW + 1 } }), ["warning hosts CA"]],
  ["a token key that ended", keys({ wit: [{ nbf: NOW - 9, exp: NOW - 1 }] }), ["bad token key"]],
  [
    "a token key not yet active",
    keys({ wit: [{ nbf: NOW + 9, exp: NOW + 90 }] }),
    ["bad token key"],
  ],
  ["no token key", keys({ wit: [] }), ["bad token key"]],
  [
    "a token key that ends when the next has begun",
    keys({
      wit: [
        { nbf: NOW + 600, exp: NOW + 30 * DAY },
        { nbf: NOW - 300, exp: NOW + 1200 },
      ],
    }),
    [],
  ],
  [
    "a token key that ends before the next begins",
    keys({
      wit: [
        { nbf: NOW - 300, exp: NOW + 600 },
        { nbf: NOW + 601, exp: NOW + 30 * DAY },
      ],
    }),
    ["warning token key"],
  ],
  [
    "a webhook that took nothing for days",
    server({ webhooks_disabled: [{ id: "wh_a", owner: "urn:a", since: NOW - DAY }] }),
    ["warning webhook"],
  ],
  ["a forked host", server({ proxies: [{ ...HOST, forked: true }] }), ["bad host"]],
  ["a stopped host", server({ proxies: [{ ...HOST, state: "halted" }] }), ["warning host"]],
  [
    "a host that never came back",
    server({ proxies: [{ ...HOST, not_after: NOW }] }),
    ["warning host"],
  ],
  ["a proxy that is cut off", proxy({ connected: false, heard_at: NOW - 90 }), ["bad uplink"]],
  ["a proxy that hears nothing", proxy({ heard_at: NOW - 61 }), ["bad uplink"]],
  [
    "a proxy's certificate of 2 days",
    proxy({ certificate: { not_after: NOW + 2 * DAY } }),
    ["warning proxy's key"],
  ],
  [
    "a proxy's certificate that ended",
    proxy({ certificate: { not_after: NOW } }),
    ["bad proxy's key"],
  ],
  [
    "a key that others read",
    { folders: [{ path: "/d", open: ["/d/keys/log.key"], isReadable: true }] },
    ["bad modes"],
  ],
  [
    "a folder of another user",
    { folders: [{ path: "/d", open: [], isReadable: false }] },
    ["warning modes"],
  ],
];

describe("the doctor", () => {
  it.each(ROWS)("sees %s", (_name, change, wanted) => {
    const findings = judge({ ...WELL, ...change }).filter(({ level }) => level !== "good");
    expect(findings.map(({ level, about }) => `${level} ${about}`)).toEqual(wanted);
    for (const finding of findings) expect(finding.next).toMatch(/\S/);
  });
});
