import { fromUtf8 } from "@countersign/core";
import { readPrivateFile, writePrivateFile } from "@countersign/node";

/**
 * Where the newest signed checkpoint lies, apart from the database, so that an older copy of the database is
 * noticed. `write` replaces the text wholly or not at all and is durable when it resolves. Nobody retries here.
 */
export interface CheckpointFile {
  read(): Promise<string | undefined>;
  write(text: string): Promise<void>;
}

/** A file of its own, mode 0600. `read` throws Refusal `private_mode` when it is open to others. */
export function fileCheckpoint(path: string): CheckpointFile {
  return {
    read: async () => {
      const octets = await readPrivateFile(path);
      return octets === undefined ? undefined : fromUtf8(octets);
    },
    write: (text) => writePrivateFile(path, text),
  };
}

/** For a store in memory. */
export function memoryCheckpoint(text?: string): CheckpointFile {
  let held = text;
  return {
    read: () => Promise.resolve(held),
    write: (next) => {
      held = next;
      return Promise.resolve();
    },
  };
}
