import { describe, expect, it } from "vitest";
import { codeOf } from "../refusal.testing.ts";
import { readForeignUrl } from "./foreign-url.ts";

const OPERATORS = "http://hooks.internal:8080";

describe("a URL that somebody else chose (T45)", () => {
  it.each([
    ["a path and a query", "https://hooks.example.net/a/b?c=d", "ok"],
    ["a port", "https://hooks.example.net:8443/", "ok"],
    ["the port of https, said", "https://hooks.example.net:443/", "ok"],
    ["nothing after the host", "https://hooks.example.net", "ok"],
    ["another case", "HTTPS://Hooks.Example.NET/", "address_refused"],
    ["the host in capitals", "https://Hooks.Example.NET/", "ok"],
    ["an address", "https://198.41.0.4/", "ok"],
    ["an IPv6 address", "https://[2620:fe::fe]/", "ok"],
    ["plain http that the operator lists", `${OPERATORS}/a`, "ok"],
    ["plain http", "http://hooks.example.net/", "address_refused"],
    ["the listed host on another port", "http://hooks.internal:8081/", "address_refused"],
    ["another scheme", "ftp://hooks.example.net/", "address_refused"],
    ["a file", "file:///etc/passwd", "address_refused"],
    ["no scheme", "hooks.example.net/a", "address_refused"],
    ["a user", "https://me@hooks.example.net/", "address_refused"],
    ["a host behind an @", "https://hooks.example.net@169.254.169.254/", "address_refused"],
    ["user and password", "https://me:pw@hooks.example.net/", "address_refused"],
    ["a backslash", "https://hooks.example.net\\@169.254.169.254/", "address_refused"],
    ["a backslash in the path", "https://hooks.example.net/\\a", "address_refused"],
    ["a fragment", "https://hooks.example.net/#a", "address_refused"],
    ["loopback as a number", "https://2130706433/", "address_refused"],
    ["loopback in hexadecimal", "https://0x7f000001/", "address_refused"],
    ["loopback in octal", "https://0177.0.0.1/", "address_refused"],
    ["loopback, short", "https://127.1/", "address_refused"],
    ["a mapped address in dotted form", "https://[::ffff:127.0.0.1]/", "address_refused"],
    ["an IPv6 address with needless zeros", "https://[2620:fe:0:0:0:0:0:fe]/", "address_refused"],
    ["an escape in the host", "https://127%2e0.0.1/", "address_refused"],
    ["letters that are folded to others", "https://ｈｏｓｔ.example.net/", "address_refused"],
    ["a full stop of another script", "https://hooks。example.net/", "address_refused"],
    ["a dot at the end", "https://localhost./", "address_refused"],
    ["a tab", "https://hooks.exam\tple.net/", "address_refused"],
    ["a line", "https://hooks.example.net/\r\nhost: a", "address_refused"],
    ["a space before", " https://hooks.example.net/", "address_refused"],
    ["no host", "https:///a", "address_refused"],
    ["a port that is none", "https://hooks.example.net:99999/", "address_refused"],
    ["nothing", "", "address_refused"],
    ["more than is read", `https://hooks.example.net/${"a".repeat(2048)}`, "address_refused"],
  ])("%s: %s", async (_what, text, code) => {
    expect(await codeOf(() => readForeignUrl(text, [OPERATORS]))).toBe(code);
  });
});
