import { fromUtf8, parseJson, readSignedTimes, Refusal, writeSignedTimes } from "@countersign/core";
import type { SignedTimes } from "@countersign/core";
import { readPrivateFile, writePrivateFile } from "@countersign/node";

const MAX_BYTES = 1_048_576;

/** Where the times of signatures are kept. `write` resolves once they are durable; no signature leaves before. */
export interface SignedFile {
  /** @throws Refusal `configuration_invalid`, `private_mode` */
  read(): Promise<SignedTimes>;
  write(times: SignedTimes): Promise<void>;
}

/** A private file of this path; one that is not there counts as nothing signed. */
export function signedFile(path: string): SignedFile {
  return {
    read: async () => {
      const octets = await readPrivateFile(path, MAX_BYTES);
      if (octets === undefined) return new Map();
      try {
        const limits = { maxBytes: MAX_BYTES, maxDepth: 5 };
        return readSignedTimes(parseJson(fromUtf8(octets), limits));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        throw new Refusal(
          "configuration_invalid",
          `${path} cannot be read`,
          "It counts what was signed. Mend it, or remove it to begin to count anew.",
        );
      }
    },
    write: (times) => writePrivateFile(path, `${JSON.stringify(writeSignedTimes(times))}\n`),
  };
}
