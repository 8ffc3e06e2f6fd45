import type { Change } from "../store/store.ts";
import type { Case } from "./credential.ts";

/**
 * What makes this anchor the entry's one installation: another one is retired and its grants end (DESIGN 2).
 * Empty when it is that already.
 */
export function installationChanges({ rows, attested, now }: Case): readonly Change[] {
  const current = rows.installation;
  if (current?.agent === attested.agent) return [];
  const put: Change = {
    put: "installation",
    row: {
      agent: attested.agent,
      entry: attested.request.claims.sub,
      anchor: attested.anchor,
      proxy: attested.proxy,
      since: now,
    },
  };
  if (current === undefined) return [put];
  return [
    { set: "installation", agent: current.agent, fields: { retiredAt: now } },
    { end: "grants", scope: "agent", target: current.agent, at: now, why: "installation replaced" },
    put,
  ];
}
