import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { openTarget } from "@countersign/node";
import { askByApi } from "./container.ts";
import type { AskContainer } from "./container.ts";
import type { Yard } from "./family.testing.ts";

export const IMAGE_HEX = "ab".repeat(32);

/** What Docker answers about a container, as far as anybody here reads it, and some that nobody does. */
export function inspected(id: string, change: object = {}): object {
  return {
    Id: id,
    Created: "2026-11-24T10:00:00.123456789Z",
    Path: "/usr/bin/python3",
    Args: ["/app/agent.py"],
    State: { Status: "running", Running: true, Pid: 4711, ExitCode: 0, Error: "" },
    Image: `sha256:${IMAGE_HEX}`,
    HostConfig: { ReadonlyRootfs: true, CpuPercent: 0.5, PidsLimit: null, Tmpfs: { "/tmp": "" } },
    Mounts: [],
    ...change,
  };
}

/** A runtime that serves the Docker API on a real socket: what it says of each id, as text or as JSON. */
export async function serveRuntime(
  yard: Yard,
  containers: Readonly<Record<string, object | string>>,
): Promise<AskContainer> {
  const server = createServer((request, response) => {
    const id = /^\/containers\/([0-9a-f]{64})\/json$/.exec(request.url ?? "")?.[1] ?? "";
    const found = containers[id];
    const status = found === undefined ? 404 : found === "broken" ? 500 : 200;
    response.writeHead(status, { "content-type": "application/json" });
    if (found === "cut") {
      response.write("{");
      response.destroy();
    } else response.end(typeof found === "string" ? found : JSON.stringify(found ?? {}));
  });
  const path = join(await yard.folder(), "runtime.sock");
  server.listen(path);
  await once(server, "listening");
  const target = openTarget({ unix: path });
  yard.after(async () => {
    target.close();
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return askByApi(target);
}
