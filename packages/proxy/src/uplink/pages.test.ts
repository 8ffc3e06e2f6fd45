import { fromUtf8, vkeyOf, writeTrustBundle } from "@countersign/core";
import type { ConsentPages, TrustBundle } from "@countersign/core";
import { generateSigner, nodeCrypto as c, silentLog } from "@countersign/node";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PinnedPages } from "./pages.ts";
import { pagesFile } from "./pages-file.ts";

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
async function heard(...texts: readonly string[]): Promise<{
  readonly pages: ConsentPages | undefined;
  readonly said: readonly string[];
}> {
  return heardBy(new PinnedPages(), ...texts);
}

async function heardBy(
  pinned: PinnedPages,
  ...texts: readonly string[]
): Promise<{ readonly pages: ConsentPages | undefined; readonly said: readonly string[] }> {
  const said: string[] = [];
  const note = (event: string): void => void said.push(event);
  for (const text of texts)
    await pinned.judge(text, NOW, { ...silentLog, error: note, warn: note });
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
  ])("stay as first heard when a later bundle has %s", async (_name, later, isSaid) => {
    const { pages: pinned, said } = await heard(textOf({}), textOf(later));
    expect(pinned).toEqual(BUNDLE.consent);
    expect(said).toEqual(isSaid ? ["trust.pages_changed"] : []);
  });

  it("are said once while the same bundle comes again, and again when it is another", async () => {
    const other = textOf(pages("sign.example.org", "https://sign.example.org"));
    const { said } = await heard(textOf({}), other, other, other, textOf({}), other);
    expect(said).toEqual(["trust.pages_changed", "trust.pages_changed"]);
  });

  it.each([
    ["no JSON", "{"],
    ["no trust bundle", "{}"],
    ["one that is over", textOf({ exp: NOW })],
    ["pages in plain", textOf({}).replace("https://consent", "http://consent")],
  ])("are nowhere while what comes is %s", async (_name, text) => {
    expect(await heard(text)).toEqual({ pages: undefined, said: ["trust.bundle_unread"] });
    expect((await heard(text, textOf({}))).pages).toEqual(BUNDLE.consent);
    expect((await heard(textOf({}), text)).pages).toEqual(BUNDLE.consent);
  });
});

describe("the pages in the proxy's folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "pages-"));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const begin = (): Promise<PinnedPages> => PinnedPages.from(pagesFile(folder));
  const other = textOf(pages("sign.example.org", "https://sign.example.org"));

  it("outlive the process that heard them first", async () => {
    await heardBy(await begin(), textOf({}));
    const { pages: pinned, said } = await heardBy(await begin(), other);
    expect(pinned).toEqual(BUNDLE.consent);
    expect(said).toEqual(["trust.pages_changed"]);
    expect((await stat(join(folder, "consent-pages.json"))).mode & 0o777).toBe(0o600);
  });

  it("are forgotten by whoever removes the file, and nobody else", async () => {
    await heardBy(await begin(), textOf({}), other);
    await rm(join(folder, "consent-pages.json"));
    expect((await heardBy(await begin(), other)).pages?.rpId).toBe("sign.example.org");
  });

  it.each([
    ["empty", ""],
    ["no JSON", "{"],
    ["without origins", '{"v":1,"rp_id":"consent.example.org"}'],
    ["of another version", '{"v":2,"rp_id":"consent.example.org","origins":[]}'],
    ["with a member more", '{"v":1,"rp_id":"consent.example.org","origins":[],"x":1}'],
  ])("are nobody's where the file is %s: the proxy does not begin", async (_name, text) => {
    await writeFile(join(folder, "consent-pages.json"), text, { mode: 0o600 });
    const code = await begin().catch((error: unknown) => (error as { code: string }).code);
    expect(code).toBe("configuration_invalid");
  });

  it("stand for this process where they cannot be kept, and that is said", async () => {
    const kept = pagesFile(join(folder, "gone", "deeper"));
    const { pages: pinned, said } = await heardBy(new PinnedPages(kept), textOf({}), other);
    expect(pinned).toEqual(BUNDLE.consent);
    expect(said).toEqual(["trust.pages_not_kept", "trust.pages_changed"]);
  });
});

function vkey2(): string {
  return vkeyOf(c, "id.example.org/log/2", generateSigner("Ed25519").key);
}
