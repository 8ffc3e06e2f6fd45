import { describe, expect, it } from "vitest";
import { codeOf } from "../refusal.testing.ts";
import { guardAddresses } from "./address-guard.ts";

describe("addresses that somebody else chose (T45)", () => {
  const mayCall = guardAddresses();

  it.each([
    ["a public address", "198.41.0.4"],
    ["just below a private network", "9.255.255.255"],
    ["just above it", "11.0.0.0"],
    ["just below 100.64/10", "100.63.255.255"],
    ["just above 172.16/12", "172.32.0.0"],
    ["the last before multicast", "223.255.255.255"],
    ["a public IPv6 address", "2620:fe::fe"],
    ["the last of Teredo's neighbours", "2001:200::1"],
  ])("%s may be called", (_what, address) => {
    expect(mayCall(address)).toBe(true);
  });

  it.each([
    ["this host, as nothing", "0.0.0.0"],
    ["this network", "0.1.2.3"],
    ["a private network of class A", "10.0.0.1"],
    ["of class B", "172.16.0.1"],
    ["its last", "172.31.255.255"],
    ["of class C", "192.168.1.1"],
    ["a carrier's shared network", "100.64.0.1"],
    ["its last", "100.127.255.255"],
    ["loopback", "127.0.0.1"],
    ["all of loopback", "127.255.255.254"],
    ["the metadata of clouds", "169.254.169.254"],
    ["protocol assignments", "192.0.0.192"],
    ["documentation", "192.0.2.1"],
    ["benchmarks", "198.19.255.255"],
    ["more documentation", "203.0.113.9"],
    ["a relay of 6to4", "192.88.99.1"],
    ["multicast", "224.0.0.1"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["nothing in IPv6", "::"],
    ["loopback in IPv6", "::1"],
    ["loopback, mapped", "::ffff:127.0.0.1"],
    ["a private address, mapped, in hexadecimal", "::ffff:a00:1"],
    ["a public address, mapped", "::ffff:198.41.0.4"],
    ["an address that is compatible", "::127.0.0.1"],
    ["translated", "::ffff:0:127.0.0.1"],
    ["NAT64 of a private address", "64:ff9b::10.0.0.1"],
    ["NAT64 of a public one, where nobody translates", "64:ff9b::198.41.0.4"],
    ["NAT64 of one's own", "64:ff9b:1::1"],
    ["6to4 of a private address", "2002:a00:1::1"],
    ["6to4 of a public one", "2002:c629:4::1"],
    ["Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    ["documentation in IPv6", "2001:db8::1"],
    ["more of it", "3fff::1"],
    ["a unique local address", "fd00::1"],
    ["metadata in IPv6", "fd00:ec2::254"],
    ["link-local", "fe80::1"],
    ["link-local with a zone", "fe80::1%lo"],
    ["a public one with a zone", "2620:fe::fe%lo"],
    ["site-local", "fec0::1"],
    ["multicast in IPv6", "ff02::1"],
    ["discarded", "100::1"],
    ["what nobody has assigned yet", "4000::1"],
    ["segment routing", "5f00::1"],
    ["a name", "localhost"],
    ["nothing at all", ""],
    ["a number", "2130706433"],
    ["a short form", "127.1"],
  ])("%s may not", (_what, address) => {
    expect(mayCall(address)).toBe(false);
  });

  it.each([
    ["what an operator has listed", "10.20.3.4", true],
    ["what is beside it", "10.21.0.1", false],
    ["the same, mapped", "::ffff:10.20.3.4", false],
    ["what he has listed in IPv6", "fd12:3456::1", true],
    ["what is beside that", "fd12:3457::1", false],
    ["NAT64, which he has listed, of a public address", "64:ff9b::198.41.0.4", true],
    ["of a private one that he has listed", "64:ff9b::10.20.3.4", true],
    ["of a private one that he has not", "64:ff9b::10.21.0.1", false],
    ["of loopback", "64:ff9b::7f00:1", false],
    ["of nothing", "64:ff9b::", false],
    ["public addresses as before", "198.41.0.4", true],
  ])("with networks listed: %s", (_what, address, passes) => {
    const listed = guardAddresses(["10.20.0.0/16", "fd12:3456::/32", "64:ff9b::/96"]);
    expect(listed(address)).toBe(passes);
  });

  it.each([
    ["a network", ["10.0.0.0/8"], "ok"],
    ["an address alone", ["10.0.0.1"], "configuration_invalid"],
    ["everything", ["0.0.0.0/0"], "configuration_invalid"],
    ["everything of IPv6", ["::/0"], "configuration_invalid"],
    ["a prefix that is too long", ["10.0.0.0/33"], "configuration_invalid"],
    ["a name", ["localhost/8"], "configuration_invalid"],
    ["a zone", ["fe80::1%lo/64"], "configuration_invalid"],
    ["more than is looked through", Array(65).fill("10.0.0.0/8"), "configuration_invalid"],
  ] as [string, string[], string][])("a list of %s: %s", async (_what, networks, code) => {
    expect(await codeOf(() => guardAddresses(networks))).toBe(code);
  });
});
