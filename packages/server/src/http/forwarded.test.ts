import { describe, expect, it } from "vitest";
import { Refusal } from "@countersign/core";
import { silentLog } from "@countersign/node";
import { behindProxies, callerOf, trustedProxies } from "./forwarded.ts";

const PROXY = "10.1.0.5";
const trusted = trustedProxies(["10.1.0.0/24", "192.0.2.7", "fd00:1::/64"]);

function calledBy(peer: string | undefined, header: string | null): string | undefined {
  try {
    return callerOf(trusted, peer, header);
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe("who calls", () => {
  it.each<readonly [string, string | undefined, string | null, string | undefined]>([
    ["the peer, who says nothing", "203.0.113.9", null, "203.0.113.9"],
    ["the peer, who claims to be another", "203.0.113.9", "198.51.100.1", "203.0.113.9"],
    ["the peer, who claims to be a proxy", "203.0.113.9", PROXY, "203.0.113.9"],
    ["a peer next to the network", "10.1.1.5", "198.51.100.1", "10.1.1.5"],
    ["nobody known", undefined, "198.51.100.1", undefined],
    ["whom the proxy names", PROXY, "198.51.100.1", "198.51.100.1"],
    ["whom the proxy names, on an IPv6 socket", `::ffff:${PROXY}`, "198.51.100.1", "198.51.100.1"],
    ["whom a proxy with an IPv6 address names", "fd00:1::9", "2001:db8::1", "2001:db8::1"],
    ["the last hop, not what the caller wrote", PROXY, "192.0.2.99, 198.51.100.1", "198.51.100.1"],
    [
      "the last hop, where the caller wrote a proxy's",
      PROXY,
      `${PROXY}, 198.51.100.1`,
      "198.51.100.1",
    ],
    [
      "the last hop, where the caller wrote nonsense",
      PROXY,
      "<script>, 198.51.100.1",
      "198.51.100.1",
    ],
    [
      "the hop before a second proxy",
      PROXY,
      "203.0.113.1, 198.51.100.1, 192.0.2.7",
      "198.51.100.1",
    ],
    ["a proxy itself, which asks whether we live", PROXY, null, PROXY],
    ["the first of proxies that stand alone", PROXY, "10.1.0.9, 192.0.2.7", "10.1.0.9"],
    ["a hop with its port", PROXY, "198.51.100.1:4711", "198.51.100.1"],
    ["an IPv6 hop with its port", PROXY, "[2001:db8::1]:4711", "2001:db8::1"],
    ["IPv4 written as IPv6", PROXY, "::ffff:198.51.100.1", "198.51.100.1"],
    ["no word that is an address", PROXY, "unknown", "malformed_request"],
    ["nothing where an address should be", PROXY, "", "malformed_request"],
    ["an address and a half", PROXY, "198.51.100.1 198.51.100.2", "malformed_request"],
    ["an address that is none", PROXY, "198.51.100.256", "malformed_request"],
  ])("is %s", (_name, peer, header, wanted) => {
    expect(calledBy(peer, header)).toBe(wanted);
  });

  it("is found in as many hops as a listener takes", () => {
    const forged = Array.from({ length: 1500 }, () => PROXY).join(",");
    expect(calledBy(PROXY, `${forged},198.51.100.1`)).toBe("198.51.100.1");
    expect(calledBy(PROXY, forged)).toBe(PROXY);
  });
});

describe("the networks of proxies", () => {
  it.each([
    ["a name", "proxy.example.org"],
    ["everybody", "0.0.0.0/0"],
    ["half of everybody", "128.0.0.0/1"],
    ["everybody of IPv6", "::/0"],
    ["a length that is none", "10.0.0.0/33"],
    ["a length of another family", "10.0.0.0/64"],
    ["half of a length", "10.0.0.0/"],
    ["a zone", "fe80::1%eth0"],
    ["nothing", ""],
  ])("are not %s", (_name, network) => {
    expect(() => trustedProxies([network])).toThrow(Refusal);
  });

  it.each(["10.0.0.0/8", "127.0.0.1", "::1", "fc00::/7", "2001:db8::/32"])(
    "may be %s",
    (network) => {
      expect(() => trustedProxies([network])).not.toThrow();
    },
  );
});

describe("an application behind proxies", () => {
  const heard = async (networks: readonly string[], header: string): Promise<string> => {
    const app = behindProxies(
      networks,
      (_request, { address = "nobody" }) => Promise.resolve(new Response(address)),
      silentLog,
    );
    const headers = { "x-forwarded-for": header };
    const request = new Request("https://server.test/", { headers });
    return (await app(request, { address: PROXY })).text();
  };

  it("hears who calls, where the proxy is trusted", async () => {
    expect(await heard([PROXY], "198.51.100.1")).toBe("198.51.100.1");
  });

  it("hears of the peer, where nobody is", async () => {
    expect(await heard([], "198.51.100.1")).toBe(PROXY);
    expect(await heard(["10.1.0.6"], "198.51.100.1")).toBe(PROXY);
  });

  it("is not asked where the proxy passes on no address", async () => {
    expect(JSON.parse(await heard([PROXY], "unknown"))).toMatchObject({
      reason: "malformed_request",
    });
  });
});
