import { EXPECTATION_LIFE_SECONDS, thumbprint } from "@countersign/core";
import type { AskReason, JsonObject, RunFact, Ruling } from "@countersign/core";
import type { AskRow, RequestRow } from "../store/rows.ts";
import type { Change, Expectation } from "../store/store.ts";
import type { World } from "../world.ts";
import type { Case } from "./credential.ts";
import { nonceUntil } from "./nonces.ts";
import { installationChanges } from "./installation.ts";
import type { Outcome } from "./outcome.ts";
import { logRow } from "./record.ts";
import { typedId } from "./typed-id.ts";

const ASK_ID_BYTES = 6;

type Asking = Extract<Ruling, { do: "ask" }>;

function reasonsOf(of: Case, why: readonly AskReason[]): readonly AskReason[] {
  const current = of.rows.installation;
  if (current === undefined || current.agent === of.attested.agent) return why;
  return [
    ...why,
    {
      code: "installation_replaced",
      text: `replaces the installation of ${new Date(current.since * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`,
    },
  ];
}

function recordOf(
  w: World,
  { attested: a, entry }: Case,
  reasons: readonly AskReason[],
  { deadline, expected }: Asking,
): object {
  return {
    v: 1,
    agent: a.agent,
    entry: entry.id,
    owner: entry.owner ?? "",
    ...(entry.parties === undefined ? {} : { parties: entry.parties }),
    req: a.request.digest,
    evidence: a.evidence.digest,
    proxy: { id: a.proxy, jkt: thumbprint(w.c, a.evidence.key) },
    appraisal: { host: a.appraisal.host, agent: a.appraisal.agent },
    policy: { decision: "ask", id: w.config.policy },
    reasons: reasons.map((reason) => reason.text),
    expected: expected.isExpected,
    ...(a.evidence.claims.run === undefined ? {} : { started_by_uid: a.evidence.claims.run.uid }),
    deadline,
  };
}

function askRowOf(
  of: Case,
  id: string,
  reasons: readonly AskReason[],
  { deadline, expected }: Asking,
): AskRow {
  const { attested: a, entry, now } = of;
  const { host, agent, warnings } = a.appraisal;
  const run = runOf(of);
  return {
    req: a.request.digest,
    id,
    entry: entry.id,
    agent: a.agent,
    proxy: a.proxy,
    anchor: a.anchor,
    owner: entry.owner ?? "",
    ...(entry.parties === undefined ? {} : { parties: entry.parties }),
    request: a.request.octets,
    facts: {
      evidence: { submods: a.evidence.claims.submods },
      measurements: a.measurements,
    } as unknown as JsonObject, // plain data of core
    appraisal: { host, agent, warnings } as unknown as JsonObject, // plain data of core
    reasons,
    expected: expected.isExpected,
    ...(run === undefined ? {} : { run }),
    createdAt: now,
    deadline,
    state: "asked",
  };
}

function requestRowOf({ attested: a, rows, entry }: Case): Omit<RequestRow, "seq"> {
  const outcome = { state: "asked", agent: a.agent, entry: entry.id, proxy: a.proxy };
  return {
    req: a.request.digest,
    proxy: a.proxy,
    exp: a.request.claims.exp,
    epoch: rows.epoch,
    outcome,
  };
}

/** Ends the entry's open question; where both match one announcement, that one was not expected either. */
function superseded({ rows: { openAsk }, now }: Case, { expected }: Asking): readonly Change[] {
  if (openAsk === undefined) return [];
  const { req } = openAsk;
  const ended = { state: "superseded", decidedAt: now } as const;
  const fields = expected.spoils === req ? { ...ended, expected: false } : ended;
  return [
    { set: "ask", req, fields },
    { drop: "ceremony", req },
  ];
}

/** The announcement that the question was judged by: it must not be spent, or made anew, meanwhile. */
function announcementRead({
  rows: { announcement },
  attested: { proxy },
  entry: { id: entry },
}: Case): NonNullable<Expectation["announcement"]> {
  if (announcement === undefined) return { entry, proxy };
  const { madeAt, spentBy } = announcement;
  return { entry, proxy, madeAt, ...(spentBy === undefined ? {} : { spentBy }) };
}

function announcementSpent(of: Case, { expected }: Asking): readonly Change[] {
  const { attested: a, entry, rows } = of;
  const spentBy = a.request.digest;
  if (expected.spends === "announcement" && rows.announcement !== undefined)
    return [{ put: "announcement", row: { ...rows.announcement, spentBy } }];
  const { run } = a.evidence.claims;
  if (expected.spends !== "run" || run === undefined) return [];
  const { since: madeAt } = run;
  const times = { madeAt, exp: madeAt + EXPECTATION_LIFE_SECONDS };
  const { id, owner = "" } = entry;
  return [
    {
      put: "announcement",
      row: { entry: id, proxy: a.proxy, owner, by: "run", ...times, spentBy },
    },
  ];
}

/** What the terminal of the run shows is kept apart, and what is shown of the run holds none of it. */
function digitsOf({ attested: a }: Case): readonly Change[] {
  const digits = a.evidence.claims.run?.digits;
  if (digits === undefined) return [];
  return [{ put: "digits", row: { req: a.request.digest, digits, failures: 0 } }];
}

/** @see digitsOf */
function runOf({ attested: a }: Case): RunFact | undefined {
  const { run } = a.evidence.claims;
  return run === undefined ? undefined : { uid: run.uid, since: run.since };
}

/** Puts the question to the owner: the open one of the entry, if any, is superseded in the same commit. */
export async function commitAsk(
  w: World,
  of: Case,
  ruling: Asking,
): Promise<Outcome | "conflict" | "used"> {
  const { attested: a, rows, now } = of;
  const { deadline } = ruling;
  const reasons = reasonsOf(of, ruling.why);
  const id = typedId(w, ASK_ID_BYTES);
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.asked",
      t: now,
      actor: "server",
      record: recordOf(w, of, reasons, ruling),
    }),
    changes: [
      ...superseded(of, ruling),
      ...installationChanges(of),
      { put: "ask", row: askRowOf(of, id, reasons, ruling) },
      ...digitsOf(of),
      ...announcementSpent(of, ruling),
      { put: "request", row: requestRowOf(of) },
    ],
    once: [{ kind: "nonce", value: a.request.claims.nonce, until: nonceUntil(now) }],
    expect: { epoch: rows.epoch, announcement: announcementRead(of) },
  });
  if (committed === "conflict" || committed === "used") return committed;
  return { state: "asked", id, deadline, reasons: reasons.map((reason) => reason.text) };
}
