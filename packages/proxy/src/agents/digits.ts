import { drawDigits } from "@countersign/core";
import type { Entry, RunFact } from "@countersign/core";
import type { Door } from "../doors/door.ts";
import type { Facts } from "../facts/process.ts";
import type { ProxyWorld } from "../world.ts";
import type { Agents } from "./agents.ts";
import type { SessionEvent } from "./session.ts";

/**
 * What evidence says of the run. Where an owner may be asked and somebody sits at a terminal of it, two fresh digits are
 * in it, for the server; if it does ask, the terminal shows them (owner.md 1.7).
 */
export function runFactOf(
  { random }: Pick<ProxyWorld, "random">,
  { entry, facts }: { readonly entry: Entry; readonly facts: Facts },
): RunFact | undefined {
  const { run, hasTerminal } = facts;
  if (run === undefined || hasTerminal !== true || entry.binding !== "owner") return run;
  return { uid: run.uid, since: run.since, digits: drawDigits(random) };
}

/** The event as the run's own client hears it: with the digits that its terminal shows, and nobody else hears of. */
export function forTerminal(
  agents: Pick<Agents, "sessionsOf">,
  door: Door,
  event: SessionEvent,
): SessionEvent & { readonly digits?: string } {
  if (event.event !== "waiting") return event;
  const { code } = event;
  const digits = agents
    .sessionsOf(door)
    .map(({ waiting }) => waiting)
    .find((waiting) => waiting?.code === code)?.digits;
  return digits === undefined ? event : { ...event, digits };
}

/** What is waited for at a door, for a client that hears of it late. */
export function waitedFor(
  agents: Pick<Agents, "sessionsOf">,
  door: Door,
): readonly (SessionEvent & { readonly digits?: string })[] {
  return agents.sessionsOf(door).flatMap(({ waiting }) => {
    if (waiting === undefined) return [];
    const { code, deadline, next, reasons } = waiting;
    return [forTerminal(agents, door, { event: "waiting", code, deadline, next, reasons })];
  });
}
