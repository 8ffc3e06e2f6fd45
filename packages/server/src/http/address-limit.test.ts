import { describe, expect, it } from "vitest";
import { AddressLimit } from "./address-limit.ts";

const NOW = 1_800_000_000;
const takes = (limit: AddressLimit, address: string, count: number, now = NOW): number =>
  Array.from({ length: count }, () => limit.takes(address, now)).filter(Boolean).length;

describe("what strangers may ask", () => {
  it("is ten times a minute from one address", () => {
    const limit = new AddressLimit();
    expect(takes(limit, "192.0.2.1", 12)).toBe(10);
    expect(takes(limit, "192.0.2.2", 12)).toBe(10);
    expect(takes(limit, "192.0.2.1", 1, NOW + 59)).toBe(0);
    expect(takes(limit, "192.0.2.1", 1, NOW + 60)).toBe(1);
  });

  it("is three hundred times a minute from all together", () => {
    const limit = new AddressLimit();
    const taken = Array.from({ length: 400 }, (_, i) => limit.takes(`192.0.2.${i}`, NOW));
    expect(taken.filter(Boolean)).toHaveLength(300);
  });

  it("is what the caller allows", () => {
    const limit = new AddressLimit({ ofAddress: 3, ofAll: 4 });
    expect(takes(limit, "192.0.2.1", 5)).toBe(3);
    expect(takes(limit, "192.0.2.2", 5)).toBe(1);
  });

  it.each([
    ["one address in two spellings", "192.0.2.1", "::ffff:192.0.2.1", true],
    ["two addresses", "192.0.2.1", "192.0.2.2", false],
    ["two of one IPv6 network", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true],
    ["two of one, written out", "2001:DB8:1:2:0:0:0:9", "2001:db8:1:2::1", true],
    ["two of two networks", "2001:db8:1:2::1", "2001:db8:1:3::1", false],
    ["short networks", "2001:db8::1", "2001:db8:0:0:5::1", true],
    ["nobody knows which", "", "", true],
  ])("counts %s", (_what, one, two, isShared) => {
    const limit = new AddressLimit();
    takes(limit, one, 10);
    expect(limit.takes(two, NOW)).toBe(!isShared);
  });

  it("goes on when the clock went back", () => {
    const limit = new AddressLimit();
    takes(limit, "192.0.2.1", 10);
    expect(takes(limit, "192.0.2.1", 1, NOW - 3600)).toBe(1);
  });
});
