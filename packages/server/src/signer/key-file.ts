import { join } from "node:path";
import { Members, parseJson, Refusal } from "@countersign/core";
import type { Json, Seconds, Signer } from "@countersign/core";
import { loadPrivateKey, readPrivateFile, signerOf, writePrivateFile } from "@countersign/node";

const MAX_LIST_BYTES = 65_536;

/** A key as its list has it: in the order in which they were made, under names that are never used again. */
export interface ListedKey {
  readonly name: string;
  /** From when it signs. */
  readonly nbf: Seconds;
  /** When it ends. */
  readonly exp: Seconds;
  /** Whether log and trust bundle were told of it. */
  readonly isAnnounced: boolean;
}

/**
 * The list in a file, or undefined where there is none.
 * @throws Refusal `signer_unsuitable`, `private_mode`
 */
export async function readKeyList(
  path: string,
  names: RegExp,
  maxKeys: number,
): Promise<readonly ListedKey[] | undefined> {
  const octets = await readPrivateFile(path, MAX_LIST_BYTES);
  if (octets === undefined) return undefined;
  const list: Json = parseJson(octets, { maxBytes: MAX_LIST_BYTES, maxDepth: 3 });
  if (!Array.isArray(list) || list.length === 0 || list.length > maxKeys)
    throw new Refusal("signer_unsuitable", `${path} is not a list of keys`);
  return (list as readonly Json[]).map((item) => {
    const members = new Members(item, "signer_unsuitable", path);
    const key = {
      name: members.text("name", { pattern: names }),
      nbf: members.integer("nbf"),
      exp: members.integer("exp"),
      isAnnounced: members.optional("announced", (name) => members.flag(name)) ?? true,
    };
    members.end();
    return key;
  });
}

/** In one step: after a crash the file holds the list before or this one. */
export async function writeKeyList(path: string, list: readonly ListedKey[]): Promise<void> {
  const written = list.map(({ name, nbf, exp, isAnnounced }) => ({
    name,
    nbf,
    exp,
    ...(isAnnounced ? {} : { announced: false }),
  }));
  await writePrivateFile(path, `${JSON.stringify(written, undefined, 2)}\n`);
}

/** The key of a name; never made anew, since others may know its public half. @throws Refusal `signer_unsuitable`, `private_mode` */
export async function readSigner(folder: string, name: string): Promise<Signer> {
  const path = join(folder, `${name}.pem`);
  const key = await loadPrivateKey(path);
  const signer = key?.asymmetricKeyType === "ec" ? signerOf(key) : undefined;
  if (signer?.key.crv !== "P-256")
    throw new Refusal(
      "signer_unsuitable",
      `${path} is missing or not a P-256 key`,
      "Put the newest copy of the data directory in place.",
    );
  return signer;
}
