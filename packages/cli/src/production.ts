import { existsSync } from "node:fs";
import { chmod, lstat, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createLog, systemClock } from "@countersign/node";
import type { Log } from "@countersign/node";
import { Refusal } from "@countersign/core";
import { developmentData } from "./sockets.ts";
import type { Cli } from "./terminal.ts";

/** Where server and proxy live for real, unless `--data` says otherwise. */
export const PRODUCTION_DATA = "/var/lib/countersign";
const PRODUCTION_RUNTIME = "/run/countersign";
const RUNTIME_MODE = 0o711;

/** Where a production daemon keeps its things. */
export interface Places {
  /** `--data`, or the default. */
  readonly root: string;
  readonly data: string;
  readonly runtime: string;
}

/**
 * The folders of a daemon for real.
 * @throws Refusal `configuration_invalid` for a folder that `countersign dev` uses
 */
export function placesOf(cli: Cli, daemon: "server" | "proxy" | "gateway" | "witness"): Places {
  const root = resolve(cli.data ?? PRODUCTION_DATA);
  // dev writes the trust file beside both daemons, nobody else does
  if (root === resolve(developmentData(cli)) || existsSync(join(root, "relying-party.json")))
    throw new Refusal(
      "configuration_invalid",
      `${root} belongs to countersign dev`,
      `Choose another folder with --data DIR, or leave it out for ${PRODUCTION_DATA}.`,
    );
  const isDefault = root === PRODUCTION_DATA;
  const runtime = isDefault ? PRODUCTION_RUNTIME : join(root, "run");
  return { root, data: join(root, daemon), runtime };
}

function denied(path: string): Refusal {
  return new Refusal(
    "configuration_invalid",
    `${path} cannot be made`,
    "Make it for this user (systemd: StateDirectory=countersign, RuntimeDirectory=countersign), or choose a folder with --data DIR.",
  );
}

/** Makes the folder above a daemon's data, so that others can reach the sockets below it but list nothing. */
export async function prepareRoot(places: Places): Promise<void> {
  await mkdir(places.root, { recursive: true, mode: RUNTIME_MODE }).catch(() => {
    throw denied(places.root);
  });
}

/** Makes the runtime folder, mode 0711. One that another user made is left as it is. */
export async function prepareRuntime(places: Places): Promise<void> {
  await mkdir(places.runtime, { recursive: true, mode: RUNTIME_MODE }).catch(() => {
    throw denied(places.runtime);
  });
  const found = await lstat(places.runtime);
  if (found.isDirectory() && found.uid === process.getuid?.())
    await chmod(places.runtime, RUNTIME_MODE); // whatever the umask took away
}

/** The log of a daemon that runs here: for people on a terminal, one JSON object a line anywhere else. */
export function daemonLog(cli: Cli): Log {
  const stream: { write(line: string): unknown; readonly isTTY?: boolean } = cli.stderr;
  const noColor = cli.env.all["NO_COLOR"];
  return createLog({
    stream,
    format: stream.isTTY === true && !cli.isJson ? "terminal" : "json",
    clock: systemClock,
    ...(noColor === undefined ? {} : { noColor }),
  });
}
