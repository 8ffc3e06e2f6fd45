import { connect } from "node:net";
import { createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  agentListRequest,
  agentMessageLength,
  agentSignRequest,
  base64,
  base64url,
  blobOfJwk,
  concat,
  CONSENT_NAMESPACE,
  equalBytes,
  makeSshsig,
  parseOpensshPrivateKey,
  parsePublicKeyLine,
  readAgentIdentities,
  readAgentSignature,
  Refusal,
  sshsigSignedData,
  verifyOwnerSignature,
  writeSshsig,
} from "@countersign/core";
import type { Bytes, Jwk, OwnerKey, OwnerPublicKey, OwnerSignature } from "@countersign/core";
import { nodeCrypto, signerOf } from "@countersign/node";
import { openTokenKey, readTokenKey, tokenLines } from "./pkcs11/key.ts";
import type { PinSource } from "./pkcs11/pins.ts";
import { isPkcs11Uri } from "./pkcs11/uri.ts";
import { isPem, openPemKey, readPemKey } from "./pem-key.ts";
import { opensslLines, sshKeygenLine } from "./sign-lines.ts";
import type { Cli } from "./terminal.ts";

const MAX_KEY_FILE_BYTES = 65_536;
const AGENT_TIMEOUT_MS = 120_000;

/** A key of the owner that can sign here: from its file, or through the ssh-agent. */
export interface OwnerSigner {
  readonly key: OwnerPublicKey;
  readonly comment: string;
  /** Signs the octets of a statement. */
  sign(statement: Bytes): Promise<OwnerSignature>;
}

/** An SSHSIG blob as it stands on the wire. */
export const sshsigOf = (blob: Bytes): OwnerSignature => ({ k: "sshsig", s: base64(blob) });

async function readText(path: string): Promise<string> {
  const octets = await readFile(path).catch(() => {
    throw new Refusal(
      "not_found",
      `cannot read ${path}`,
      "Name a key file with --key: an OpenSSH or PEM private key, or the .pub file of a key that the ssh-agent holds. ssh-keygen -t ed25519 makes one.",
    );
  });
  if (octets.length > MAX_KEY_FILE_BYTES) throw new Refusal("too_large", path);
  return octets.toString("utf8");
}

async function askAgent(socketPath: string, message: Bytes): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const parts: Bytes[] = [];
    const socket = connect(socketPath);
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Refusal("unreachable", `ssh-agent: ${why}`));
    };
    socket.setTimeout(AGENT_TIMEOUT_MS, () => fail("no answer"));
    socket.on("error", (error) => fail(error.message));
    socket.on("connect", () => socket.write(message));
    socket.on("data", (chunk) => {
      parts.push(new Uint8Array(chunk));
      const all = concat(...parts);
      try {
        const length = agentMessageLength(all);
        if (length === undefined || all.length < length) return;
        socket.end();
        resolve(all);
      } catch {
        fail("a malformed answer");
      }
    });
    socket.on("end", () => fail("it hung up"));
  });
}

async function agentSigner(
  cli: Cli,
  key: OwnerKey,
  comment: string,
): Promise<OwnerSigner | undefined> {
  const { SSH_AUTH_SOCK: socket } = cli.env;
  if (socket === undefined) return undefined;
  const identities = readAgentIdentities(await askAgent(socket, agentListRequest()));
  if (!identities.some((identity) => equalBytes(identity.blob, key.blob))) return undefined;
  const sign = async (message: Bytes): Promise<OwnerSignature> => {
    const signed = sshsigSignedData(nodeCrypto, CONSENT_NAMESPACE, "sha512", message);
    const signature = readAgentSignature(
      await askAgent(socket, agentSignRequest(key.blob, signed)),
    );
    const blob = writeSshsig({
      publicKey: key.blob,
      namespace: CONSENT_NAMESPACE,
      hash: "sha512",
      signature,
    });
    return sshsigOf(blob);
  };
  return { key, comment, sign };
}

function privateKeyObject(jwk: Jwk, secret: Bytes): ReturnType<typeof createPrivateKey> {
  return createPrivateKey({ format: "jwk", key: { ...jwk, d: base64url(secret) } });
}

/**
 * The signer that a name stands for: of a `pkcs11:` URI the token's key; of a file the file itself when it is an
 * unencrypted OpenSSH or PEM key, else the ssh-agent that holds it. What it signs is verified before anybody gets it.
 * @param statementFile where a statement is written to be signed elsewhere; undefined where it is signed here or not at all
 * @param pins of tokens; absent: the terminal is asked
 * @throws Refusal `not_found`, `invalid_key`, `key_unsupported` with what helps as `next`; as `openTokenKey`
 */
export async function openOwnerKey(
  cli: Cli,
  name: string,
  statementFile: string | undefined,
  pins?: PinSource,
): Promise<OwnerSigner> {
  const signer = isPkcs11Uri(name)
    ? await openTokenKey(cli, name, pins)
    : await openFile(cli, name, statementFile);
  return { ...signer, sign: async (statement) => verified(signer, statement) };
}

async function openFile(
  cli: Cli,
  path: string,
  statementFile: string | undefined,
): Promise<OwnerSigner> {
  const text = await readText(path);
  return isPem(text) ? openPemKey(path, text) : openSsh(cli, path, text, statementFile);
}

async function verified(signer: OwnerSigner, statement: Bytes): Promise<OwnerSignature> {
  const { key } = signer;
  const signature = await signer.sign(statement);
  await verifyOwnerSignature(nodeCrypto, { statementBytes: statement, signature, key });
  return signature;
}

async function openSsh(
  cli: Cli,
  path: string,
  text: string,
  statementFile: string | undefined,
): Promise<OwnerSigner> {
  if (text.startsWith("-----BEGIN OPENSSH PRIVATE KEY-----")) {
    const opened = openPrivate(text);
    if (opened !== undefined) return opened;
  }
  const isPublic = !text.startsWith("-----BEGIN");
  const publicPath = isPublic ? path : `${path}.pub`;
  const { key, comment } = parsePublic(await readText(publicPath));
  const signer = await agentSigner(cli, key, comment);
  if (signer !== undefined) return signer;
  const add = `Add it to the ssh-agent (ssh-add ${path.replace(/\.pub$/, "")})`;
  const next =
    statementFile === undefined
      ? `${add}.`
      : `${add}, or sign elsewhere: run this command with --print > ${statementFile}, then ${sshKeygenLine(path, statementFile)}, then this command with --signature ${statementFile}.sig.`;
  throw new Refusal(
    "key_unsupported",
    "the key is encrypted, in hardware, or only its public part is here, and no ssh-agent holds it",
    next,
  );
}

function openPrivate(text: string): OwnerSigner | undefined {
  try {
    const { jwk, seedOrScalar, comment } = parseOpensshPrivateKey(text);
    const signer = signerOf(privateKeyObject(jwk, seedOrScalar));
    const key = parsePublic(`${lineKind(jwk)} ${base64(blobOfJwk(jwk))} ${comment}`).key;
    return {
      key,
      comment,
      sign: async (message) =>
        sshsigOf(await makeSshsig(nodeCrypto, signer, CONSENT_NAMESPACE, message)),
    };
  } catch (error) {
    if (error instanceof Refusal && error.code === "key_unsupported") return undefined;
    throw error;
  }
}

const lineKind = (jwk: Jwk): string => (jwk.kty === "OKP" ? "ssh-ed25519" : "ecdsa-sha2-nistp256");

function parsePublic(line: string): { readonly key: OwnerKey; readonly comment: string } {
  const { comment, ...key } = parsePublicKeyLine(line.trim());
  return { key, comment };
}

/** The public key of a token's key or of a key file, private or public, without anything to sign with. */
export async function readOwnerKey(cli: Cli, path: string): Promise<OwnerPublicKey> {
  if (isPkcs11Uri(path)) return readTokenKey(cli, path);
  const text = await readText(path);
  if (isPem(text)) return readPemKey(path, text);
  if (!text.startsWith("-----BEGIN")) return parsePublic(text).key;
  return openPrivate(text)?.key ?? parsePublic(await readText(`${path}.pub`)).key;
}

/** The lines that sign the file of a statement with other people's programs; its signature is in `<file>.sig` then. */
export async function signElsewhere(
  cli: Cli,
  path: string,
  file: string,
): Promise<readonly string[]> {
  if (isPkcs11Uri(path)) return tokenLines(cli, path, file);
  const text = await readText(path);
  return isPem(text)
    ? opensslLines(readPemKey(path, text), path.replace(/\.pub$/, ""), file)
    : [sshKeygenLine(path, file)];
}
