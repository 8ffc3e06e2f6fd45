import { algorithmOf, CONSENT_NAMESPACE, ownerJwsHeader } from "@countersign/core";
import type { OwnerPublicKey } from "@countersign/core";

/** A word of a line for a shell: as it stands where nothing in it is special, else in single quotes. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A line of words for a shell. */
export const shellLine = (...words: readonly string[]): string => words.map(shellWord).join(" ");

/** The line that signs with OpenSSH itself. Makes `<statement file>.sig`. */
export function sshKeygenLine(keyFile: string, statementFile: string): string {
  return shellLine(
    "ssh-keygen",
    "-Y",
    "sign",
    "-f",
    keyFile,
    "-n",
    CONSENT_NAMESPACE,
    statementFile,
  );
}

/** The line that makes what an owner's JWS signs of the file of a statement, with OpenSSL's base64. Makes `<file>.input`. */
export function jwsInputLine({ jwk }: OwnerPublicKey, file: string): string {
  const header = ownerJwsHeader(algorithmOf(jwk));
  const name = shellWord(file);
  return `{ printf %s ${header}.; openssl base64 -A -in ${name} | tr +/ -_ | tr -d =; } > ${shellWord(`${file}.input`)}`;
}

/** The lines that sign a statement's file with OpenSSL and a PEM private key. Make `<file>.sig`. */
export function opensslLines(
  key: OwnerPublicKey,
  keyFile: string,
  file: string,
): readonly string[] {
  const [input, sig] = [`${file}.input`, `${file}.sig`];
  return [
    jwsInputLine(key, file),
    key.jwk.kty === "EC"
      ? shellLine("openssl", "dgst", "-sha256", "-sign", keyFile, "-out", sig, input)
      : shellLine(
          ...["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", keyFile],
          ...["-in", input, "-out", sig],
        ),
  ];
}
