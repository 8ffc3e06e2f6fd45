import { describe, expect, it } from "vitest";
import { base64, buildRoot, pemEncode, Refusal, vkeyOf } from "@countersign/core";
import { generateSigner, nodeCrypto as c, parseConfig } from "@countersign/node";
import { configOf, SERVER_SCHEMA } from "./config.ts";
import type { ServerConfig } from "./config.ts";

const vkey = vkeyOf(c, "witness.example/w1", generateSigner("Ed25519").key, "cosignature");

function configWith(...witnesses: readonly string[]): ServerConfig {
  const yaml = `trust_domain: example.org\nwitnesses: ${JSON.stringify(witnesses)}\n`;
  return configOf(parseConfig(yaml, SERVER_SCHEMA));
}

describe("witnesses in the configuration", () => {
  it.each([
    ["an origin", `${vkey}@https://w.example`, { url: "https://w.example", prefix: "" }],
    ["a prefix", `${vkey}@https://w.example/a/b`, { url: "https://w.example", prefix: "/a/b" }],
    [
      "a slash at its end",
      `${vkey}@https://w.example:1/a/`,
      { url: "https://w.example:1", prefix: "/a" },
    ],
  ])("takes %s", (_name, text, wanted) => {
    expect(configWith(text).witnesses).toEqual([{ vkey, ...wanted }]);
  });

  it("takes none", () => {
    expect(configWith().witnesses).toEqual([]);
  });

  it.each([
    ["an address alone", ["https://w.example"]],
    ["a key alone", [vkey]],
    ["another scheme", [`${vkey}@ftp://w.example`]],
    ["a name and password", [`${vkey}@https://me:pw@w.example`]],
    ["a query", [`${vkey}@https://w.example/?q`]],
    ["one witness twice", [`${vkey}@https://w.example`, `${vkey}@https://v.example`]],
  ])("refuses %s", (_name, texts) => {
    expect(() => configWith(...texts)).toThrow(Refusal);
  });
});

describe("how long a recovery can be cancelled", () => {
  const secondsOf = (line: string): number =>
    configOf(parseConfig(`trust_domain: example.org\n${line}`, SERVER_SCHEMA)).recoveryDelaySeconds;

  it.each([
    ["a day, unless something is said", "", 86_400],
    ["a day", "recovery_delay_seconds: 86400", 86_400],
    ["three", "recovery_delay_seconds: 259200", 259_200],
  ])("is %s", (_what, line, wanted) => {
    expect(secondsOf(line)).toBe(wanted);
  });

  it.each([
    ["a second less than a day", "recovery_delay_seconds: 86399"],
    ["no time", "recovery_delay_seconds: 0"],
    ["more than thirty days", "recovery_delay_seconds: 2592001"],
    ["a word", "recovery_delay_seconds: never"],
  ])("is not %s", (_what, line) => {
    expect(() => secondsOf(line)).toThrow(Refusal);
  });
});

describe("roots of authenticators' makers in the configuration", async () => {
  const signer = generateSigner();
  const name = { origin: "spiffe://example.org", hierarchy: "agents", name: "a root" } as const;
  const dates = { serial: new Uint8Array(16).fill(7), notBefore: 0, notAfter: 86_400 };
  const root = await buildRoot(c, { ...name, ...dates }, signer);
  const configOfRoots = (roots: readonly string[]): ServerConfig =>
    configOf(
      parseConfig(
        `trust_domain: example.org\nattestation_roots: ${JSON.stringify(roots)}\n`,
        SERVER_SCHEMA,
      ),
    );

  it("takes PEM and base64, and none by default", () => {
    expect(configOfRoots([pemEncode("CERTIFICATE", root), base64(root)]).attestationRoots).toEqual([
      root,
      root,
    ]);
    expect(configWith().attestationRoots).toEqual([]);
  });

  it.each([
    ["a path to a file", ["/etc/countersign/root.pem"]],
    ["octets that are no certificate", ["AAAA"]],
    ["65 roots", Array.from({ length: 65 }, () => base64(root))],
  ])("refuses %s", (_name, roots) => {
    expect(() => configOfRoots(roots)).toThrow(Refusal);
  });
});

describe("networks that notices may call", () => {
  const networksOf = (...networks: readonly string[]): readonly string[] =>
    configOf(
      parseConfig(
        `trust_domain: example.org\nnotice_networks: ${JSON.stringify(networks)}\n`,
        SERVER_SCHEMA,
      ),
    ).noticeNetworks;

  it("are none, unless some are named", () => {
    expect(networksOf()).toEqual([]);
    expect(networksOf("10.20.0.0/16", "fd00:1::/32")).toEqual(["10.20.0.0/16", "fd00:1::/32"]);
  });

  it.each(["10.20.0.0", "0.0.0.0/0", "::/0", "example.org/24", "10.20.0.0/33"])(
    "are not %s",
    (network) => {
      expect(() => networksOf(network)).toThrow(Refusal);
    },
  );
});

describe("whom push services may write to", () => {
  const contactOf = (value: string): string | undefined =>
    configOf(
      parseConfig(
        `trust_domain: example.org\npush_contact: ${JSON.stringify(value)}\n`,
        SERVER_SCHEMA,
      ),
    ).pushContact;

  it.each(["mailto:ops@example.org", "https://example.org/contact"])("takes %s", (value) => {
    expect(contactOf(value)).toBe(value);
  });

  it("takes none: nothing is pushed", () => {
    expect(
      configOf(parseConfig("trust_domain: example.org\n", SERVER_SCHEMA)).pushContact,
    ).toBeUndefined();
  });

  it.each([
    "ops@example.org",
    "mailto:ops",
    "http://example.org",
    "https://",
    "mailto:a b@c.d",
    "",
  ])("refuses %j", (value) => {
    expect(() => contactOf(value)).toThrow(Refusal);
  });
});
