import { readFile } from "node:fs/promises";
import { fromUtf8, ownerCaOf, Refusal } from "@countersign/core";
import type { OwnerCa } from "@countersign/core";
import type { ServerConfig } from "../config.ts";

const MAX_FILE_BYTES = 262_144;

/**
 * The CAs of owners, from the files that the configuration names.
 * @throws Refusal `configuration_invalid`
 */
export async function readOwnerCas(
  config: Pick<ServerConfig, "ownerCas">,
): Promise<readonly OwnerCa[]> {
  const cas: OwnerCa[] = [];
  for (const { eku, file } of config.ownerCas) {
    const octets = await readFile(file).catch(() => undefined);
    if (octets === undefined || octets.length > MAX_FILE_BYTES)
      throw new Refusal(
        "configuration_invalid",
        `owner_cas: cannot read ${file}`,
        "Put the CA's certificates there, in PEM, readable for the server.",
      );
    cas.push(ownerCaOf(fromUtf8(new Uint8Array(octets)), eku));
  }
  return cas;
}
