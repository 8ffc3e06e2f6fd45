import type { ProxyState, Stop } from "@countersign/core";

/** What may be stopped about one session. */
export interface Stoppable {
  readonly entry: string;
  readonly proxy: string;
  readonly owner?: string | undefined;
  /** Every owner, where it takes several. */
  readonly owners?: readonly string[] | undefined;
  readonly agent?: string | undefined;
  readonly cs?: string | undefined;
}

/** The stop that covers this, if the state holds one. A stop of a kind not known here covers everything. */
export function stopOf(state: ProxyState, of: Stoppable): Stop | undefined {
  return state.stops.find((stop) => {
    switch (stop.scope) {
      case "agent":
        // an agent id is its entry's id and one more segment: the stop holds before the first credential too
        return (
          stop.target === of.agent ||
          (of.agent === undefined && stop.target.startsWith(`${of.entry}/`))
        );
      case "entry":
        return stop.target === of.entry;
      case "grant":
        return stop.target === of.cs;
      case "owner":
        return stop.target === of.owner || of.owners?.includes(stop.target) === true;
      case "proxy":
        return stop.target === of.proxy;
      default:
        return true;
    }
  });
}
