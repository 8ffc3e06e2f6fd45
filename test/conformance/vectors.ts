import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../shared/vectors/", import.meta.url));

/** Whether the published and derived vectors lie beside the checkout; in CI they must. */
export const vectorsPresent: boolean = existsSync(ROOT);

if (!vectorsPresent && process.env["CI"] !== undefined)
  throw new Error("the vectors must be present in CI");

/** Octets of one vector file; fails where it is absent. */
export function vectorFile(path: string): Uint8Array {
  return new Uint8Array(readFileSync(ROOT + path));
}

/** Parsed JSON of one vector file. The caller states the shape: vectors are test data, not input. */
export function vectors<T>(path: string): T {
  return JSON.parse(readFileSync(ROOT + path, "utf8")) as T;
}
