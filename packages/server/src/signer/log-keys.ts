import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Refusal } from "@countersign/core";
import type { Signer } from "@countersign/core";
import { loadOrCreateSigner, loadPrivateKey, signerOf } from "@countersign/node";

const NAME = /^log-([0-9]{1,4})\.pem$/;

/** The key of a log that a recovery has started. @throws Refusal `signer_unsuitable`, `private_mode` */
export async function laterLogSigner(keys: string, number: number): Promise<Signer> {
  const path = join(keys, `log-${number}.pem`);
  const key = await loadPrivateKey(path);
  // never made anew: another key under the same origin would be a forked log
  if (key?.asymmetricKeyType !== "ed25519")
    throw new Refusal(
      "signer_unsuitable",
      `${path} is missing or of another kind`,
      "Put the newest copy of the data directory in place.",
    );
  return signerOf(key);
}

/** Makes the key of the next log: of the first number above this one that never had a key here. */
export async function nextLogKey(
  keys: string,
  above: number,
): Promise<{ readonly number: number; readonly signer: Signer }> {
  const taken = (await readdir(keys)).map((name) => Number(NAME.exec(name)?.[1] ?? 1));
  const number = Math.max(above, ...taken) + 1;
  return { number, signer: await loadOrCreateSigner(keys, `log-${number}`, "Ed25519") };
}
