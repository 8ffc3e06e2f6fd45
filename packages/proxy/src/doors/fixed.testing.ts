import { join } from "node:path";
import { readEntry } from "@countersign/core";
import type { Entry } from "@countersign/core";
import { silentLog } from "@countersign/node";
import type { Meeting, Yard } from "../facts/family.testing.ts";
import { FixedDoors } from "./fixed.ts";
import type { FixedDoor } from "./fixed.ts";

/** An entry with a fixed door for our own user, unless the change says otherwise. */
export function entry(name: string, change: object = {}): Entry {
  return readEntry({
    ...{ id: `spiffe://example.org/agent/${name}`, proxy: "spiffe://example.org/proxy/host" },
    ...{ uid: process.getuid?.() ?? 0, door: "fixed", facts: [], pins: [] },
    ...{ interpreter_options: [], audiences: ["*"], binding: "none", evidence: "public" },
    ...{ offline_proofs: true, insecure_same_uid: false, insecure_soft_key_standing: false },
    grant: { use: "standing", max_ttl: 900, max_live: 8, ceiling: [] },
    ...change,
  });
}

/** The doors of a proxy, with a meeting behind each. */
export interface Doors {
  readonly dir: string;
  readonly fixed: FixedDoors;
  /** Ids of the entries whose doors closed. */
  readonly closed: readonly string[];
  readonly meetings: ReadonlyMap<string, Meeting>;
  path(name: string): string;
  /** The one door that is open. */
  only(): { readonly door: FixedDoor; readonly meeting: Meeting };
}

export async function makeDoors(yard: Yard, folder?: string): Promise<Doors> {
  const meetings = new Map<string, Meeting>();
  const closed: string[] = [];
  const dir = folder ?? (await yard.folder());
  const fixed = await FixedDoors.create({
    dir,
    log: silentLog,
    onClosed: ({ entry: { id } }) => void closed.push(id),
    listen: async ({ path }) => {
      const meeting = await yard.meeting(path);
      meetings.set(path, meeting);
      return meeting;
    },
  });
  yard.after(() => fixed.close());
  const only: Doors["only"] = () => {
    const [door] = fixed.doors;
    const meeting = meetings.get(door?.path ?? "");
    if (door === undefined || meeting === undefined) throw new Error("no door");
    return { door, meeting };
  };
  return { dir, fixed, closed, meetings, only, path: (name) => join(dir, "door", `${name}.sock`) };
}
