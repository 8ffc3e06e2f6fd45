import { Command } from "commander";
import type { JsonObject } from "@countersign/core";
import { printable } from "@countersign/node";
import { columns } from "../columns.ts";
import { explain, list, number, text, withApi } from "../sockets.ts";
import { instant, show } from "../terminal.ts";
import type { Cli } from "../terminal.ts";
import { liftLine } from "./halt.ts";

function stopLines(stops: readonly JsonObject[]): readonly string[] {
  if (stops.length === 0) return ["Nothing is stopped."];
  const rows = stops.map((stop) => [
    text(stop, "id"),
    text(stop, "scope"),
    printable(text(stop, "target")),
    `since ${instant(number(stop, "since"))}`,
    printable(text(stop, "reason")),
  ]);
  return [...columns(rows), `Lift one: ${liftLine(rows[0]?.[0] ?? "ID")}`];
}

async function lift(cli: Cli, id: string | undefined): Promise<void> {
  await withApi(cli, "server.sock", async (api) => {
    if (id === undefined) {
      const answer = await api.get("/v1/halts");
      return show(cli, answer, stopLines(list(answer, "stops")));
    }
    const answer = await explain(
      api.remove(`/v1/halts/${encodeURIComponent(id)}`),
      "not_found",
      `no stop ${id}`,
      "See what is stopped: countersign lift",
    );
    return show(cli, answer, [
      `Lifted ${printable(id)}. Nothing is given back by it: an agent with an owner asks anew, and the owner signs anew.`,
    ]);
  });
}

export function build(cli: Cli): Command {
  return new Command("countersign lift")
    .description("Lifts a stop; without an id it lists those in force. Owners then sign anew.")
    .argument("[id]", "id of the stop")
    .addHelpText("after", "\nExample:\n  countersign lift\n  countersign lift q83vASNFZ4mr")
    .action((id: string | undefined) => lift(cli, id));
}
