// The one place where the command line and the daemons meet: `countersign server run` is the daemon. Loaded lazily.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export {
  backupServer,
  initServer,
  recoverServer,
  runServer,
  SERVER_SCHEMA,
} from "@countersign/server/main";
export type { RunningServer } from "@countersign/server/main";
export { GATEWAY_SCHEMA, initGateway, runGateway } from "@countersign/gateway/main";
export { enrolProxy, peerOfSocket, PROXY_SCHEMA, runProxy } from "@countersign/proxy/main";

/** Folder of the console's pages. */
export const siteFolder = (): string =>
  dirname(fileURLToPath(import.meta.resolve("@countersign/console/site")));
