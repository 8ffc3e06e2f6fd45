import { BlockList, isIP } from "node:net";
import { Refusal } from "@countersign/core";

/**
 * Networks that nobody outside may have us call, of the addresses that are global else (IANA special-purpose registries):
 * this host, private and shared ones, link-local with the metadata services of clouds, benchmarks, documentation, relays of
 * 6to4, multicast, reserved ones and broadcast.
 */
const FORBIDDEN_4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];
/**
 * What is global at all. Outside of it: loopback, mapped IPv4, NAT64, unique local, link-local, multicast, and what
 * nobody knows yet.
 */
const GLOBAL_6 = ["2000::", 3] as const;
/** Protocol assignments with Teredo, documentation, 6to4. */
const FORBIDDEN_6: readonly (readonly [string, number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];
const CIDR = /^([0-9a-fA-F.:]{2,45})\/([0-9]{1,3})$/;
const MAX_NETWORKS = 64;

function listOf(
  networks: readonly (readonly [string, number])[],
  family: "ipv4" | "ipv6",
): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, family);
  return list;
}

const forbidden4 = listOf(FORBIDDEN_4, "ipv4");
const forbidden6 = listOf(FORBIDDEN_6, "ipv6");
const global6 = listOf([GLOBAL_6], "ipv6");

const NAT64 = listOf([["64:ff9b::", 96]], "ipv6");

/** The IPv4 address that a translator calls in place of this one, if it is one of the network that is kept for that. */
function translated(address: string): string | undefined {
  if (!NAT64.check(address, "ipv6")) return undefined;
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1); // in its shortest form
  const groups = ["0", "0", ...(written.split("::")[1] ?? "").split(":")].slice(-2);
  return groups
    .map((group) => Number.parseInt(group === "" ? "0" : group, 16))
    .flatMap((value) => [value >> 8, value & 255])
    .join(".");
}

/** Says of an address whether it may be called. Takes the text of one address as a resolver gives it. */
export type AddressGuard = (address: string) => boolean;

interface Network {
  readonly family: 4 | 6;
  readonly list: BlockList;
}

/** @throws Refusal `configuration_invalid` */
function networkOf(text: string): Network {
  const [, address = "", bits = ""] = CIDR.exec(text) ?? [];
  const family = isIP(address);
  const prefix = Number(bits);
  // a network of everything would be the guard switched off by a slip
  if ((family !== 4 && family !== 6) || prefix < 8 || prefix > (family === 4 ? 32 : 128))
    throw new Refusal(
      "configuration_invalid",
      "a network is no ADDRESS/PREFIX",
      "Write each network as an address and the length of its prefix, 8 at least: 10.20.0.0/16",
    );
  const list = new BlockList();
  list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  return { family, list };
}

/**
 * The guard of addresses that somebody else chose (T45). Public addresses pass, and what an operator has listed.
 * @param networks CIDR of private networks that may be called. A mapped address, or one of 6to4 or NAT64, passes only where
 * its own network is listed, and one of NAT64 only where the IPv4 address in it passes too.
 * @throws Refusal `configuration_invalid`
 */
export function guardAddresses(networks: readonly string[] = []): AddressGuard {
  if (networks.length > MAX_NETWORKS)
    throw new Refusal("configuration_invalid", `more than ${MAX_NETWORKS} networks`);
  const listed = networks.map(networkOf);
  const mayCall: AddressGuard = (address) => {
    const family = address.includes("%") ? 0 : isIP(address); // a zone is a link
    if (family !== 4 && family !== 6) return false;
    // a list takes a mapped address for the IPv4 address in it: each family is asked about its own
    const isListed = listed.some(
      (network) =>
        network.family === family && network.list.check(address, family === 4 ? "ipv4" : "ipv6"),
    );
    const inside = family === 6 ? translated(address) : undefined;
    if (inside !== undefined && !mayCall(inside)) return false;
    if (family === 4) return isListed || !forbidden4.check(address, "ipv4");
    return isListed || (global6.check(address, "ipv6") && !forbidden6.check(address, "ipv6"));
  };
  return mayCall;
}
