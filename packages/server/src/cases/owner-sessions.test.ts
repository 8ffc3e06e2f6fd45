import { nodeCrypto } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { seededRandom, START } from "../world.testing.ts";
import { IDLE_SECONDS, OwnerSessions, SESSION_SECONDS, WRITES_A_MINUTE } from "./owner-sessions.ts";

const made = (bounds?: ConstructorParameters<typeof OwnerSessions>[2]): OwnerSessions =>
  new OwnerSessions(nodeCrypto, seededRandom("sessions"), bounds);
const begin = (sessions: OwnerSessions, owner: string, now = START): string =>
  sessions.begin(owner, `key of ${owner}`, now).token;

describe("sessions of owners", () => {
  it("are kept by the digest of their token, and not by the token", () => {
    // where all digests are one, every token finds the session
    const c = { ...nodeCrypto, sha256: () => new Uint8Array(32) };
    const sessions = new OwnerSessions(c, seededRandom("sessions"));
    begin(sessions, "alice");
    expect(sessions.has("another token", START)).toBe(true);
  });

  it("are at most ten of one owner: the oldest goes, and nobody else's", () => {
    const sessions = made();
    const bob = begin(sessions, "bob");
    const tokens = Array.from({ length: 11 }, () => begin(sessions, "alice"));
    expect(tokens.map((token) => sessions.has(token, START))).toEqual([
      false,
      ...Array.from({ length: 10 }, () => true),
    ]);
    expect(sessions.has(bob, START)).toBe(true);
    expect(sessions.size).toBe(11);
  });

  it("write so often in a minute, each of them", () => {
    const sessions = made();
    const [one, two] = [begin(sessions, "alice"), begin(sessions, "alice")];
    const write = (token: string, now: number) => (): void => sessions.countWrite(token, now);
    for (let n = 0; n < WRITES_A_MINUTE; n += 1) write(one, START + (n % 60))();
    expect(write(one, START + 59)).toThrow("rate_limited");
    expect(write(two, START + 59)).not.toThrow();
    expect(write(one, START + 60)).not.toThrow();
    expect(write("nobody's", START)).toThrow("session_needed");
  });

  it("are bounded in all: the one that ends first goes", () => {
    const sessions = made({ ofAll: 3 });
    const tokens = ["a", "b", "c", "d"].map((owner, i) => begin(sessions, owner, START + i));
    expect(tokens.map((token) => sessions.has(token, START + 3))).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it("that are over make place", () => {
    const sessions = made({ ofAll: 3 });
    for (const owner of ["a", "b", "c"]) begin(sessions, owner);
    expect(sessions.size).toBe(3);
    const token = begin(sessions, "d", START + SESSION_SECONDS);
    expect(sessions.size).toBe(1);
    expect(sessions.has(token, START + SESSION_SECONDS)).toBe(true);
  });

  it.each<readonly [string, number, number, boolean]>([
    ["used, a second before its end", 60, SESSION_SECONDS - 1, true],
    ["used, at its end", 60, SESSION_SECONDS, false],
    ["unused, a second before an hour", SESSION_SECONDS, IDLE_SECONDS - 1, true],
    ["unused, after an hour", SESSION_SECONDS, IDLE_SECONDS, false],
  ])("%s", (_when, everySeconds, seconds, isThere) => {
    const sessions = made();
    const token = begin(sessions, "alice");
    for (let at = everySeconds; at < seconds; at += everySeconds) sessions.find(token, START + at);
    expect(sessions.has(token, START + seconds)).toBe(isThere);
  });

  it("say when they end early", () => {
    const sessions = made();
    const [one, two] = [sessions.begin("a", "k1", START), sessions.begin("a", "k2", START)];
    sessions.endOf("k1");
    expect([one.ended.aborted, two.ended.aborted]).toEqual([true, false]);
    sessions.end(two.token);
    expect(two.ended.aborted).toBe(true);
    expect(sessions.size).toBe(0);
  });
});
