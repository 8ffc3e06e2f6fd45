import { spawnSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  base64,
  base64url,
  CONSENT_NAMESPACE,
  fromBase64url,
  makeSshsig,
  parseOpensshPrivateKey,
  parsePublicKeyLine,
  readArmor,
  readPublicKeyLine,
  Refusal,
  sshKeyOf,
  thumbprint,
  verifyApproval,
  verifySshsig,
  writeArmor,
  writeOpensshPrivateKey,
  writePublicKeyLine,
  writeStatement,
} from "@countersign/core";
import type { Jwk, OkpJwk, Signer } from "@countersign/core";
import {
  generatePrivateKey,
  generateSigner,
  nodeCrypto,
  nodeRandom,
  publicJwkOf,
  signerOf,
} from "@countersign/node";
import { CREDENTIAL } from "../conformance/consent-fixture.ts";
import { peer } from "./peers.ts";

const sshKeygen = peer("ssh-keygen");

/** What is read here of a published vector. */
interface Vector {
  readonly name: string;
  readonly statement: string;
  readonly sig: { readonly s: string };
  readonly allowed?: string;
  readonly ssh_keygen?: "Good" | "no";
}

describe.skipIf(!sshKeygen.present)("ssh-keygen judges our SSH forms, and we its", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "countersign-ssh-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const path = (name: string): string => join(folder, name);
  const run = (args: readonly string[], input: Uint8Array | string = "") => {
    const { status, stdout, stderr } = spawnSync(sshKeygen.path, [...args], {
      input,
      encoding: "utf8",
      timeout: 20_000,
    });
    return { status, said: stdout + stderr };
  };
  const statementFor = (jwk: Jwk) =>
    writeStatement(nodeCrypto, {
      ...CREDENTIAL,
      owner: { ...CREDENTIAL.owner, jkt: thumbprint(nodeCrypto, jwk) },
    });
  /** What `ssh-keygen -Y verify` says of a signature over a statement. */
  const judge = (signer: Signer, blob: Uint8Array, message: Uint8Array) => {
    const line = writePublicKeyLine(sshKeyOf(signer.key));
    writeFileSync(path("allowed"), `owner namespaces="${CONSENT_NAMESPACE}" ${line}\n`);
    writeFileSync(path("sig"), writeArmor(blob));
    const files = ["-f", path("allowed"), "-s", path("sig")];
    return run(["-Y", "verify", ...files, "-I", "owner", "-n", CONSENT_NAMESPACE], message);
  };

  it.each(["Ed25519", "P-256"] as const)(
    "says Good of what makeSshsig makes with %s",
    async (kind) => {
      const signer = generateSigner(kind);
      const { bytes } = statementFor(signer.key);
      // r and s are now and then shorter than the field: several signatures meet both lengths
      for (let i = 0; i < 8; i += 1) {
        const blob = await makeSshsig(nodeCrypto, signer, CONSENT_NAMESPACE, bytes);
        const { status, said } = judge(signer, blob, bytes);
        expect(said).toContain('Good "agent-consent-v1@countersign" signature for owner');
        expect(status).toBe(0);
      }
    },
  );

  const published = JSON.parse(
    readFileSync(new URL("../vectors/owner/vectors.json", import.meta.url), "utf8"),
  ) as { vectors: readonly Vector[] }; // as its generator writes it
  const rows = published.vectors.filter((row) => row.ssh_keygen !== undefined);
  /** What `ssh-keygen -Y verify` says of a published row. */
  const sayOf = ({ allowed, sig, statement }: Vector): "Good" | "no" => {
    writeFileSync(path("allowed"), `owner namespaces="${CONSENT_NAMESPACE}" ${allowed}\n`);
    writeFileSync(path("sig"), writeArmor(new Uint8Array(Buffer.from(sig.s, "base64"))));
    const files = ["-f", path("allowed"), "-s", path("sig")];
    const judging = ["-Y", "verify", ...files, "-I", "owner", "-n", CONSENT_NAMESPACE];
    const { status, said } = run(judging, fromBase64url(statement));
    return status === 0 && said.startsWith("Good") ? "Good" : "no";
  };
  it.each(rows.map((row) => [row.name, row] as const))("published vectors: %s", (_name, row) => {
    expect(sayOf(row)).toBe(row.ssh_keygen);
  });

  it.each([
    ["without touch", "verified only", "user_not_present"],
    ["without PIN", "touched only", "user_not_verified"],
    ["without both", "neither", "user_not_present"],
  ])("says Good of a security key's signature %s, which we refuse", async (_name, row, wanted) => {
    const found = rows.filter(({ name }) => name.startsWith("sshsig-sk") && name.endsWith(row));
    expect(found).toHaveLength(2); // Ed25519 and ECDSA
    for (const vector of found) {
      expect(sayOf(vector)).toBe("Good");
      const key = readPublicKeyLine(vector.allowed ?? "");
      const message = fromBase64url(vector.statement);
      const input = { signature: vector.sig.s, message, namespace: CONSENT_NAMESPACE, key };
      const refused = verifySshsig(nodeCrypto, input);
      await expect(refused).rejects.toMatchObject({ code: wanted });
    }
  });

  it("does not say Good of another message", async () => {
    const signer = generateSigner("Ed25519");
    const { bytes } = statementFor(signer.key);
    const blob = await makeSshsig(nodeCrypto, signer, CONSENT_NAMESPACE, bytes);
    expect(judge(signer, blob, bytes.subarray(1)).status).not.toBe(0);
  });

  it.each([
    ["ed25519", "ed25519", []],
    ["ecdsa", "ecdsa-p256", ["-b", "256"]],
  ] as const)(
    "a key of ssh-keygen -t %s approves with ssh-keygen -Y sign",
    async (type, kind, bits) => {
      const file = path(`made-${type}`);
      expect(run(["-q", "-t", type, ...bits, "-N", "", "-C", "me", "-f", file]).status).toBe(0);
      const key = parsePublicKeyLine(readFileSync(`${file}.pub`, "utf8"));
      expect([key.kind, key.comment]).toEqual([kind, "me"]);
      const statement = statementFor(key.jwk);
      writeFileSync(path("statement.json"), statement.bytes);
      rmSync(path("statement.json.sig"), { force: true });
      const signing = run([
        "-Y",
        "sign",
        "-f",
        file,
        "-n",
        CONSENT_NAMESPACE,
        path("statement.json"),
      ]);
      expect(signing).toMatchObject({ status: 0 });
      const s = base64(readArmor(readFileSync(path("statement.json.sig"), "utf8")));
      const approval = await verifyApproval(nodeCrypto, statement, { k: "sshsig", s }, key);
      expect(approval.assurance).toBe(2);

      const held = parseOpensshPrivateKey(readFileSync(file, "utf8"));
      expect([held.kind, held.jwk, held.comment]).toEqual([kind, key.jwk, "me"]);
      const d = base64url(held.seedOrScalar);
      const signer = signerOf(createPrivateKey({ key: { ...held.jwk, d }, format: "jwk" }));
      const signature = await makeSshsig(nodeCrypto, signer, CONSENT_NAMESPACE, statement.bytes);
      const input = { message: statement.bytes, namespace: CONSENT_NAMESPACE, key };
      await verifySshsig(nodeCrypto, { ...input, signature });
    },
  );

  it("reads the private key file that we write", () => {
    const privateKey = generatePrivateKey("Ed25519");
    const jwk = publicJwkOf(privateKey) as OkpJwk; // it was made as Ed25519
    const seed = fromBase64url(privateKey.export({ format: "jwk" }).d ?? "");
    const file = path("written");
    writeFileSync(file, writeOpensshPrivateKey(nodeRandom, { jwk, seed, comment: "demo" }), {
      mode: 0o600,
    });
    const { status, said } = run(["-y", "-f", file]);
    expect({ status, said }).toMatchObject({ status: 0 });
    expect(said.trim()).toBe(writePublicKeyLine(sshKeyOf(jwk), "demo"));
  });

  it.each([
    ["an encrypted file", ["-t", "ed25519", "-N", "a passphrase"]],
    ["an RSA file", ["-t", "rsa", "-b", "2048", "-N", ""]],
    ["a P-384 file", ["-t", "ecdsa", "-b", "384", "-N", ""]],
  ])("%s is refused: key_unsupported", (name, args) => {
    const file = path(name.replaceAll(" ", "-"));
    expect(run(["-q", ...args, "-f", file]).status).toBe(0);
    let problem: unknown;
    try {
      parseOpensshPrivateKey(readFileSync(file, "utf8"));
    } catch (refusal) {
      problem = refusal;
    }
    expect(problem instanceof Refusal ? problem.code : problem).toBe("key_unsupported");
  });
});
