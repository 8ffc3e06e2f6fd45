import { existsSync } from "node:fs";
import { Refusal } from "@countersign/core";

const FOLDERS = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/lib64/pkcs11",
  "/usr/lib/pkcs11",
  "/usr/local/lib",
  "/opt/homebrew/lib",
  "/Library/OpenSC/lib",
];
/** p11-kit's knows every module that the system has registered; OpenSC's knows smart cards, PIV among them. */
const FILES = ["p11-kit-proxy.so", "opensc-pkcs11.so"];

/** Where a module is looked for when the URI names none, in this order. */
export const WELL_KNOWN_MODULES: readonly string[] = FILES.flatMap((file) =>
  FOLDERS.map((folder) => `${folder}/${file}`),
);

/**
 * The module to load: the one named, else the first that is well known.
 * @throws Refusal `not_found`
 */
export function moduleOf(
  named: string | undefined,
  isThere: (path: string) => boolean = existsSync,
): string {
  const found = named === undefined ? WELL_KNOWN_MODULES.find(isThere) : named;
  if (found !== undefined && isThere(found)) return found;
  throw new Refusal(
    "not_found",
    named === undefined ? "no PKCS#11 module is installed" : `there is no module ${named}`,
    "Install your token's PKCS#11 module (for PIV cards: apt install opensc-pkcs11), or name it at the end of the URI: ?module-path=/path/to/module.so",
  );
}
