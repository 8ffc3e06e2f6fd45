import { createPrivateKey } from "node:crypto";
import {
  base64,
  emptyRoot,
  fromBase64,
  hex,
  leafHash,
  MerkleTree,
  openCheckpoint,
  openNote,
  parseTlogProof,
  parseVkey,
  signCheckpoint,
  signNote,
  utf8,
  verifyConsistency,
  verifyInclusion,
  verifyTlogProof,
  vkeyOf,
  writeTlogProof,
} from "@countersign/core";
import { generateSigner, nodeCrypto as c, signerOf } from "@countersign/node";
import { describe, expect, it } from "vitest";

const unhex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));

/** Inputs and roots of the reference tree of google/certificate-transparency and transparency-dev/merkle. */
const INPUTS = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map(unhex);
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const rootAt = (size: number): Uint8Array => unhex(ROOTS[size] ?? "");

const [H01, H02, H03, H47] = [
  "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
  "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
  "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
  "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
];
const H67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const H03ROOT = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
const H45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

const tree = new MerkleTree(c);
for (const input of INPUTS) tree.append(leafHash(c, input));

describe("RFC 9162 section 2.1 (Merkle trees), reference tree of eight entries", () => {
  it("2.1.1: the hash of an empty list is the hash of an empty string", () => {
    expect(hex(emptyRoot(c))).toBe(ROOTS[0]);
  });

  it.each(ROOTS.map((root, size) => [size, root] as const))(
    "2.1.1: root of %i entries",
    (size, root) => {
      expect(hex(tree.root(size))).toBe(root);
    },
  );

  it.each([
    [0, 1, []],
    [0, 8, [H01, H02, H47]],
    [5, 8, [H03, H67, H03ROOT]],
    [2, 3, [ROOTS[2]]],
    [1, 5, [ROOTS[1], H02, H03]],
  ])("2.1.3.1: audit path of entry %i in %i", (index, size, path) => {
    expect(tree.inclusionProof(index, size).map(hex)).toEqual(path);
    verifyInclusion(c, {
      index,
      size,
      root: rootAt(size),
      leafHash: leafHash(c, INPUTS[index] ?? utf8("?")),
      proof: path.map((hash) => unhex(hash ?? "")),
    });
  });

  it.each([
    [1, 1, []],
    [1, 8, [H01, H02, H47]],
    [6, 8, [H45, H67, H03ROOT]],
    [2, 5, [H02, H03]],
  ])("2.1.4.1: consistency of %i and %i", (from, to, path) => {
    expect(tree.consistencyProof(from, to).map(hex)).toEqual(path);
    const proof = path.map((hash) => unhex(hash ?? ""));
    verifyConsistency(c, { from, to, fromRoot: rootAt(from), toRoot: rootAt(to), proof });
  });
});

/** golang.org/x/mod, sumdb/note, example_test.go: key pair and note. */
const GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_SEED = fromBase64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").subarray(1);
const GO_TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_NOTE = `${GO_TEXT}
— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;
const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), GO_SEED]);
const goSigner = signerOf(createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" }));

describe("C2SP signed-note", () => {
  it("Ed25519 signatures: opens the note of Go's example", async () => {
    expect(await openNote(c, GO_NOTE, parseVkey(c, GO_VKEY))).toBe(GO_TEXT);
  });

  it("Ed25519 signatures: writes the note of Go's example octet for octet", async () => {
    expect(vkeyOf(c, "PeterNeumann", goSigner.key)).toBe(GO_VKEY);
    expect(await signNote(c, GO_TEXT, "PeterNeumann", goSigner)).toBe(GO_NOTE);
  });

  it("Signatures: verifiers MUST ignore signatures from unknown keys", async () => {
    const more = `${GO_NOTE}— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n`;
    expect(await openNote(c, more, parseVkey(c, GO_VKEY))).toBe(GO_TEXT);
  });

  it("Signatures: if no signature from a known key verifies, clients MUST reject the note", async () => {
    const changed = openNote(c, GO_NOTE.replace("think", "thank"), parseVkey(c, GO_VKEY));
    await expect(changed).rejects.toMatchObject({ code: "checkpoint_invalid" });
  });

  it("Format: verifiers MUST accept at least up to 16 signatures", async () => {
    const foreign = `— witness.example ${base64(new Uint8Array(5000))}\n`;
    expect(await openNote(c, GO_NOTE + foreign.repeat(15), parseVkey(c, GO_VKEY))).toBe(GO_TEXT);
  });

  it.each(["\r", "\t", "\u0000"])(
    "Format: notes MUST NOT contain control character %j",
    async (control) => {
      const noted = openNote(
        c,
        GO_NOTE.replace(" think", `${control}think`),
        parseVkey(c, GO_VKEY),
      );
      await expect(noted).rejects.toMatchObject({ code: "checkpoint_invalid" });
    },
  );
});

const log = generateSigner("Ed25519");
const ORIGIN = "example.com/behind-the-sofa";
const vkey = vkeyOf(c, ORIGIN, log.key);

describe("C2SP tlog-checkpoint", () => {
  it("Note text: origin, decimal size, base64 root, then the signature named like the origin", async () => {
    // first three lines of the specification's own example
    const root = fromBase64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
    const text = await signCheckpoint(c, { origin: ORIGIN, size: 20_852_163, root }, log);
    expect(text.split("\n").slice(0, 4)).toEqual([
      "example.com/behind-the-sofa",
      "20852163",
      "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
      "",
    ]);
    expect(text).toMatch(
      /\n\n— example\.com\/behind-the-sofa [A-Za-z0-9+/]{90}[A-Za-z0-9+/=]{2}\n$/,
    );
    expect((await openCheckpoint(c, text, vkey)).size).toBe(20_852_163);
  });

  it("Note text: the size of an empty tree is 0, without leading zeroes otherwise", async () => {
    const text = await signCheckpoint(c, { origin: ORIGIN, size: 0, root: emptyRoot(c) }, log);
    expect((await openCheckpoint(c, text, vkey)).size).toBe(0);
    const body = `${ORIGIN}\n00\n${base64(emptyRoot(c))}\n`;
    const padded = await signNote(c, body, ORIGIN, log);
    await expect(openCheckpoint(c, padded, vkey)).rejects.toMatchObject({
      code: "checkpoint_invalid",
    });
  });
});

describe("C2SP tlog-proof", () => {
  it("Format: header, index, one hash a line from the leaf's sibling upwards, empty line, checkpoint verbatim", async () => {
    const checkpoint = await signCheckpoint(c, { origin: ORIGIN, size: 8, root: tree.root() }, log);
    const proof = writeTlogProof({ index: 5, proof: tree.inclusionProof(5), checkpoint });
    const hashes = [H03, H67, H03ROOT].map((hash) => base64(unhex(hash ?? "")));
    expect(proof).toBe(["c2sp.org/tlog-proof@v1", "index 5", ...hashes, "", checkpoint].join("\n"));
    const at = await verifyTlogProof(c, { proof, entry: INPUTS[5] ?? utf8("?"), vkey });
    expect(at.index).toBe(5);
  });

  it("Format: the specification's own example has this form, but for its extra line", () => {
    const example = `c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
`;
    const parsed = parseTlogProof(example);
    expect(parsed.index).toBe(73_894);
    expect(parsed.proof).toHaveLength(5);
    expect(writeTlogProof(parsed)).toBe(example);
  });
});
