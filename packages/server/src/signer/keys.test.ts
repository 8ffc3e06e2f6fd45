import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCertificate, pemDecode, Refusal, serverId, verifyPath } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeRig, seededRandom, START } from "../world.testing.ts";
import { createKeys, foldersOf, loadKeys } from "./keys.ts";
import { makeTlsIdentity, TLS_LIFE_SECONDS } from "./tls.ts";

const DAY = 86_400;
let data = "";
let config: Awaited<ReturnType<typeof makeRig>>["world"]["config"];
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "keys-"));
  await chmod(data, 0o700);
  const rig = await makeRig();
  config = rig.world.config;
  await rig.close();
});
afterAll(() => rm(data, { recursive: true }));

const codeOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "accepted",
    (error: unknown) => (error instanceof Refusal ? error.code : String(error)),
  );

async function fresh(): Promise<string> {
  const folder = await mkdtemp(join(data, "server-"));
  await createKeys(folder, config, { c, random: seededRandom("keys"), now: START });
  return folder;
}

describe("the server's keys", () => {
  it("load as they were made; the root keys are not among them", async () => {
    const folder = await fresh();
    await rm(foldersOf(folder).roots, { recursive: true });
    const { keys, logSigner } = await loadKeys(folder, config, c, () => START);
    expect(keys.wit).toHaveLength(1);
    expect(logSigner.alg).toBe("Ed25519");
    expect(keys.mac(new Uint8Array(3))).toHaveLength(32);
    for (const hierarchy of [keys.agents, keys.infrastructure])
      expect(hierarchy.certificate.keyUsage).toMatchObject({ keyCertSign: true });
  });

  it.each<readonly [string, (keys: string) => Promise<unknown>, number, string]>([
    ["as made", () => Promise.resolve(), START, "accepted"],
    [
      "I-1: the root in place of the CA's own",
      async (keys) =>
        writeFile(join(keys, "agents-ca.crt"), await readFile(join(keys, "agents-root.crt"))),
      START,
      "signer_unsuitable",
    ],
    [
      "a CA of the other hierarchy",
      async (keys) =>
        writeFile(join(keys, "agents-ca.crt"), await readFile(join(keys, "infrastructure-ca.crt"))),
      START,
      "signer_unsuitable",
    ],
    [
      "a root of the other hierarchy",
      async (keys) =>
        writeFile(
          join(keys, "agents-root.crt"),
          await readFile(join(keys, "infrastructure-root.crt")),
        ),
      START,
      "signer_unsuitable",
    ],
    ["no CA certificate", (keys) => rm(join(keys, "agents-ca.crt")), START, "signer_unsuitable"],
    ["no nonce key", (keys) => rm(join(keys, "nonce.key")), START, "signer_unsuitable"],
    ["no list of WIT keys", (keys) => rm(join(keys, "wit.json")), START, "signer_unsuitable"],
    [
      "an empty list",
      (keys) => writeFile(join(keys, "wit.json"), "[]"),
      START,
      "signer_unsuitable",
    ],
    [
      "a WIT key of another path",
      (keys) => writeFile(join(keys, "wit.json"), '[{"name":"../log","nbf":0,"exp":1}]'),
      START,
      "signer_unsuitable",
    ],
    [
      "a key that others may read",
      (keys) => chmod(join(keys, "nonce.key"), 0o644),
      START,
      "private_mode",
    ],
    ["before the CA's life", () => Promise.resolve(), START - DAY, "signer_unsuitable"],
    ["after the CA's life", () => Promise.resolve(), START + 31 * DAY, "signer_unsuitable"],
  ])("%s → %#", async (_name, spoil, now, code) => {
    const folder = await fresh();
    await spoil(foldersOf(folder).keys);
    expect(await codeOf(loadKeys(folder, config, c, () => now))).toBe(code);
  });
});

describe("the API's own certificate", () => {
  it("names the server by its one URI, lives a day and is of the infrastructure", async () => {
    const { world, close } = await makeRig();
    const identity = await makeTlsIdentity(world, START);
    const chain = pemDecode(identity.cert, "CERTIFICATE", 4);
    const [leaf = new Uint8Array(0)] = chain;
    expect(parseCertificate(leaf)).toMatchObject({
      uris: [serverId("example.org")],
      notAfter: START + TLS_LIFE_SECONDS,
    });
    const path = { chain, purpose: "server", now: START, skewSeconds: 0 } as const;
    expect(await codeOf(verifyPath(c, { ...path, anchors: [world.keys.infrastructureRoot] }))).toBe(
      "accepted",
    );
    expect(await codeOf(verifyPath(c, { ...path, anchors: [world.keys.agentsRoot] }))).toBe(
      "untrusted_chain",
    );
    await close();
  });

  it("never outlives its CA", async () => {
    const { world, close } = await makeRig();
    const identity = await makeTlsIdentity(world, START + 30 * DAY - 60);
    const [leaf = new Uint8Array(0)] = pemDecode(identity.cert, "CERTIFICATE", 4);
    expect(parseCertificate(leaf).notAfter).toBe(START + 30 * DAY);
    await close();
  });
});
