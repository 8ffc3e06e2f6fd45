// Many who call the console's listener at a time, and who say that they are others.
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Home, until } from "./countersign.ts";
import type { Running } from "./countersign.ts";
import { freePort } from "../../packages/node/src/index.ts";
import { exchange, requestOf } from "./wire.ts";

const PAGE = "consent.example.org";
const PROXY = "127.0.0.2";
/** As many as its listener holds. */
const BOUND = 4096;
const MANY = 2000;

let home: Home;
let server: Running;
let url: URL;

beforeAll(async () => {
  home = await Home.create();
  url = new URL(`http://127.0.0.1:${await freePort()}`);
  const ports = ["--api-port", "0", "--public-port", "0", "--console-port", url.port];
  const init = ["server", "init", "--trust-domain", "example.org", ...ports];
  await home.json([...init, "--forwarded-by", PROXY]);
  server = home.start(["server", "run"]);
  await server.when("server.running", ({ err }) =>
    err.find((line) => line.includes('"event":"server.running"')),
  );
});
afterAll(() => home.close());

/** One try, from one address of this machine. */
async function trySignIn(from: string, forwarded?: string): Promise<string> {
  const headers = [
    "content-type: application/json",
    `origin: https://${PAGE}`,
    ...(forwarded === undefined ? [] : [`x-forwarded-for: ${forwarded}`]),
  ];
  const sig = { k: "webauthn", a: "AA", c: "AA", s: "AA" };
  const body = JSON.stringify({ nonce: "AA", credential_id: "AA", sig });
  const octets = requestOf("POST /v1/owner/sign-in", { host: PAGE, headers, body });
  return (await exchange({ url, from }, ...octets)).word;
}

async function tries(count: number, from: string, forwarded: (i: number) => string) {
  const words: string[] = [];
  for (let i = 0; i < count; i += 1) words.push(await trySignIn(from, forwarded(i)));
  return words;
}

const anyone = async (): Promise<string> =>
  (await exchange({ url }, ...requestOf("GET /v1/owner/console", { host: PAGE }))).word;

describe("who calls the console", () => {
  it("is who the operator's proxy names, whatever the caller wrote before", async () => {
    const named = await tries(32, PROXY, (i) => `198.51.100.${i}, 203.0.113.${i}`);
    expect(new Set(named)).toEqual(new Set(["nonce_unknown"]));
    const same = await tries(31, PROXY, (i) => `198.51.100.${i}, 203.0.113.200`);
    expect(same.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => "nonce_unknown"));
    expect(same.at(-1)).toBe("rate_limited");
  });

  it("is the caller, where nobody trusted names another", async () => {
    const forged = await tries(31, "127.0.0.1", (i) => `192.0.2.${i}`);
    expect(forged.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => "nonce_unknown"));
    expect(forged.at(-1)).toBe("rate_limited");
    expect(await trySignIn(PROXY, "192.0.2.77")).toBe("nonce_unknown");
  });

  it("is nobody where the proxy passes on no address", async () => {
    expect(await trySignIn(PROXY, "unknown")).toBe("malformed_request");
  });
});

describe.skipIf(process.platform !== "linux")("connections that say nothing", () => {
  const sockets: Socket[] = [];
  const open = (): Promise<unknown> =>
    new Promise((resolve) => {
      const socket = connect(Number(url.port), url.hostname, () => resolve(undefined));
      sockets.push(socket.on("error", () => resolve(undefined)).resume());
    });
  const openAll = async (count: number): Promise<void> => {
    let left = count;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await open();
      }
    };
    await Promise.all(Array.from({ length: 64 }, lane));
  };
  const held = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
  const standing = (): number => sockets.filter(({ destroyed }) => !destroyed).length;
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
  });

  it(`are no harm to others, ${MANY} of them, and are closed`, async () => {
    const before = held();
    await openAll(MANY);
    expect(await anyone()).toBe("200");
    expect(held()).toBeLessThan(before + MANY + 100);
    await until("the end of them", () => standing() === 0 || undefined);
    await until("their descriptors", () => held() < before + 100 || undefined);
    expect(await anyone()).toBe("200");
  });

  it("are bounded: what comes beyond is closed, and the other listeners answer", async () => {
    const before = held();
    await openAll(BOUND + 500);
    expect(held()).toBeLessThanOrEqual(before + BOUND + 50);
    await until("those beyond the bound", () => standing() <= BOUND || undefined);
    expect(await home.local("server.sock", "/v1/status")).toHaveProperty("keys");
    for (const socket of sockets) socket.destroy();
    await until("room", async () => ((await anyone()) === "200" ? true : undefined));
    expect(server.end).toBeUndefined();
  });
});
