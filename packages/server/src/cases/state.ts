import type { ProxyState } from "@countersign/core";
import type { World } from "../world.ts";
import { approvalPartOf } from "./bundle.ts";
import { bundleText } from "./trust.ts";

/** The whole truth for one proxy, as it is now. */
export async function stateFor(w: World, proxy: string): Promise<ProxyState> {
  const now = w.clock();
  const state = await w.store.stateFor(proxy, now);
  return {
    issuer: w.config.issuer,
    trustDomain: w.config.trustDomain,
    now,
    seq: state.seq,
    checkpoint: state.checkpoint ?? "",
    entries: state.entries.map((row) => row.body),
    stops: state.stops.map(({ id, scope, target, since }) => ({ id, scope, target, since })),
    asks: state.asks.map((ask) => ({
      id: ask.id,
      req: ask.req,
      agent: ask.agent,
      state: ask.state,
      deadline: ask.deadline,
    })),
    approvals: await Promise.all(
      state.grants.map(async (grant) => ({
        agent: grant.agent,
        cs: grant.cs,
        model: grant.model,
        approval: await approvalPartOf(w, grant),
      })),
    ),
    trustBundle: await bundleText(w),
    development: w.config.isDevelopment,
  };
}
