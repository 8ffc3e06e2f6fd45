import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { Refusal } from "@countersign/core";

/** The kernel's field has 108 octets; staying well below leaves room for every platform. */
const MAX_PATH_BYTES = 100;
/** How long a listener may take to accept before the path counts as taken. */
const PROBE_TIMEOUT_MS = 1000;

async function typeOf(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new Refusal("configuration_invalid", `${path} cannot be looked at`);
  }
}

/** Who can write to the folder can put another socket in our place: only we and root may. */
async function checkFolder(path: string): Promise<void> {
  const folder = dirname(path);
  const found = await typeOf(folder);
  if (found === undefined) throw new Refusal("configuration_invalid", `${folder} does not exist`);
  if (!found.isDirectory())
    throw new Refusal("private_mode", `${folder} is a link or not a folder`);
  const own = process.getuid?.() ?? 0;
  if (found.uid !== own && found.uid !== 0)
    throw new Refusal("private_mode", `${folder} belongs to somebody else`);
  if ((Number(found.mode) & 0o022) !== 0)
    throw new Refusal("private_mode", `${folder} can be written by others`);
}

/** Whether somebody answers on the socket. Anything but a clear "nobody" counts as yes. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (served: boolean): void => {
      socket.destroy();
      resolve(served);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => end(true));
    socket.once("connect", () => end(true));
    socket.once("error", (error) => {
      end(!("code" in error && (error.code === "ECONNREFUSED" || error.code === "ENOENT")));
    });
  });
}

/**
 * Makes a path ready for a Unix socket: short enough, in a folder that only we or root can write, no link in its
 * place, and a socket that nobody serves any more removed.
 * @throws Refusal `configuration_invalid`, `private_mode`
 */
export async function prepareSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) >= MAX_PATH_BYTES)
    throw new Refusal("configuration_invalid", `socket path of ${MAX_PATH_BYTES} bytes or more`);
  await checkFolder(path);
  const found = await typeOf(path);
  if (found === undefined) return;
  // lstat, so that a link is seen as a link: following it would remove or serve somebody else's file
  if (!found.isSocket())
    throw new Refusal("configuration_invalid", `${path} exists and is not a socket`);
  if (await isServed(path)) throw new Refusal("configuration_invalid", `${path} is in use`);
  await unlink(path);
}
