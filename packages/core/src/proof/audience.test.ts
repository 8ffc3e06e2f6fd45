import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outcomeOf } from "../outcome.testing.ts";
import { audienceOf, matchesLocation, sameAudience } from "./audience.ts";

describe("audience of a request", () => {
  test.each([
    ["https://API.Example.org/v1/Things?x=1#f", "https://api.example.org/v1/Things"],
    ["HTTPS://api.example.org", "https://api.example.org/"],
    ["https://api.example.org?x", "https://api.example.org/"],
    ["https://api.example.org:443/a", "https://api.example.org/a"],
    ["http://api.example.org:443/a", "http://api.example.org:443/a"],
    ["http://127.0.0.1:8080/a%2Fb//c/", "http://127.0.0.1:8080/a%2Fb//c/"],
    ["https://[2001:DB8::1]/a", "https://[2001:db8::1]/a"],
  ])("%s → %s", (url, audience) => {
    expect(audienceOf(url)).toBe(audience);
  });

  test.each([
    "ftp://example.org/",
    "https://user@example.org/",
    "https://user:pw@example.org/",
    "https://example.org:/a",
    "https://example.org\\@evil.example/",
    "https:///a",
    "https:/example.org",
    "//example.org/a",
    "https://exämple.org/",
    "https://example.org/a b",
    "https://example.org/a\n",
    "",
  ])("%j is refused", async (url) => {
    expect(await outcomeOf(() => audienceOf(url))).toBe("malformed_request");
  });

  test("is what WHATWG URL says, for addresses that need no repair", () => {
    fc.assert(
      fc.property(
        fc.webUrl({ validSchemes: ["http", "https"], withQueryParameters: true }),
        (text) => {
          const url = new URL(text);
          expect(audienceOf(url.href)).toBe(url.origin + url.pathname);
        },
      ),
    );
  });

  test.each([
    ["https://a.example/x", "https://A.example:443/x", true],
    ["https://a.example", "https://a.example/", true],
    ["https://a.example/x", "https://a.example/x/", false],
    ["https://a.example/x", "https://a.example/X", false],
    ["https://a.example/x", "https://a.example/%78", false],
    ["https://a.example/x", "http://a.example/x", false],
    ["https://a.example/x", "https://a.example/x?q", false],
    ["https://a.example/x", "https://a.example/x#", false],
    ["https://a.example/x", "https://a.example/y/../x", false],
    ["https://a.example:0443/x", "https://a.example/x", false],
    ["internal-api", "internal-api", true],
    ["internal-api", "Internal-api", false],
  ])("%s and %s: %s", (a, b, same) => {
    expect(sameAudience(a, b)).toBe(same);
    expect(sameAudience(b, a)).toBe(same);
  });
});

describe("locations of a ceiling (formats 3)", () => {
  test.each([
    ["https://h.example/x", "https://h.example/x", true],
    ["https://h.example/x", "https://h.example/x/y", true],
    ["https://h.example/x/", "https://h.example/x/y", true],
    ["https://h.example/x/", "https://h.example/x/", true],
    ["https://h.example/x/", "https://h.example/x", false],
    ["https://h.example/x", "https://h.example/xy", false],
    ["https://h.example/x/y", "https://h.example/x", false],
    ["https://h.example", "https://h.example/anything", true],
    ["https://h.example/x?a=1", "https://H.example:443/x/y?b=2#c", true],
    ["https://h.example/x", "https://h.example:8443/x", false],
    ["https://h.example/x", "http://h.example/x", false],
    ["https://h.example/x", "https://h.example.evil/x", false],
    ["https://h.example/x", "https://h.example@evil.example/x", false],
    ["https://h.example/x/", "https://h.example/x/../y", false],
    ["https://h.example/x/", "https://h.example/x/%2e%2E/y", false],
    ["https://h.example/x/", "https://h.example/x/..%2fy", false],
    ["https://h.example/x/", "https://h.example/x/..%5Cy", false],
    ["https://h.example/x/", "https://h.example/x/.", false],
    ["https://h.example/x/", "https://h.example/x/..a", true],
    ["not an address", "not an address", false],
  ])("%s reaches %s: %s", (location, resource, reaches) => {
    expect(matchesLocation(location, resource)).toBe(reaches);
  });

  test("what is reached stays below the location after any resolving", () => {
    const piece = fc.constantFrom("x", "..", ".", "%2e%2e", "..%2f", "%2E.", "", "y");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const resource = `https://h.example/x/${pieces.join("/")}`;
        fc.pre(matchesLocation("https://h.example/x", resource));
        const resolved = new URL(decodeURIComponent(resource)).pathname;
        expect(resolved.startsWith("/x/")).toBe(true);
      }),
    );
  });
});
