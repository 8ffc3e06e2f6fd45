import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  buildProxy,
  buildIssuingCa,
  buildRoot,
  parseCertificate,
  proxyId,
  Refusal,
} from "@countersign/core";
import {
  generatePrivateKey,
  generateSigner,
  nodeCrypto as c,
  publicJwkOf,
} from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { d } from "../world.testing.ts";
import { Anchors } from "./anchors.ts";
import { loadIdentity, saveIdentity } from "./identity.ts";

const ENTRY = "spiffe://example.org/agent/mailer";
const NOW = 1_800_000_000;
let data = "";
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "proxy-"));
});
afterAll(() => rm(data, { recursive: true }));
const folder = (): Promise<string> => mkdtemp(join(data, "x-"));
const codeOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "accepted",
    (error: unknown) => (error instanceof Refusal ? error.code : String(error)),
  );

describe("anchors", () => {
  it("are made once, one for each entry, for nobody else to read", async () => {
    const dir = await folder();
    const anchors = new Anchors(dir);
    const [one, same, other] = [
      await anchors.signer(ENTRY),
      await anchors.signer(ENTRY),
      await anchors.signer(`${ENTRY}-2`),
    ];
    expect(same.key).toEqual(one.key);
    expect(other.key).not.toEqual(one.key);
    expect((await new Anchors(dir).signer(ENTRY)).key).toEqual(one.key);
    const names = await readdir(join(dir, "anchors"));
    expect(names).toHaveLength(2);
    for (const name of names)
      expect((await stat(join(dir, "anchors", name))).mode & 0o777).toBe(0o600);
  });

  it("are made once their folder can be had", async () => {
    const dir = await folder();
    await writeFile(join(dir, "anchors"), "");
    const anchors = new Anchors(dir);
    expect(await codeOf(anchors.signer(ENTRY))).toBe("private_mode");
    await rm(join(dir, "anchors"));
    expect(await codeOf(anchors.signer(ENTRY))).toBe("accepted");
  });

  it.each<readonly [string, (path: string) => Promise<unknown>]>([
    ["a folder stands in its place", (path) => mkdir(path)],
    ["a link stands in its place", (path) => symlink("/dev/null", path)],
  ])("are remembered of wholly or not at all: %s", async (_name, spoil) => {
    const dir = await folder();
    const anchors = new Anchors(dir);
    const before = { ownerKeys: ["k"], ended: [] };
    await anchors.memory(ENTRY); // makes the folder
    const path = join(dir, "anchors", "mailer.json");
    await spoil(path);
    expect(await codeOf(anchors.remember(ENTRY, before))).toBe("private_mode");
    expect(await readdir(join(dir, "anchors"))).toEqual(["mailer.json"]);
    await rm(path, { recursive: true });
    await anchors.remember(ENTRY, before);
    expect(await anchors.memory(ENTRY)).toEqual(before);
  });

  it("remember what is over across a restart", async () => {
    const dir = await folder();
    const memory = { ownerKeys: ["k"], ended: [d(1), d(2)] };
    expect(await new Anchors(dir).memory(ENTRY)).toEqual({ ownerKeys: [], ended: [] });
    await new Anchors(dir).remember(ENTRY, memory);
    expect(await new Anchors(dir).memory(ENTRY)).toEqual(memory);
  });

  it("change one after the other, so that no mark is lost", async () => {
    const anchors = new Anchors(await folder());
    const marks = Array.from({ length: 20 }, (_, at) => d(at));
    await Promise.all(
      marks.map((mark) =>
        anchors.update(ENTRY, (memory) => ({ ...memory, ended: [...memory.ended, mark] })),
      ),
    );
    expect((await anchors.memory(ENTRY)).ended).toEqual(marks);
  });

  it("go on after a change that failed", async () => {
    const anchors = new Anchors(await folder());
    const fails = anchors.update(ENTRY, () => {
      throw new Error("no");
    });
    await expect(fails).rejects.toThrow("no");
    await anchors.update(ENTRY, (memory) => ({ ...memory, ownerKeys: ["k"] }));
    expect((await anchors.memory(ENTRY)).ownerKeys).toEqual(["k"]);
  });

  it.each<readonly [string, (path: string) => Promise<unknown>, string]>([
    ["as written", () => Promise.resolve(), "accepted"],
    ["readable by others", (path) => chmod(path, 0o644), "private_mode"],
    ["cut off", (path) => writeFile(path, '{"owner_keys":['), "malformed_json"],
    [
      "of another form",
      (path) => writeFile(path, '{"owner_keys":[1],"ended":[]}'),
      "configuration_invalid",
    ],
  ])("memory %s → %s", async (_name, spoil, code) => {
    const dir = await folder();
    await new Anchors(dir).memory(ENTRY); // makes the folder
    await new Anchors(dir).remember(ENTRY, { ownerKeys: [], ended: [] });
    await spoil(join(dir, "anchors", "mailer.json"));
    expect(await codeOf(new Anchors(dir).memory(ENTRY))).toBe(code);
  });
});

async function save(dir: string, name: string): Promise<void> {
  const key = generatePrivateKey("P-256");
  const [rootSigner, caSigner] = [generateSigner(), generateSigner()];
  const common = {
    origin: "spiffe://example.org",
    hierarchy: "infrastructure",
    name: "x",
    notBefore: NOW,
    notAfter: NOW + 86_400,
  } as const;
  const serial = new Uint8Array(20).fill(1);
  const root = await buildRoot(c, { ...common, serial }, rootSigner);
  const ca = await buildIssuingCa(
    c,
    { ...common, serial, key: caSigner.key, issuer: parseCertificate(root) },
    rootSigner,
  );
  const leaf = await buildProxy(
    c,
    {
      uri: proxyId("example.org", name),
      key: publicJwkOf(key),
      serial,
      notBefore: NOW,
      notAfter: NOW + 60,
      issuer: parseCertificate(ca),
    },
    caSigner,
  );
  await saveIdentity(dir, { key, chain: [leaf, ca], root });
}

describe("the proxy's identity", () => {
  it.each<readonly [string, (dir: string) => Promise<unknown>, string]>([
    ["as saved", () => Promise.resolve(), "accepted"],
    ["never enrolled", (dir) => rm(join(dir, "keys"), { recursive: true }), "attester_unknown"],
    ["of another name", (dir) => save(dir, "host-2"), "signer_unsuitable"],
    ["readable by others", (dir) => chmod(join(dir, "keys", "proxy.pem"), 0o640), "private_mode"],
    [
      "without its certificate",
      (dir) => writeFile(join(dir, "keys", "proxy.pem"), "x"),
      "malformed_certificate",
    ],
    ["without the root", (dir) => rm(join(dir, "keys", "infrastructure.crt")), "attester_unknown"],
  ])("%s → %s", async (_name, spoil, code) => {
    const dir = await folder();
    await chmod(dir, 0o700);
    await save(dir, "host-1");
    await spoil(dir);
    expect(await codeOf(loadIdentity(dir, "example.org", "host-1"))).toBe(code);
  });

  it("stays what it was when the next one cannot be written", async () => {
    const dir = await folder();
    await save(dir, "host-1");
    const before = await loadIdentity(dir, "example.org", "host-1");
    const root = join(dir, "keys", "infrastructure.crt");
    const text = await readFile(root);
    await rm(root);
    await mkdir(root);
    expect(await codeOf(save(dir, "host-1"))).toBe("private_mode");
    await rm(root, { recursive: true });
    await writeFile(root, text, { mode: 0o600 });
    const after = await loadIdentity(dir, "example.org", "host-1");
    expect(after.cert).toBe(before.cert);
    expect((await readdir(join(dir, "keys"))).toSorted()).toEqual([
      "infrastructure.crt",
      "proxy.pem",
    ]);
  });

  it("loads key and certificate that belong together", async () => {
    const dir = await folder();
    await save(dir, "host-1");
    const identity = await loadIdentity(dir, "example.org", "host-1");
    expect(identity.signer.key).toEqual(identity.certificate.key);
    expect(identity.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });
});
