import { join } from "node:path";
import { Members, parseJsonObject, Refusal } from "@countersign/core";
import type { ConsentPages, Json } from "@countersign/core";
import { readPrivateFile, writePrivateFile } from "@countersign/node";
import type { KeptPages } from "./pages.ts";

const FILE = "consent-pages.json";
const MAX_FILE_BYTES = 16_384;
const MAX_ORIGINS = 16;

function read(octets: Uint8Array): ConsentPages {
  const members = new Members(
    parseJsonObject(octets, { maxBytes: MAX_FILE_BYTES, maxDepth: 3 }),
    "configuration_invalid",
    FILE,
  );
  members.integer("v", 1, 1);
  const origin = (item: Json): string =>
    typeof item === "string" ? item : members.fail("origins", "holds something that is no string");
  const pages = {
    rpId: members.text("rp_id", { maxLength: 253 }),
    origins: members.list("origins", origin, MAX_ORIGINS),
  };
  members.end();
  return pages;
}

/**
 * The pages as this proxy heard them first, in a private file of its data directory. One that cannot be read is no
 * reason to believe whoever speaks next.
 */
export function pagesFile(data: string): KeptPages {
  const path = join(data, FILE);
  return {
    path,
    read: async () => {
      const octets = await readPrivateFile(path, MAX_FILE_BYTES);
      if (octets === undefined) return undefined;
      try {
        return read(octets);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        throw new Refusal(
          "configuration_invalid",
          error.message,
          `Remove ${path}, if your server is trusted: the proxy keeps the pages that it hears next.`,
        );
      }
    },
    write: ({ rpId, origins }) =>
      writePrivateFile(path, `${JSON.stringify({ v: 1, rp_id: rpId, origins })}\n`),
  };
}
