import { createHmac } from "node:crypto";
import { join } from "node:path";
import { base64url, concat, equalBytes, fromBase64url, Refusal, utf8 } from "@countersign/core";
import type { Bytes } from "@countersign/core";
import {
  createPrivateFile,
  nodeRandom,
  privateDirectory,
  readPrivateFile,
} from "@countersign/node";

/** Whose door it is: nobody else gets a path that was his, not even after this proxy was killed. */
export interface DoorHolder {
  readonly pid: number;
  /** From the kernel: with `pid`, one process of this boot. */
  readonly startTime: number;
  readonly uid: number;
  readonly entry: string;
}

const RANDOM_BYTES = 6;
const TAG_BYTES = 10;
const SECRET_BYTES = 32;
const NAME = /^[A-Za-z0-9_-]{22}$/;

/** Characters in every name. */
export const NAME_LENGTH = 22;

function tagOf(secret: Bytes, random: Bytes, holder: DoorHolder): Bytes {
  const { pid, startTime, uid, entry } = holder;
  const text = `run-door/1\n${base64url(random)}\n${pid}\n${startTime}\n${uid}\n${entry}`;
  return new Uint8Array(createHmac("sha256", secret).update(utf8(text)).digest()).slice(
    0,
    TAG_BYTES,
  );
}

/** A new name of a door, which this proxy, and the next one with its secret, knows again as its holder's. */
export function nameOf(secret: Bytes, holder: DoorHolder): string {
  const random = nodeRandom(RANDOM_BYTES);
  return base64url(concat(random, tagOf(secret, random, holder)));
}

/** @throws Refusal `not_found` for a name that was not made for this holder */
export function checkName(secret: Bytes, name: string, holder: DoorHolder): void {
  if (NAME.test(name)) {
    const octets = fromBase64url(name);
    const tag = tagOf(secret, octets.slice(0, RANDOM_BYTES), holder);
    if (equalBytes(octets.slice(RANDOM_BYTES), tag)) return;
  }
  throw new Refusal("not_found", "not a door of this process", "Start the program again.");
}

/** The secret of a proxy's door names, made on first use. @throws Refusal `private_mode`, `signer_unsuitable` */
export async function doorSecret(data: string): Promise<Bytes> {
  const folder = join(data, "keys");
  await privateDirectory(folder);
  const path = join(folder, "run-doors.key");
  const read = (): Promise<Bytes | undefined> => readPrivateFile(path, SECRET_BYTES);
  let secret = await read();
  if (secret === undefined) {
    await createPrivateFile(path, nodeRandom(SECRET_BYTES));
    secret = await read();
  }
  if (secret?.length !== SECRET_BYTES)
    throw new Refusal("signer_unsuitable", `${path} is not ${SECRET_BYTES} octets`, "Remove it.");
  return secret;
}
