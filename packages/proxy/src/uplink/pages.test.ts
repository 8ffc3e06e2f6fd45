import { fromUtf8, vkeyOf, writeTrustBundle } from "@countersign/core";
import type { ConsentPages, TrustBundle } from "@countersign/core";
import { generateSigner, nodeCrypto as c, silentLog } from "@countersign/node";
import { describe, expect, it } from "vitest";
import { PinnedPages } from "./pages.ts";

const NOW = 1_800_000_000;
const ORIGIN = "id.example.org/log";
const BUNDLE: TrustBundle = {
  trustDomain: "spiffe://example.org",
  issuer: "https://id.example.org",
  sequence: 1,
  witKeys: [],
  roots: [],
  log: { origin: ORIGIN, vkey: vkeyOf(c, ORIGIN, generateSigner("Ed25519").key) },
  consent: { rpId: "consent.example.org", origins: ["https://consent.example.org"] },
  removedOwnerKeys: [],
  exp: NOW + 86_400,
};

const textOf = (change: Partial<TrustBundle>): string =>
  fromUtf8(writeTrustBundle({ ...BUNDLE, ...change }));
const pages = (rpId: string, ...origins: readonly string[]): Partial<TrustBundle> => ({
  consent: { rpId, origins },
});

/** Hears these trust bundles, one after the other. */
function heard(...texts: readonly string[]): {
  readonly pages: ConsentPages | undefined;
  readonly said: readonly string[];
} {
  const said: string[] = [];
  const note = (event: string): void => void said.push(event);
  const pinned = new PinnedPages();
  for (const text of texts) pinned.judge(text, NOW, { ...silentLog, error: note, warn: note });
  return { pages: pinned.pages, said };
}

describe("the pages where owners sign", () => {
  type Row = readonly [name: string, later: Partial<TrustBundle>, isSaid: boolean];
  it.each<Row>([
    ["the same", {}, false],
    ["keys and sequence", { sequence: 2, removedOwnerKeys: ["A".repeat(43)] }, false],
    [
      "another log, after a recovery",
      { log: { origin: "id.example.org/log/2", vkey: vkey2() } },
      false,
    ],
    ["another host", pages("sign.example.org", "https://sign.example.org"), true],
    ["another port", pages("consent.example.org", "https://consent.example.org:8443"), true],
    [
      "one page more",
      pages("consent.example.org", "https://consent.example.org", "https://consent.example.org:1"),
      true,
    ],
    ["no page", pages("consent.example.org"), true],
  ])("stay as first heard when a later bundle has %s", (_name, later, isSaid) => {
    const { pages: pinned, said } = heard(textOf({}), textOf(later));
    expect(pinned).toEqual(BUNDLE.consent);
    expect(said).toEqual(isSaid ? ["trust.pages_changed"] : []);
  });

  it("are said once while the same bundle comes again, and again when it is another", () => {
    const other = textOf(pages("sign.example.org", "https://sign.example.org"));
    const { said } = heard(textOf({}), other, other, other, textOf({}), other);
    expect(said).toEqual(["trust.pages_changed", "trust.pages_changed"]);
  });

  it.each([
    ["no JSON", "{"],
    ["no trust bundle", "{}"],
    ["one that is over", textOf({ exp: NOW })],
    ["pages in plain", textOf({}).replace("https://consent", "http://consent")],
  ])("are nowhere while what comes is %s", (_name, text) => {
    expect(heard(text)).toEqual({ pages: undefined, said: ["trust.bundle_unread"] });
    expect(heard(text, textOf({})).pages).toEqual(BUNDLE.consent);
    expect(heard(textOf({}), text).pages).toEqual(BUNDLE.consent);
  });
});

function vkey2(): string {
  return vkeyOf(c, "id.example.org/log/2", generateSigner("Ed25519").key);
}
