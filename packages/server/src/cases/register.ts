import { checkTerms, Refusal, parseWorkloadId, readEntry, writeEntry } from "@countersign/core";
import type { Entry, Json, JsonObject } from "@countersign/core";
import type { EntryRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { logRow } from "./record.ts";

/** Checks what only this server can: its own trust domain, and an owner that exists. */
async function checkEntry(w: World, entry: Entry): Promise<void> {
  for (const id of [entry.id, entry.proxy])
    if (parseWorkloadId(id).origin !== w.config.origin)
      throw new Refusal("malformed_request", "an id of another trust domain");
  const owners = entry.parties?.owners ?? (entry.owner === undefined ? [] : [entry.owner]);
  const unknown = await Promise.all(
    owners.map(async (id) => (await w.store.owner(id)) === undefined),
  );
  if (unknown.includes(true))
    throw new Refusal(
      "not_found",
      "no such owner",
      "Enrol the owner first: countersign owner enrol NAME --key FILE.",
    );
  checkTerms(entry);
}

/** Adds an entry, or replaces it by the next version: existing grants stay, what they no longer cover is asked anew. */
export async function putEntry(w: World, value: Json): Promise<EntryRow> {
  const entry = readEntry(value);
  await checkEntry(w, entry);
  const now = w.clock();
  const before = await w.store.entry(entry.id);
  const row: EntryRow = {
    id: entry.id,
    proxy: entry.proxy,
    name: parseWorkloadId(entry.id).segments.at(-1) ?? "",
    body: entry,
    version: (before?.version ?? 0) + 1,
  };
  const committed = await w.store.commit({
    log: logRow(w, {
      type: before === undefined ? "entry.added" : "entry.changed",
      t: now,
      actor: "admin",
      record: { v: 1, entry: writeEntry(entry) as JsonObject, version: row.version }, // the writer makes plain JSON
    }),
    changes: [{ put: "entry", row }],
    expect: { entry: { id: entry.id, version: before?.version ?? 0 } },
    bumpEpoch: true,
  });
  if (committed === "conflict" || committed === "used")
    throw new Refusal("stale", "the entry changed meanwhile");
  return row;
}

/** Removes an entry and ends its grants. @throws Refusal `entry_unknown` */
export async function removeEntry(w: World, id: string): Promise<void> {
  const before = await w.store.entry(id);
  if (before === undefined || before.removedAt !== undefined) throw new Refusal("entry_unknown");
  const now = w.clock();
  const committed = await w.store.commit({
    log: logRow(w, { type: "entry.removed", t: now, actor: "admin", record: { v: 1, entry: id } }),
    changes: [
      { put: "entry", row: { ...before, version: before.version + 1, removedAt: now } },
      { end: "grants", scope: "entry", target: id, at: now, why: "entry removed" },
    ],
    expect: { entry: { id, version: before.version } },
    bumpEpoch: true,
  });
  if (committed === "conflict" || committed === "used")
    throw new Refusal("stale", "the entry changed meanwhile");
}
