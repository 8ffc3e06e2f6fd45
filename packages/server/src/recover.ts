import { join } from "node:path";
import type { Log } from "@countersign/node";
import {
  nodeCrypto,
  nodeRandom,
  privateDirectory,
  systemClock,
  writePrivateFile,
} from "@countersign/node";
import type { Seconds } from "@countersign/core";
import { logRow } from "./cases/record.ts";
import type { ServerConfig } from "./config.ts";
import { foldersOf, loadFirstLogSigner, NONCE_KEY_BYTES } from "./signer/keys.ts";
import { laterLogSigner, nextLogKey } from "./signer/log-keys.ts";
import { fileCheckpoint } from "./store/checkpoint-file.ts";
import { recoverStore } from "./store/recover.ts";
import type { Recovered } from "./store/recover.ts";

/**
 * Ends the log of a stopped server that holds, and starts the next one (DESIGN 12). Nonces that were given out before
 * are void too: which of them were spent is not known.
 * @throws Refusal as `recoverStore`; `private_mode`
 */
export async function recoverAt(
  data: string,
  config: ServerConfig,
  log: Log,
  clock: () => Seconds = systemClock,
): Promise<Recovered> {
  const { keys } = foldersOf(data);
  await privateDirectory(keys);
  const recovered = await recoverStore({
    path: join(data, "store.db"),
    checkpointFile: fileCheckpoint(join(data, "last-checkpoint")),
    crypto: nodeCrypto,
    logSigner: await loadFirstLogSigner(keys),
    laterLogSigner: (number) => laterLogSigner(keys, number),
    nextLog: (above) => nextLogKey(keys, above),
    gapRow: (record) =>
      logRow(
        { c: nodeCrypto, random: nodeRandom },
        { type: "log.gap", t: clock(), actor: "admin", record },
      ),
    origin: config.logOrigin,
    now: clock,
    report: (error) => log.error("store.failed", { error }),
  });
  await writePrivateFile(join(keys, "nonce.key"), nodeRandom(NONCE_KEY_BYTES));
  return recovered;
}
