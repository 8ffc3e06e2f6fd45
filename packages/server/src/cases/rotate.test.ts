import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  parseCertificate,
  pemDecode,
  readCertsOnly,
  readEstBody,
  readTrustBundle,
  utf8,
  verifyPath,
  verifyWit,
  witTrustOf,
} from "@countersign/core";
import type { Digest, Trust, TrustBundle } from "@countersign/core";
import { nodeCrypto as c } from "@countersign/node";
import { afterAll, describe, expect, it } from "vitest";
import { rotation } from "../http/keys.ts";
import { createKeys, foldersOf, loadKeys } from "../signer/keys.ts";
import { KeyRing, renewEnded } from "../signer/key-ring.ts";
import type { LiveKeys } from "../signer/live-keys.ts";
import { makeTlsIdentity } from "../signer/tls.ts";
import { faulty } from "../store/faulty.testing.ts";
import { seededRandom, START, textOf } from "../world.testing.ts";
import { keepKeys, OVERLAP_SECONDS, rotateKeys } from "./rotate.ts";
import { approvedScene } from "./scene.testing.ts";
import type { Scene } from "./scene.testing.ts";

const DAY = 86_400;
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

interface Server extends Scene {
  readonly cs: Digest;
  readonly ring: KeyRing;
  readonly data: string;
  readonly bundle: () => Promise<TrustBundle>;
}

/** A server whose keys lie in files, with one approved agent. */
async function serve(wrap?: Parameters<typeof approvedScene>[0]): Promise<Server> {
  const data = await mkdtemp(join(tmpdir(), "rotate-"));
  folders.push(data);
  let ring: KeyRing | undefined;
  const scene = await approvedScene({
    ...wrap,
    keys: async (config, clock) => {
      const random = seededRandom("rotate");
      await createKeys(data, config, { c, random, now: START });
      const loaded = await loadKeys(data, config, c, clock);
      ring = new KeyRing({ data, c, random, clock, config, keys: loaded.keys });
      return loaded;
    },
  });
  if (ring === undefined) throw new Error("no keys");
  const bundle = async (): Promise<TrustBundle> =>
    readTrustBundle(utf8((await scene.rig.call("public", "GET /bundle")).text), scene.rig.now());
  return { ...scene, ring, data, bundle };
}

/** The same files as the next process reads them. */
async function restarted({ rig, data }: Server): Promise<{ ring: KeyRing; keys: LiveKeys }> {
  const { keys } = await loadKeys(data, rig.world.config, c, rig.now);
  const random = seededRandom("again");
  const ring = new KeyRing({ data, c, random, clock: rig.now, config: rig.world.config, keys });
  return { ring, keys };
}

const order = (more: object = {}) => ({
  wit: true,
  ca: false,
  activateInSeconds: OVERLAP_SECONDS,
  ...more,
});

async function judge(bundle: TrustBundle, wit: string, now: number): Promise<string> {
  const trust: Trust = new Map([
    [
      bundle.trustDomain,
      {
        origin: bundle.trustDomain,
        bundle,
        ownerPins: [],
        isInside: true,
        insecureAcceptServerEnrolment: false,
        insecureAcceptDevelopment: true,
      },
    ],
  ]);
  try {
    await verifyWit(c, wit, witTrustOf(c, trust), now);
    return "ok";
  } catch (error) {
    return String(error);
  }
}

describe("the token key", () => {
  it("changes under load: whoever looks at the bundle as often as it says verifies everything", async () => {
    const { rig, host, cs, ring, bundle } = await serve();
    let known = await bundle();
    const held: { wit: string; exp: number }[] = [];
    const kids = new Set<string>();
    for (let step = 0; step < 40; step += 1) {
      if (step === 4) await rotateKeys(rig.world, ring, order());
      const { body, word } = await host.ask({ cs });
      expect(word).toBe("200");
      kids.add(textOf(body["wit"]).split(".")[0] ?? ""); // the header names the key
      held.push({ wit: textOf(body["wit"]), exp: Number(body["expires_at"]) });
      rig.advance(75);
      // as old as it may be when the new key begins to sign
      if (step % 4 === 3) known = await bundle();
      for (const { wit, exp } of held)
        if (rig.now() < exp) {
          expect(await judge(known, wit, rig.now())).toBe("ok");
        }
      rig.advance(75);
    }
    expect([known.witKeys.length, kids.size]).toEqual([2, 2]);
    await rig.close();
  });

  it("is published before it is used, and kept until all that it signed has expired", async () => {
    const { rig, ring, bundle, data } = await serve();
    const before = await bundle();
    const [prepared] = await rotateKeys(rig.world, ring, order());
    expect(prepared).toMatchObject({ use: "wit", nbf: START + OVERLAP_SECONDS });
    const after = await bundle();
    expect(after.sequence).toBe(before.sequence + 1);
    const [old, next] = after.witKeys;
    expect(old).toMatchObject({ exp: START + 2 * OVERLAP_SECONDS });
    expect(next).toMatchObject({ nbf: START + OVERLAP_SECONDS });
    rig.advance(2 * OVERLAP_SECONDS + DAY - 1);
    await ring.forget();
    expect((await bundle()).witKeys).toHaveLength(2);
    rig.advance(2);
    await ring.forget();
    expect((await bundle()).witKeys.map(({ kid }) => kid)).toEqual([next?.kid]);
    const files = await readdir(foldersOf(data).keys);
    expect(files).toContain("wit-2.pem");
    expect(files).not.toContain("wit-1.pem");
    await rig.close();
  });

  it("is prepared once at a time; then the next", async () => {
    const { rig, ring } = await serve();
    await rotateKeys(rig.world, ring, order());
    await expect(rotateKeys(rig.world, ring, order())).rejects.toMatchObject({
      code: "rate_limited",
    });
    rig.advance(OVERLAP_SECONDS);
    expect(await rotateKeys(rig.world, ring, order())).toHaveLength(1);
    await rig.close();
  });

  it("changes at once when it must", async () => {
    const { rig, host, cs, ring, bundle } = await serve();
    await rotateKeys(rig.world, ring, order({ activateInSeconds: 0 }));
    const { body } = await host.ask({ cs });
    expect(await judge(await bundle(), textOf(body["wit"]), rig.now())).toBe("ok");
    await rig.close();
  });

  it("two who rotate at the same time: one of them is told to wait", async () => {
    const { rig, ring } = await serve();
    const both = await Promise.allSettled([1, 2].map(() => rotateKeys(rig.world, ring, order())));
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await rig.close();
  });
});

describe("the issuing CAs", () => {
  it("change: both chains are offered and accepted until the old one has ended", async () => {
    const { rig, host, cs, ring, bundle } = await serve();
    const { keys } = rig.world;
    const [agents, hosts] = [keys.agents.certificate, keys.infrastructure.certificate];
    const sequence = (await bundle()).sequence;
    const prepared = await rotateKeys(rig.world, ring, order({ wit: false, ca: true }));
    expect(prepared.map(({ use }) => use)).toEqual(["infrastructure_ca", "agents_ca"]);
    expect((await bundle()).sequence).toBe(sequence + 1);
    expect(
      [keys.agents.certificate, keys.infrastructure.certificate].map((ca) => ca.serialHex),
    ).toEqual([agents.serialHex, hosts.serialHex]);

    const offered = await rig.call("api", "GET /.well-known/est/cacerts");
    expect(readCertsOnly(readEstBody(offered.text, 65_536))).toHaveLength(3);
    const { ca = [] } = await makeTlsIdentity(rig.world, rig.now());
    expect(ca).toHaveLength(3);

    rig.advance(OVERLAP_SECONDS);
    expect(keys.infrastructure.certificate.serialHex).not.toBe(hosts.serialHex);
    const { body } = await host.ask({ cs }); // with a certificate of the old one
    const chain = (body["wic"] as string[]).flatMap((pem) => pemDecode(pem, "CERTIFICATE", 4));
    const path = { chain, anchors: [keys.agentsRoot], purpose: "any", now: rig.now() } as const;
    const { path: found } = await verifyPath(c, path);
    expect(found[1]?.serialHex).toBe(keys.agents.certificate.serialHex);
    expect(await host.renew()).toBe("200");
    expect(parseCertificate(host.certificate).authorityKeyId).toEqual(
      keys.infrastructure.certificate.subjectKeyId,
    );
    expect((await host.ask({ cs })).word).toBe("200");
    await rig.close();
  });

  it("need the root keys; without them nothing changes", async () => {
    const { rig, ring, data } = await serve();
    const { roots, keys } = foldersOf(data);
    const before = await readFile(join(keys, "wit.json"), "utf8");
    for (const spoil of [
      () => writeFile(join(roots, "agents-root.pem"), "no key"),
      () => rm(join(roots, "agents-root.pem")),
      () => rm(roots, { recursive: true }),
    ]) {
      await spoil();
      await expect(rotateKeys(rig.world, ring, order({ ca: true }))).rejects.toMatchObject({
        code: "signer_unsuitable",
      });
    }
    expect(await readFile(join(keys, "wit.json"), "utf8")).toBe(before);
    expect(await readdir(keys)).not.toContain("agents-ca.json");
    expect((await restarted({ rig, data } as Server)).keys.wit).toHaveLength(1);
    await rig.close();
  });

  it("go when they have ended, and a server whose CAs have ended renews them at its start", async () => {
    const server = await serve();
    const { rig, ring, data } = server;
    await rotateKeys(rig.world, ring, order({ ca: true }));
    rig.advance(30 * DAY + 301);
    await expect(restarted(server)).rejects.toMatchObject({ code: "signer_unsuitable" });
    const given = {
      data,
      c,
      random: seededRandom("late"),
      clock: rig.now,
      config: rig.world.config,
    };
    expect(await renewEnded(given)).toEqual(["infrastructure", "agents"]);
    expect(await renewEnded(given)).toEqual([]);
    const { keys, ring: next } = await restarted(server);
    expect(keys.agents.certificate.notAfter).toBe(rig.now() + 30 * DAY);
    await next.forget();
    expect(
      (await readdir(foldersOf(data).keys)).filter((name) => name.startsWith("agents-ca")),
    ).toEqual(["agents-ca-3.crt", "agents-ca-3.pem", "agents-ca.json"]);
    await rig.close();
  });
});

describe("a restart between the steps", () => {
  it("after the keys, before the lists: nothing was prepared, and the next rotation goes through", async () => {
    const server = await serve();
    const { rig, data, ring } = server;
    const { keys: folder } = foldersOf(data);
    const lists = ["wit.json", "agents-ca.json", "infrastructure-ca.json"];
    const before = await Promise.all(
      lists.map((name) => readFile(join(folder, name)).catch(() => undefined)),
    );
    await ring.prepare(order({ ca: true }));
    for (const [index, name] of lists.entries()) {
      const octets = before[index];
      await (octets === undefined
        ? rm(join(folder, name))
        : writeFile(join(folder, name), octets, { mode: 0o600 }));
    }
    const again = await restarted(server);
    expect(again.keys.wit).toHaveLength(1);
    expect(await again.ring.unannounced()).toEqual([]);
    await again.ring.prepare(order({ ca: true }));
    expect(await again.ring.unannounced()).toHaveLength(3);
    await rig.close();
  });

  it("after the lists, before log and bundle: the next start tells them, once", async () => {
    const server = await serve();
    const { rig, ring, bundle } = server;
    await ring.prepare(order({ ca: true }));
    const { sequence } = await bundle();
    const again = await restarted(server);
    expect(again.keys.wit).toHaveLength(2);
    await keepKeys(rig.world, again.ring);
    await keepKeys(rig.world, again.ring);
    expect((await bundle()).sequence).toBe(sequence + 1);
    const rows = await rig.world.store.logRows(0, 99);
    expect(rows.filter(({ type }) => type === "admin.keys_prepared")).toHaveLength(1);
    await rig.close();
  });

  it.each(["lost-before", "lost-after"] as const)(
    "log and bundle %s: told by the next start",
    async (loss) => {
      const server = await serve();
      const { rig, ring, bundle } = server;
      const { sequence } = await bundle();
      const world = { ...rig.world, store: faulty(rig.world.store, "commit", loss) };
      await expect(rotateKeys(world, ring, order())).rejects.toMatchObject({
        code: "indeterminate",
      });
      expect(await ring.unannounced()).toHaveLength(1);
      await keepKeys(rig.world, (await restarted(server)).ring);
      expect((await bundle()).sequence).toBeGreaterThan(sequence);
      expect(await ring.unannounced()).toEqual([]);
      await rig.close();
    },
  );
});

describe("by itself", () => {
  const ENDS = 20 * DAY;
  it.each<[string, number, boolean, number, number]>([
    ["long before the end", ENDS - 60, true, 1, 1],
    ["within ten days", ENDS + 60, true, 2, 2],
    ["within ten days, the root keys elsewhere", ENDS + 60, false, 2, 1],
  ])("%s", async (_name, seconds, hasRoots, wit, ca) => {
    const { rig, ring, data } = await serve();
    if (!hasRoots) await rm(foldersOf(data).roots, { recursive: true });
    rig.advance(seconds);
    const warned: string[] = [];
    const log = { ...rig.world.log, warn: (event: string) => void warned.push(event) };
    await keepKeys({ ...rig.world, log }, ring);
    await keepKeys({ ...rig.world, log }, ring);
    expect([ring.keys.wit.length, ring.keys.infrastructureIssuers.length]).toEqual([wit, ca]);
    expect(warned).toEqual(hasRoots ? [] : ["keys.ca_ends_soon", "keys.ca_ends_soon"]);
    await rig.close();
  });

  it("at once when no token key signs any more", async () => {
    const { rig, ring } = await serve();
    rig.advance(29 * DAY);
    await rotateKeys(rig.world, ring, order({ wit: false, ca: true }));
    rig.advance(2 * DAY);
    await keepKeys(rig.world, ring);
    expect(ring.keys.wit.at(-1)?.nbf).toBe(rig.now());
    await rig.close();
  });
});

describe("POST /v1/keys/rotate", () => {
  it.each<[string, object, string]>([
    ["nothing", {}, "malformed_request"],
    ["something else", { log: true }, "malformed_request"],
    ["a time too far", { wit: true, activate_in: 86_401 }, "malformed_request"],
    ["not a flag", { wit: 1 }, "malformed_request"],
  ])("refuses %s", async (_name, json, code) => {
    const { rig, ring } = await serve();
    const init = {
      method: "POST",
      body: JSON.stringify(json),
      headers: { "content-type": "application/json" },
    };
    const request = new Request("http://server.test/v1/keys/rotate", init);
    await expect(rotation(rig.world, ring)(request, {}, {})).rejects.toMatchObject({ code });
    await rig.close();
  });
});
