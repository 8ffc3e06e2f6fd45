import { fromUtf8, ownerJwsOf, readArmor, Refusal, verifyOwnerSignature } from "@countersign/core";
import type { Bytes, OwnerPublicKey, OwnerSignature } from "@countersign/core";
import { nodeCrypto } from "@countersign/node";
import type { Command } from "commander";
import { readBounded } from "./files.ts";
import { isPkcs11Uri } from "./pkcs11/uri.ts";
import { shellLine } from "./sign-lines.ts";
import { sshsigOf } from "./signing.ts";

/** How an owner signs: here, or elsewhere with what is printed and brought back. */
export interface SignOptions {
  readonly key: string;
  readonly print: boolean;
  readonly statement?: string;
  readonly signature?: string;
}

const MAX_SIGNATURE_BYTES = 16_384;
const MAX_STATEMENT_BYTES = 16_384;
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\n?$/;
const SSH_ARMOUR = "-----BEGIN SSH SIGNATURE-----";

/** ASCII alone is text here: a raw signature is not. */
function textOf(octets: Bytes): string {
  return octets.every((octet) => octet < 0x80) ? fromUtf8(octets) : "";
}

function formOf(octets: Bytes, statement: Bytes, key: OwnerPublicKey): OwnerSignature {
  const text = textOf(octets);
  if (text.startsWith(SSH_ARMOUR)) return sshsigOf(readArmor(text));
  if (COMPACT.test(text)) return { k: "jws", s: text.trimEnd() };
  return ownerJwsOf(key.jwk, statement, octets);
}

/**
 * The signature in a file, whoever made it: an armoured SSHSIG of `ssh-keygen -Y sign`, a compact JWS, or the bare
 * signature over a JWS' input that OpenSSL or a token wrote. Verified before it is shown to anybody.
 * @throws Refusal `not_found`, `too_large`, `signature_invalid`, and as `verifyOwnerSignature`
 */
export async function signatureFrom(
  path: string,
  statement: Bytes,
  key: OwnerPublicKey,
): Promise<OwnerSignature> {
  const signature = formOf(await readBounded(path, MAX_SIGNATURE_BYTES), statement, key);
  await verifyOwnerSignature(nodeCrypto, { statementBytes: statement, signature, key });
  return signature;
}

/** Octets of a statement file; the one newline that an editor or echo adds at its end is not part of them. */
export async function statementFrom(options: SignOptions): Promise<Uint8Array> {
  const path = options.statement ?? (options.signature ?? "").replace(/\.(sig|jws)$/, "");
  const octets = await readBounded(path, MAX_STATEMENT_BYTES).catch((error: unknown) => {
    if (!(error instanceof Refusal) || error.code !== "not_found") throw error;
    throw new Refusal(
      "not_found",
      `cannot read ${path}`,
      "Name the statement that was signed: --statement FILE.",
    );
  });
  return octets.at(-1) === 0x0a ? octets.slice(0, -1) : octets;
}

const KEY = [
  "--key <file>",
  "private key, OpenSSH or PEM, or the .pub file of a key that the ssh-agent holds",
] as const;

const TOKEN = [
  "--pkcs11 <uri>",
  "in place of --key: a key of a PIV card or HSM, as pkcs11:token=LABEL;object=LABEL",
] as const;

/** The option that names a key again, in a line for a shell. */
export function keyOption(key: string): string {
  return shellLine(isPkcs11Uri(key) ? "--pkcs11" : "--key", key);
}

interface NamedKey {
  readonly key?: string;
  readonly pkcs11?: string;
}

function demandKey(command: Command): void {
  const { key, pkcs11 } = command.opts<NamedKey>();
  if (key === undefined && pkcs11 === undefined)
    command.error("error: required option '--key <file>' or '--pkcs11 <uri>' not specified");
}

/** Both options name one key: from here on it is `key`, and no command tells them apart. */
function nameKey(command: Command): void {
  const { key, pkcs11 } = command.opts<NamedKey>();
  if (pkcs11 === undefined) return;
  if (key !== undefined) command.error("error: --key and --pkcs11 name two keys: choose one");
  if (!isPkcs11Uri(pkcs11)) command.error("error: --pkcs11 takes a URI that begins with pkcs11:");
  command.setOptionValue("key", pkcs11);
}

/**
 * The options that name a key of a command that signs only where one is named.
 * @param purpose what is done with it, at the end of the option's description
 */
export function mayNameKey(command: Command, purpose = ""): Command {
  const [flags, about] = KEY;
  return command
    .option(flags, `${about}${purpose}`)
    .option(...TOKEN)
    .hook("preAction", nameKey);
}

/** The options that name the key of a command that signs. */
export function namingKey(command: Command): Command {
  return mayNameKey(command).hook("preAction", demandKey);
}

/** The options of a command that signs, here or elsewhere. */
export function signing(command: Command): Command {
  return namingKey(command)
    .option("--print", "print the statement for signing elsewhere", false)
    .option("--statement <file>", "the statement's file, to write with --print or to bring back")
    .option(
      "--signature <file>",
      "bring back a signature made elsewhere: SSH's, a JWS, or a bare one",
    );
}
