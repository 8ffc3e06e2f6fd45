import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  agentListRequest,
  agentMessageLength,
  agentSignRequest,
  base64,
  blobOfJwk,
  claimedKeyOf,
  concat,
  equalBytes,
  fromBase64url,
  isOwnerKey,
  makeSshsig,
  parseOpensshPrivateKey,
  parsePublicKeyLine,
  readAgentIdentities,
  readAgentSignature,
  readArmor,
  readKeyBlob,
  readPublicKeyLine,
  readSshsig,
  Refusal,
  sshKeyOf,
  sshsigSignedData,
  utf8,
  verifyOwnerSignature,
  verifySshsig,
  writeArmor,
  writeOpensshPrivateKey,
  writePublicKeyLine,
  writeSshsig,
} from "@countersign/core";
import type { OkpJwk, RefusalCode, Signer } from "@countersign/core";
import { generateSigner, nodeCrypto } from "@countersign/node";
import { OTHER, outcome, OWNER } from "./consent-fixture.ts";
import { vectors, vectorsPresent } from "./vectors.ts";

const NAMESPACE = "test@example.org";
const MESSAGE = utf8("message");
const P256 = generateSigner("P-256");
const RSA_LINE = `ssh-rsa ${base64(concat(u32(7), utf8("ssh-rsa"), u32(3), Uint8Array.of(1, 0, 1), u32(1), Uint8Array.of(5)))}`;

function u32(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
}
function str(data: Uint8Array | string): Uint8Array {
  const octets = typeof data === "string" ? utf8(data) : data;
  return concat(u32(octets.length), octets);
}

interface SshVector {
  readonly name: string;
  readonly publicKey: string;
  readonly signature: string;
  readonly flags?: number;
  readonly counter?: number;
}
interface SshVectors {
  readonly namespace: string;
  readonly message: string;
  readonly vectors: readonly SshVector[];
  readonly negative: readonly SshVector[];
}

describe.skipIf(!vectorsPresent)("vectors owner/sshsig.json", () => {
  const file = vectorsPresent
    ? vectors<SshVectors>("owner/sshsig.json")
    : { namespace: "", message: "", vectors: [], negative: [] };
  const verify = (row: SshVector, message = file.message, namespace = file.namespace) =>
    verifySshsig(nodeCrypto, {
      signature: readArmor(row.signature),
      message: utf8(message),
      namespace,
      key: readPublicKeyLine(row.publicKey),
    });
  const positive = file.vectors.map((row) => [row.name, row] as const);

  it.each(positive)("%s verifies, with its flags and counter", async (_name, row) => {
    const facts = await verify(row);
    expect([facts.flags, facts.counter]).toEqual([row.flags, row.counter]);
  });
  it.each(positive)("%s: another message, another namespace, another key", async (_name, row) => {
    expect(await outcome(() => verify(row, `${file.message} `))).toBe("signature_invalid");
    expect(await outcome(() => verify(row, file.message, "git"))).toBe("namespace_mismatch");
    const key = writePublicKeyLine(sshKeyOf(OWNER.key));
    expect(await outcome(() => verify({ ...row, publicKey: key }))).toBe("key_not_enrolled");
  });
  it.each(positive)("%s: line, blob and armour are written as they were read", (_name, row) => {
    const key = readPublicKeyLine(row.publicKey);
    expect(writePublicKeyLine(key, key.comment)).toBe(row.publicKey);
    expect(equalBytes(blobOfJwk(key.jwk, key.app), key.blob)).toBe(true);
    expect(equalBytes(claimedKeyOf(readArmor(row.signature)).blob, key.blob)).toBe(true);
    expect(writeArmor(writeSshsig(readSshsig(readArmor(row.signature))))).toBe(row.signature);
  });
  it.each(file.negative.map((row) => [row.name, row] as const))(
    "%s: genuine, and refused for want of presence",
    async (_name, row) => {
      expect(await outcome(() => verify(row))).toBe("user_not_present");
    },
  );
  it.each(positive)("%s: enrols unless it is P-384 or P-521", async (name, row) => {
    const wanted = /p384|p521/.test(name) ? "key_unsupported" : "accepted";
    expect(await outcome(() => parsePublicKeyLine(row.publicKey))).toBe(wanted);
    expect(isOwnerKey(readPublicKeyLine(row.publicKey))).toBe(wanted === "accepted");
  });
});

/** A software key that behaves as a security key: what counts is inside the signature. */
async function skSignature(flags: number, signer: Signer, app = "ssh:test"): Promise<Uint8Array> {
  const key = sshKeyOf(signer.key, app);
  const inner = sshsigSignedData(nodeCrypto, NAMESPACE, "sha512", MESSAGE);
  const tail = concat(Uint8Array.of(flags), u32(7));
  const raw = await signer.sign(
    concat(nodeCrypto.sha256(utf8(app)), tail, nodeCrypto.sha256(inner)),
  );
  const signature = concat(str("sk-ssh-ed25519@openssh.com"), str(raw), tail);
  return writeSshsig({ publicKey: key.blob, namespace: NAMESPACE, hash: "sha512", signature });
}

describe("owner.md 1.2: SSHSIG of security keys, UP and UV both set", () => {
  const rows: readonly (readonly [string, number, RefusalCode | "accepted"])[] = [
    ["touched and verified", 0x05, "accepted"],
    ["other bits are free", 0x8d, "accepted"],
    ["touched, not verified", 0x01, "user_not_verified"],
    ["verified, not touched", 0x04, "user_not_present"],
    ["neither", 0x00, "user_not_present"],
  ];
  it.each(rows)("%s", async (_name, flags, wanted) => {
    const signature = await skSignature(flags, OWNER);
    const key = sshKeyOf(OWNER.key, "ssh:test");
    const act = () =>
      verifySshsig(nodeCrypto, { signature, message: MESSAGE, namespace: NAMESPACE, key });
    expect(await outcome(act)).toBe(wanted);
  });
  it("formats.md 3: the application is part of the key that is expected", async () => {
    const signature = await skSignature(0x05, OWNER);
    for (const key of [sshKeyOf(OWNER.key, "ssh:other"), sshKeyOf(OWNER.key)]) {
      const act = () =>
        verifySshsig(nodeCrypto, { signature, message: MESSAGE, namespace: NAMESPACE, key });
      expect(await outcome(act)).toBe("key_not_enrolled");
    }
  });
  it("says that the user was present and verified", async () => {
    const s = base64(await skSignature(0x05, OWNER));
    const facts = await verifyOwnerSignature(nodeCrypto, {
      statementBytes: MESSAGE,
      signature: { k: "sshsig", s },
      key: { jwk: OWNER.key, app: "ssh:test" },
      namespace: NAMESPACE,
    });
    expect(facts).toEqual({ kind: "sshsig", userPresent: true, userVerified: true, counter: 7 });
  });
});

describe("PROTOCOL.sshsig: the blob", () => {
  const parts = async () => readSshsig(await makeSshsig(nodeCrypto, OWNER, NAMESPACE, MESSAGE));
  const MAGIC = utf8("SSHSIG");
  const blob = async (change: {
    magic?: string;
    version?: number;
    reserved?: string;
    hash?: string;
    signature?: Uint8Array;
    tail?: Uint8Array;
  }) => {
    const { publicKey, signature } = await parts();
    return concat(
      change.magic === undefined ? MAGIC : utf8(change.magic),
      u32(change.version ?? 1),
      str(publicKey),
      str(NAMESPACE),
      str(change.reserved ?? ""),
      str(change.hash ?? "sha512"),
      str(change.signature ?? signature),
      change.tail ?? new Uint8Array(0),
    );
  };
  const rows: readonly (readonly [string, Parameters<typeof blob>[0], RefusalCode | "accepted"])[] =
    [
      ["as made", {}, "accepted"],
      ["another magic", { magic: "SSHSIK" }, "signature_invalid"],
      ["another version", { version: 2 }, "signature_invalid"],
      ["a reserved field that is not empty", { reserved: "x" }, "signature_invalid"],
      ["hash sha256 over a signature of sha512", { hash: "sha256" }, "signature_invalid"],
      ["hash sha1", { hash: "sha1" }, "signature_invalid"],
      ["octets left over", { tail: Uint8Array.of(0) }, "signature_invalid"],
      ["an empty signature", { signature: new Uint8Array(0) }, "signature_invalid"],
      [
        "a signature of another type",
        { signature: concat(str("ssh-rsa"), str(new Uint8Array(64))) },
        "signature_invalid",
      ],
      ["over its limit", { tail: new Uint8Array(5000) }, "signature_invalid"],
    ];
  const key = sshKeyOf(OWNER.key);
  it.each(rows)("%s", async (_name, change, wanted) => {
    const signature = await blob(change);
    const act = () =>
      verifySshsig(nodeCrypto, { signature, message: MESSAGE, namespace: NAMESPACE, key });
    expect(await outcome(act)).toBe(wanted);
  });

  it.each([
    ["Ed25519", OWNER],
    ["P-256", P256],
  ] as const)("what we make with %s verifies, and with no octet changed", async (_name, signer) => {
    const signature = await makeSshsig(nodeCrypto, signer, NAMESPACE, MESSAGE);
    const input = { message: MESSAGE, namespace: NAMESPACE, key: sshKeyOf(signer.key) };
    await verifySshsig(nodeCrypto, { ...input, signature });
    for (let i = 0; i < signature.length; i += 1) {
      const changed = Uint8Array.from(signature, (octet, at) => (at === i ? octet ^ 1 : octet));
      const act = () => verifySshsig(nodeCrypto, { ...input, signature: changed });
      expect(await outcome(act)).not.toBe("accepted");
    }
  });

  it("readers return or refuse, whatever the octets", async () => {
    const whole = await makeSshsig(nodeCrypto, P256, NAMESPACE, MESSAGE);
    const readers = [readSshsig, readKeyBlob, readAgentIdentities, readAgentSignature];
    const near = fc
      .tuple(fc.nat(whole.length), fc.uint8Array({ maxLength: 40 }))
      .map(([at, data]) => concat(whole.subarray(0, at), data));
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 200 })), (data) => {
        for (const reader of readers)
          try {
            reader(data);
          } catch (problem) {
            if (!(problem instanceof Refusal)) throw problem;
          }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe("public key lines", () => {
  const line = writePublicKeyLine(sshKeyOf(OWNER.key));
  const rows: readonly (readonly [string, string, RefusalCode | "accepted"])[] = [
    ["a line", line, "accepted"],
    ["with a comment and a line feed", `${line} me at home\n`, "accepted"],
    ["RSA", RSA_LINE, "key_unsupported"],
    ["DSA", "ssh-dss AAAA", "key_unsupported"],
    ["a certificate", "ssh-ed25519-cert-v01@openssh.com AAAA", "key_unsupported"],
    ["options in front", `restrict ${line}`, "key_unsupported"],
    ["two lines", `${line}\n${line}`, "invalid_key"],
    ["not base64", "ssh-ed25519 ????", "invalid_key"],
    ["cut short", line.slice(0, -8), "invalid_key"],
    [
      "a type that is not the key's",
      line.replace("ssh-ed25519", "ecdsa-sha2-nistp256"),
      "invalid_key",
    ],
    ["nothing", "", "key_unsupported"],
    ["a name of objects", "constructor AAAA", "key_unsupported"],
    ["over its limit", `${line} ${"x".repeat(3000)}`, "invalid_key"],
  ];
  it.each(rows)("%s", async (_name, text, wanted) => {
    expect(await outcome(() => parsePublicKeyLine(text))).toBe(wanted);
  });
});

describe("OpenSSH private key files", () => {
  // the seed of RFC 8037 A.1, as in the fixture
  const seed = fromBase64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
  const jwk = OWNER.key as OkpJwk; // the fixture's key is Ed25519
  const file = writeOpensshPrivateKey((n) => new Uint8Array(n).fill(9), {
    jwk,
    seed,
    comment: "demo",
  });

  it("is read as it was written", () => {
    expect(parseOpensshPrivateKey(file)).toEqual({
      kind: "ed25519",
      jwk,
      seedOrScalar: seed,
      comment: "demo",
    });
  });

  const encoded = (change: (data: Buffer) => Buffer): string => {
    const body = Buffer.from(file.split("\n").slice(1, -2).join(""), "base64");
    return `-----BEGIN OPENSSH PRIVATE KEY-----\n${change(body).toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
  };
  const section = (from: string, to: string) => (data: Buffer) =>
    Buffer.from(data.toString("latin1").replace(from, to), "latin1");
  const rows: readonly (readonly [string, string, RefusalCode | "accepted"])[] = [
    ["unchanged", encoded((data) => data), "accepted"],
    ["encrypted", encoded(section("\0\0\0\x04none", "\0\0\0\x0aaes256-ctr")), "key_unsupported"],
    [
      "check numbers differ",
      encoded(section("\t\t\t\t\t\t\t\t", "\t\t\t\t\t\t\t\n")),
      "invalid_key",
    ],
    ["bad padding", encoded(section("demo\x01", "demo\x02")), "invalid_key"],
    ["two keys", encoded(section("\0\0\0\x01\0\0\0\x33", "\0\0\0\x02\0\0\0\x33")), "invalid_key"],
    ["another magic", encoded(section("openssh-key-v1", "openssh-key-v2")), "invalid_key"],
    ["PEM of another kind", file.replaceAll("OPENSSH", "RSA"), "invalid_key"],
    ["not base64", file.replace("b3", "!!"), "invalid_key"],
    [
      "a security key",
      encoded(() =>
        Buffer.from(
          concat(
            utf8("openssh-key-v1\0"),
            str("none"),
            str("none"),
            str(""),
            u32(1),
            str(blobOfJwk(jwk, "ssh:")),
            str(""),
          ),
        ),
      ),
      "key_unsupported",
    ],
  ];
  it.each(rows)("%s", async (_name, text, wanted) => {
    expect(await outcome(() => parseOpensshPrivateKey(text))).toBe(wanted);
  });
});

describe("ssh-agent messages", () => {
  it("are framed by their length", () => {
    expect(agentListRequest()).toEqual(Uint8Array.of(0, 0, 0, 1, 11));
    const request = agentSignRequest(Uint8Array.of(1), Uint8Array.of(2));
    expect(request).toEqual(
      Uint8Array.of(0, 0, 0, 15, 13, 0, 0, 0, 1, 1, 0, 0, 0, 1, 2, 0, 0, 0, 0),
    );
    expect(agentMessageLength(request)).toBe(request.length);
    expect(agentMessageLength(request.subarray(0, 3))).toBeUndefined();
  });
  it("answers are read, a refusal is one", async () => {
    const key = blobOfJwk(OTHER.key);
    const list = str(concat(Uint8Array.of(12), u32(1), str(key), str("me")));
    expect(readAgentIdentities(list)).toEqual([{ blob: key, comment: "me" }]);
    expect(readAgentSignature(str(concat(Uint8Array.of(14), str("sig"))))).toEqual(utf8("sig"));
    const refused = () => readAgentSignature(str(Uint8Array.of(5)));
    expect(await outcome(refused)).toBe("signature_invalid");
    expect(await outcome(() => agentMessageLength(u32(2 ** 30)))).toBe("too_large");
  });
});
