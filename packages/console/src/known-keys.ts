import type { App } from "./app.ts";
import { list, text } from "./read.ts";

/** What the owner is told of an approval in his name by a key that none of his signed for. */
export const STRANGE = "a key that none of yours signed for";

/**
 * Thumbprints of the owner's keys that he, or a key of his, signed for. What is not among them is somebody else's, whether
 * the server lists it or not.
 */
export async function knownKeys({ api }: Pick<App, "api">): Promise<ReadonlySet<string>> {
  const keys = list(await api.get("/v1/owner/keys"), "keys");
  return new Set(keys.filter((key) => key["known"] === true).map((key) => text(key, "jkt")));
}
