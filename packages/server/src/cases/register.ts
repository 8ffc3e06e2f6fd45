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

/** Who approves an entry, as its record says it. */
function approversOf({ owner, parties }: Entry): JsonObject {
  if (parties !== undefined) return { parties: { m: parties.m, owners: [...parties.owners] } };
  return owner === undefined ? {} : { owner };
}

/** Whom the entry was taken from, if others approve it now: he reads it in his log. */
function takenFrom(before: Entry | undefined, entry: Entry): JsonObject {
  if (before === undefined) return {};
  const [was, now] = [approversOf(before), approversOf(entry)];
  return JSON.stringify(was) === JSON.stringify(now) ? {} : { was };
}

/** Adds an entry, or replaces it by the next version: existing grants stay, what they no longer cover is asked anew. */
export async function putEntry(w: World, value: Json): Promise<EntryRow> {
  const entry = readEntry(value);
  await checkEntry(w, entry);
  const now = w.clock();
  const before = await w.store.entry(entry.id);
  const replaced = before?.removedAt === undefined ? before?.body : undefined;
  const row: EntryRow = {
    id: entry.id,
    proxy: entry.proxy,
    name: parseWorkloadId(entry.id).segments.at(-1) ?? "",
    body: entry,
    version: (before?.version ?? 0) + 1,
  };
  const committed = await w.store.commit({
    log: logRow(w, {
      type: replaced === undefined ? "entry.added" : "entry.changed",
      t: now,
      actor: "admin",
      record: {
        v: 1,
        entry: writeEntry(entry) as JsonObject, // the writer makes plain JSON
        version: row.version,
        ...takenFrom(replaced, entry),
      },
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
    log: logRow(w, {
      type: "entry.removed",
      t: now,
      actor: "admin",
      record: { v: 1, entry: id, was: approversOf(before.body) },
    }),
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
