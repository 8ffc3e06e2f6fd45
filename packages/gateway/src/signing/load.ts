import { join } from "node:path";
import {
  fromUtf8,
  parseJson,
  parseOwnerId,
  readPolicyRules,
  readSignedTimes,
  Refusal,
  writeSignedTimes,
} from "@countersign/core";
import type { Crypto, SignedTimes } from "@countersign/core";
import { readConfigDocument, readPrivateFile, writePrivateFile } from "@countersign/node";
import type { GatewayFile } from "../config.ts";
import { loadOwnerKey } from "./owner-key.ts";
import { RuleBook } from "./rules.ts";
import { Seen } from "./seen.ts";
import type { Signing } from "./sign.ts";

/** When each rule has signed; beside the configuration. */
const TIMES_FILE = "signed.json";
const MAX_TIMES_BYTES = 4_194_304;

async function timesIn(path: string): Promise<SignedTimes> {
  const octets = await readPrivateFile(path, MAX_TIMES_BYTES);
  if (octets === undefined) return new Map();
  return readSignedTimes(parseJson(fromUtf8(octets), { maxBytes: MAX_TIMES_BYTES, maxDepth: 6 }));
}

/**
 * What signs for the owner, if the configuration names owner, key and rules.
 * @returns undefined where it names none of them: every question is left to a person
 * @throws Refusal `configuration_invalid` where it names some of them; `private_mode`, `signer_unsuitable`
 */
export async function loadSigning(
  c: Crypto,
  folder: string,
  file: GatewayFile,
): Promise<Signing | undefined> {
  const { owner, owner_key: keyPath, rules: rulesPath, owner_kind: kind } = file;
  if (owner === undefined && keyPath === undefined && rulesPath === undefined) return undefined;
  if (owner === undefined || keyPath === undefined || rulesPath === undefined)
    throw new Refusal(
      "configuration_invalid",
      "owner, owner_key and rules belong together",
      "Set all three in gateway.yaml, or none: without them every question is left to a person.",
    );
  const { id } = parseOwnerId(owner);
  const key = await loadOwnerKey(c, keyPath, {
    owner: id,
    kind: kind === "device" ? kind : "policy",
  });
  const rules = await readConfigDocument(rulesPath, readPolicyRules);
  const path = join(folder, TIMES_FILE);
  const keep = (times: SignedTimes): Promise<void> =>
    writePrivateFile(path, JSON.stringify(writeSignedTimes(times)));
  return {
    owner: id,
    key,
    rules: new RuleBook(rules, await timesIn(path), keep),
    seen: new Seen(),
  };
}
