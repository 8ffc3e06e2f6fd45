import { Refusal } from "@countersign/core";
import { callJson, openTarget } from "@countersign/node";
import { findSocket } from "./sockets.ts";
import type { Cli } from "./terminal.ts";

/** Who may approve must not be who is approved: nothing here runs behind a door (DESIGN 6). */
export async function refuseInsideRun(cli: Cli): Promise<void> {
  const next = "Open another terminal, outside countersign run.";
  if (cli.env.COUNTERSIGN_SOCKET !== undefined)
    throw new Refusal("terminal_required", "this is inside an agent's run", next);
  let socket: string;
  try {
    socket = findSocket(cli, "run.sock");
  } catch {
    return; // no proxy on this machine: nothing runs behind a door here
  }
  const target = openTarget({ unix: socket });
  try {
    const answer = await callJson(target, { method: "GET", path: "/v1/runs/inside" });
    if (answer.value["inside"] === true)
      throw new Refusal("terminal_required", "this is inside an agent's run", next);
  } catch (error) {
    if (error instanceof Refusal && error.code === "unreachable") return; // a proxy that is gone holds no door open
    throw error;
  } finally {
    target.close();
  }
}
