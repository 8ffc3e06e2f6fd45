import { readFile } from "node:fs/promises";
import { readArmor, Refusal } from "@countersign/core";
import type { OwnerSignature } from "@countersign/core";
import type { Command } from "commander";
import { sshsigOf } from "./signing.ts";

/** How an owner signs: here, or elsewhere with what is printed and brought back. */
export interface SignOptions {
  readonly key: string;
  readonly print: boolean;
  readonly statement?: string;
  readonly signature?: string;
}

/** The signature from a file: an armoured SSHSIG as `ssh-keygen -Y sign` writes it. */
export async function signatureFrom(path: string): Promise<OwnerSignature> {
  const armour = await readFile(path, "utf8").catch(() => {
    throw new Refusal(
      "not_found",
      `cannot read ${path}`,
      "Name the .sig file that ssh-keygen wrote.",
    );
  });
  return sshsigOf(readArmor(armour));
}

/** Octets of a statement file; the one newline that an editor or echo adds at its end is not part of them. */
export async function statementFrom(options: SignOptions): Promise<Uint8Array> {
  const path = options.statement ?? (options.signature ?? "").replace(/\.sig$/, "");
  const octets = new Uint8Array(
    await readFile(path).catch(() => {
      throw new Refusal(
        "not_found",
        `cannot read ${path}`,
        "Name the statement that was signed: --statement FILE.",
      );
    }),
  );
  return octets.at(-1) === 0x0a ? octets.slice(0, -1) : octets;
}

const KEY = [
  "--key <file>",
  "OpenSSH private key, or the .pub file of a key that the ssh-agent holds",
] as const;

/** The options of a command that signs. */
export function signing(command: Command): Command {
  return command
    .requiredOption(...KEY)
    .option("--print", "print the statement for signing elsewhere", false)
    .option("--statement <file>", "the statement's file, to write with --print or to bring back")
    .option("--signature <file>", "bring back a signature that ssh-keygen made");
}
