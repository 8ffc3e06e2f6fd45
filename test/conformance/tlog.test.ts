import { createPrivateKey } from "node:crypto";
import {
  checkWitnesses,
  cosign,
  cosignaturesOn,
  fromBase64,
  hex,
  leafHash,
  MerkleTree,
  openCheckpoint,
  openSubmission,
  parseAddCheckpoint,
  parseNote,
  parseTilePath,
  parseVkey,
  readEntries,
  tileIn,
  tileOf,
  tilePath,
  tilesIn,
  utf8,
  verifyConsistency,
  vkeyOf,
  writeAddCheckpoint,
  writeEntries,
} from "@countersign/core";
import { nodeCrypto as c, signerOf } from "@countersign/node";
import { describe, expect, it } from "vitest";

const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

describe("C2SP tlog-tiles", () => {
  it("Merkle Tree: index 1234067 MUST be encoded as x001/x234/067", () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe("tile/0/x001/x234/067");
    expect(parseTilePath("tile/0/x001/x234/067.p/8")).toEqual({
      level: 0,
      index: 1_234_067,
      width: 8,
    });
  });

  it("Merkle Tree: full tiles MUST be exactly 256 hashes wide, or 8,192 bytes", () => {
    const tree = new MerkleTree(c);
    for (let i = 0; i < 256; i += 1) tree.append(leafHash(c, utf8(String(i))));
    expect(tileOf(tree, { level: 0, index: 0, width: 256 })).toHaveLength(8192);
    // the n-th hash at level 1 is the Merkle tree hash of the n-th full tile below
    expect(tileOf(tree, { level: 1, index: 0, width: 1 })).toEqual(tree.root());
  });

  it("Partial Tiles: the specification's tree of 70,000", () => {
    const paths = [...tilesIn(70_000)].filter(({ level }) => level !== "entries");
    const full = (level: number): number =>
      paths.filter((tile) => tile.level === level && tile.width === 256).length;
    expect([full(0), full(1), full(2)]).toEqual([273, 1, 0]);
    expect(paths.filter(({ width }) => width < 256)).toEqual([
      { level: 0, index: 273, width: 112 },
      { level: 1, index: 1, width: 17 },
      { level: 2, index: 0, width: 1 },
    ]);
  });

  it("Partial Tiles: a tree of 256 has a full level 0 tile and a partial level 1 tile of width 1", () => {
    expect([...tilesIn(256)].map(tilePath)).toEqual([
      "tile/entries/000",
      "tile/0/000",
      "tile/1/000.p/1",
    ]);
  });

  it("Partial Tiles: empty tiles MUST NOT be served", () => {
    expect([...tilesIn(0)]).toEqual([]);
    expect(tileIn(256, 0, 1)).toBeUndefined();
    expect(tileIn(255, 1, 0)).toBeUndefined();
  });

  it("Log entries: big-endian uint16 length-prefixed entries", () => {
    const long = new Uint8Array(258).fill(7);
    const bundle = writeEntries([utf8("a"), long]);
    expect(hex(bundle.subarray(0, 5))).toBe("0001610102");
    expect(readEntries({ level: "entries", index: 0, width: 2 }, bundle)).toEqual([
      utf8("a"),
      long,
    ]);
  });
});

/** A checkpoint of a public CT log as its witnesses have cosigned it, with two of the keys. */
const REAL = `arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==
`;
const REAL_LOG =
  "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const REAL_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

describe("C2SP tlog-cosignature, Ed25519", () => {
  it("Format: the key ID MUST be computed over name, newline, 0x04 and the key", () => {
    const { id, key } = parseVkey(c, REAL_WITNESS, "cosignature");
    expect(hex(id)).toBe("da77ade7");
    expect(vkeyOf(c, "remora.n621.de", key, "cosignature")).toBe(REAL_WITNESS);
  });

  it("signed message: a checkpoint of a public log is cosigned by a public witness", async () => {
    expect((await openCheckpoint(c, REAL, REAL_LOG)).size).toBe(1_432_088_532);
    const [found] = await checkWitnesses(c, REAL, { vkeys: [REAL_WITNESS], threshold: 1 });
    expect(found).toEqual({ name: "remora.n621.de", at: 1_779_573_024 });
  });

  it("signed message: of another size it does not hold", async () => {
    const changed = REAL.replace("1432088532", "42");
    await expect(cosignaturesOn(c, changed, [REAL_WITNESS])).rejects.toMatchObject({
      code: "checkpoint_invalid",
    });
  });

  it("signed message: extension lines MUST be included", async () => {
    const extended = REAL.replace("4Ro=\n", "4Ro=\nmore\n");
    await expect(cosignaturesOn(c, extended, [REAL_WITNESS])).rejects.toMatchObject({
      code: "checkpoint_invalid",
    });
  });

  it("Format: 32-bit key ID, 64-bit big-endian timestamp, 64 octets of signature", async () => {
    const seed = unhex("00".repeat(31) + "01");
    const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
    const signer = signerOf(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));
    const line = await cosign(c, REAL, "witness.example.com/w1", 1_679_315_147, signer);
    const octets = fromBase64(line.split(" ")[2]?.trimEnd() ?? "");
    expect(octets).toHaveLength(4 + 8 + 64);
    expect(hex(octets.subarray(4, 12))).toBe("00000000641850cb");
    // the message word for word as the section writes it
    const { text } = parseNote(REAL);
    const message = utf8(`cosignature/v1\ntime 1679315147\n${text}`);
    expect(await c.verify("Ed25519", signer.key, message, octets.subarray(12))).toBe(true);
  });
});

/** The specification's own request. */
const EXAMPLE = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
`;

/** A request as litewitness's tests send it; the key is their log's, its origin names the key's hash. */
const LITEWITNESS_KEY = "52c05edad1bf5feffa81354faae59a655d9a9a1a793ed2f62c39c26c0be2aecd";
const LITEWITNESS_ORIGIN =
  "sigsum.org/v1/tree/985ea163f5af026723561354f51f2ebcdcf2af809ce254ccfb64aa9aadd80f90";
const LITEWITNESS = `old 0

${LITEWITNESS_ORIGIN}
1
KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

— ${LITEWITNESS_ORIGIN} 7BKT0gOfNZ1J0So9unY3BZtm2YkPIoNYM/dce0Z2avJDs8dxN6ts9bOSwwrVrbjm6P9K3ZxpK6jJngOG6YvGGzV/lwo=
`;

describe("C2SP tlog-witness, add-checkpoint", () => {
  it("reads and writes the specification's example octet for octet", () => {
    const request = parseAddCheckpoint(EXAMPLE);
    expect([request.oldSize, request.proof.length]).toEqual([20_852_014, 4]);
    expect(writeAddCheckpoint(request)).toBe(EXAMPLE);
  });

  it("the witness MUST verify the checkpoint signature: a request of litewitness's tests", async () => {
    const x = Buffer.from(LITEWITNESS_KEY, "hex").toString("base64url");
    const vkey = vkeyOf(c, LITEWITNESS_ORIGIN, { kty: "OKP", crv: "Ed25519", x });
    const request = parseAddCheckpoint(LITEWITNESS);
    const logs = new Map([[LITEWITNESS_ORIGIN, [vkey]]]);
    expect(await openSubmission(c, request, logs)).toMatchObject({ do: "judge" });
    expect(await openSubmission(c, request, new Map())).toMatchObject({ status: 404 });
    const other = vkeyOf(c, LITEWITNESS_ORIGIN, parseVkey(c, REAL_LOG).key);
    const strange = new Map([[LITEWITNESS_ORIGIN, [other]]]);
    expect(await openSubmission(c, request, strange)).toMatchObject({ status: 403 });
  });

  it("consistency proof lines: the steps 1 to 3 to 5 of litewitness's tests", () => {
    const leaf = (n: number): Uint8Array => unhex(`2a0${n}`.padEnd(64, "0"));
    const roots = new Map([
      [1, leaf(0)],
      [3, unhex("45c088d4d939e9971298811f227d1295eaad57bbafae55cd71c171e7de48c25d")],
      [5, unhex("42bb57ad06420afa4882c4a63ac6a1ec77480b330b2f20dfc53a0caa5f564e36")],
    ]);
    const rootAt = (size: number): Uint8Array => roots.get(size) ?? new Uint8Array(0);
    const step = (from: number, to: number, proof: readonly Uint8Array[]): void =>
      verifyConsistency(c, { from, to, fromRoot: rootAt(from), toRoot: rootAt(to), proof });
    step(1, 3, [leaf(1), leaf(2)]);
    const inner = unhex("c2088815d65f60dbfa594d4e96504ab169cb6084bf0c132ab7c521fd2e0eba41");
    step(3, 5, [leaf(2), leaf(3), inner, leaf(4)]);
    const wrong = leaf(2);
    wrong[31] = 1;
    expect(() => step(1, 3, [leaf(1), wrong])).toThrow("log_proof_invalid");
    expect(() => step(1, 3, [])).toThrow("log_proof_invalid");
  });
});
