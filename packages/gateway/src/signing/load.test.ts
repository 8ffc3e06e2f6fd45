import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fromBase64url,
  Refusal,
  thumbprint,
  verifyOwnerSignature,
  writeOpensshPrivateKey,
} from "@countersign/core";
import type { OkpJwk } from "@countersign/core";
import {
  generatePrivateKey,
  nodeCrypto as c,
  nodeRandom,
  parseConfig,
  privateKeyToPem,
  publicJwkOf,
} from "@countersign/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GATEWAY_SCHEMA } from "../config.ts";
import { loadSigning } from "./load.ts";
import type { Signing } from "./sign.ts";

const OWNER = "urn:agent-owner:example.org:AAAAAAAAAAAA";
const DIGEST = `sha-256:${"A".repeat(43)}`;
const RULES = `v: 1
issuer: https://id.example.org
rules:
  - name: mailers
    entries: ["spiffe://example.org/agent/mailer"]
    hosts: ["spiffe://example.org/proxy/host-1"]
    measurements: { binary: ["${DIGEST}"] }
    insecure_any_installation: true
    ceiling: []
    any_service: true
    use: [standing]
    longest_grant_seconds: 3600
    max_ttl_seconds: 900
    max_issue: 10
    max_live: 4
    rate: { count: 1, window_seconds: 60 }
`;

describe("what signs at a gateway, from its files", () => {
  let folder = "";
  const secret = generatePrivateKey("Ed25519");
  const jwk = publicJwkOf(secret) as OkpJwk; // it was made as Ed25519
  const path = (name: string): string => join(folder, name);
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "signing-"));
    const seed = fromBase64url(secret.export({ format: "jwk" }).d ?? "");
    const mode = 0o600;
    const text = writeOpensshPrivateKey(nodeRandom, { jwk, seed, comment: "engine" });
    await writeFile(path("ssh"), text, { mode });
    await writeFile(path("pem"), privateKeyToPem(secret), { mode });
    await writeFile(path("open"), text, { mode: 0o644 });
    await writeFile(path("words"), "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n", { mode });
    await symlink(path("ssh"), path("link"));
    await writeFile(path("rules.yaml"), RULES);
    await writeFile(path("bad.yaml"), RULES.replace("max_live: 4", "max_lives: 4"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const load = (settings: Readonly<Record<string, string>>): Promise<Signing | undefined> => {
    const plain = { trust_domain: "example.org", name: "edge", api_url: "https://127.0.0.1:8443" };
    const yaml = Object.entries({ ...plain, ...settings }).map(
      ([name, value]) => `${name}: ${JSON.stringify(value)}\n`,
    );
    return loadSigning(c, folder, parseConfig(yaml.join(""), GATEWAY_SCHEMA));
  };
  const all = (change: Readonly<Record<string, string>> = {}): Promise<Signing | undefined> =>
    load({ owner: OWNER, owner_key: path("ssh"), rules: path("rules.yaml"), ...change });
  const wordOf = async (loading: () => Promise<unknown>): Promise<string> => {
    try {
      return (await loading()) === undefined ? "nobody signs" : "signs";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      expect(error.message).not.toContain("secret");
      return error.code;
    }
  };

  it.each<readonly [string, () => Promise<unknown>, string]>([
    ["none of the three settings", () => load({}), "nobody signs"],
    ["all of them", () => all(), "signs"],
    ["an owner without a key", () => load({ owner: OWNER }), "configuration_invalid"],
    ["a key without an owner", () => load({ owner_key: path("ssh") }), "configuration_invalid"],
    ["no rules", () => load({ owner: OWNER, owner_key: path("ssh") }), "configuration_invalid"],
    [
      "rules that misspell a bound",
      () => all({ rules: path("bad.yaml") }),
      "configuration_invalid",
    ],
    ["rules that are not there", () => all({ rules: path("no.yaml") }), "configuration_invalid"],
    ["a key that is not there", () => all({ owner_key: path("none") }), "configuration_invalid"],
    ["a key that others can read", () => all({ owner_key: path("open") }), "private_mode"],
    ["a link to a key", () => all({ owner_key: path("link") }), "private_mode"],
    ["something that is no key", () => all({ owner_key: path("words") }), "signer_unsuitable"],
    [
      "I-34: an owner who is a person",
      () => all({ owner_kind: "person" }),
      "configuration_invalid",
    ],
    ["an owner's id that is none", () => all({ owner: "urn:agent-owner:x" }), "invalid_identifier"],
  ])("with %s", async (_name, loading, word) => {
    expect(await wordOf(loading)).toBe(word);
  });

  it.each(["ssh", "pem"])(
    "a key as %s makes a signature that the server verifies",
    async (name) => {
      const signing = await all({ owner_key: path(name) });
      const statementBytes = new TextEncoder().encode("{}");
      const signature = await signing?.key.sign(statementBytes);
      expect(signing?.key.enrolled).toMatchObject({ jkt: thumbprint(c, jwk), ownerKind: "policy" });
      if (signature === undefined) throw new Error("nothing was signed");
      const facts = await verifyOwnerSignature(c, { statementBytes, signature, key: { jwk } });
      expect(facts).toMatchObject({ userPresent: false, kind: name === "ssh" ? "sshsig" : "jws" });
    },
  );

  it("counts across a restart, and does not take what it cannot read for nothing signed", async () => {
    await writeFile(path("signed.json"), "{}", { mode: 0o600 });
    expect(await wordOf(() => all())).toBe("configuration_invalid");
  });
});
