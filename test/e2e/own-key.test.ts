import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pemDecode, pemEncode, readTrust } from "@countersign/core";
import { systemClock } from "@countersign/node";
import { has, Home } from "./countersign.ts";
import type { OwnerKeyFile, Running } from "./countersign.ts";

const PEER = fileURLToPath(new URL("own-key-peer.mjs", import.meta.url));
const OPENSSL = "openssl";
/** Renewed after half of it, so that a story of seconds has renewals. */
const TTL_SECONDS = 10;
const STORY_MS = 1.2 * TTL_SECONDS * 1000;

interface Peer {
  readonly id: string;
  readonly port: number;
  readonly running: Running;
}

/** Sends one command and waits for its answer. */
async function tell<T>({ running }: Peer, command: object): Promise<T> {
  const { length } = running.out;
  running.write(JSON.stringify(command));
  const line = await running.when("answer", ({ out }) => out[length]);
  return JSON.parse(line) as T; // what own-key-peer.mjs answers
}

interface Called {
  readonly statuses: readonly number[];
  readonly bodies: readonly string[];
  readonly serials: readonly string[];
}

/** @param forMs how long it calls again and again; 0 calls once */
const call = (from: Peer, to: Peer, forMs = 0): Promise<Called> =>
  tell(from, { call: `https://127.0.0.1:${to.port}/`, agent: to.id, forMs });

describe("two agents with keys of their own", () => {
  let home: Home;
  let owner: OwnerKeyFile;
  let one: Peer;
  let two: Peer;
  const trust = (): string => join(home.data, "relying-party.json");

  async function start(name: string): Promise<Peer> {
    const program = ["--program", process.execPath, "--script", PEER, "--audience", "*"];
    const more = ["--owner", "me", "--own-key", "--max-ttl", String(TTL_SECONDS)];
    await home.json(["agent", "register", name, ...program, ...more]);
    const command = ["run", "--agent", name, "--", process.execPath, PEER];
    const running = home.start(command, { PEER_TRUST: trust() });
    await home.approve((await home.waiting()).id, owner);
    const line = await running.when("ready peer", ({ out }) => out[0]);
    return { ...(JSON.parse(line) as { id: string; port: number }), running };
  }

  beforeAll(async () => {
    home = await Home.create();
    await home.dev();
    owner = await home.owner("me");
    one = await start("one");
    two = await start("two");
  });
  afterAll(() => home.close());

  it("speak through renewals of both without a failed request, and know owner and agent", async () => {
    const [there, back] = await Promise.all([call(one, two, STORY_MS), call(two, one, STORY_MS)]);
    expect(there).toMatchObject({ statuses: [200], bodies: [`${one.id} logged`] });
    expect(back).toMatchObject({ statuses: [200], bodies: [`${two.id} logged`] });
    for (const { serials } of [there, back]) expect(serials.length).toBeGreaterThan(1);
  });

  it("do not speak to another agent under that address", async () => {
    const elsewhere = { ...two, port: one.port };
    expect(await call(one, elsewhere)).toMatchObject({ bodies: ["untrusted_chain"] });
  });

  it.skipIf(!has(OPENSSL, "version"))("show what openssl takes for good", async () => {
    const { cert } = await tell<{ cert: string }>(one, { identity: true });
    const [leaf, ...above] = pemDecode(cert, "CERTIFICATE", 4);
    const [domain] = readTrust(readFileSync(trust()), systemClock()).values();
    const write = (name: string, ders: readonly (Uint8Array | undefined)[]): string => {
      const pem = ders.map((der) => pemEncode("CERTIFICATE", der ?? new Uint8Array()));
      writeFileSync(home.file(name), pem.join(""));
      return home.file(name);
    };
    const files = ["-CAfile", write("root.pem", domain?.bundle.roots ?? [])];
    const chain = ["-untrusted", write("chain.pem", above), write("leaf.pem", [leaf])];
    const asked = (purpose: string): readonly string[] => [
      ...["verify", "-x509_strict", "-purpose", purpose],
      ...files,
      ...chain,
    ];
    for (const purpose of ["sslserver", "sslclient"]) {
      const { stdout, stderr } = spawnSync(OPENSSL, asked(purpose), { encoding: "utf8" });
      expect(stdout + stderr).toBe(`${home.file("leaf.pem")}: OK\n`);
    }
  });

  it("a stop ends it: the stopped one has neither certificate nor connections", async () => {
    const { length } = one.running.out;
    await home.json(["halt", "agent", "one"]);
    await one.running.when("stop", ({ out }) => (out.length > length ? true : undefined));
    expect(one.running.out[length]).toContain("halted");
    expect(await tell(one, { identity: true })).toEqual({});
    expect(await call(one, two)).toMatchObject({ bodies: ["no_credential"] });
    expect((await call(two, one)).statuses).toEqual([0]);
  });
});
