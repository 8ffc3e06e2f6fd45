import { thumbprint } from "@countersign/core";
import type { AskReason, JsonObject, Ruling } from "@countersign/core";
import type { AskRow, RequestRow } from "../store/rows.ts";
import type { Change } from "../store/store.ts";
import type { World } from "../world.ts";
import type { Case } from "./credential.ts";
import { nonceUntil } from "./nonces.ts";
import { installationChanges } from "./installation.ts";
import type { Outcome } from "./outcome.ts";
import { logRow } from "./record.ts";
import { typedId } from "./typed-id.ts";

const ASK_ID_BYTES = 6;

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
  deadline: number,
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
    deadline,
  };
}

function askRowOf(
  { attested: a, entry, now }: Case,
  id: string,
  reasons: readonly AskReason[],
  deadline: number,
): AskRow {
  const { host, agent, warnings } = a.appraisal;
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
    expected: false,
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

/** Puts the question to the owner: the open one of the entry, if any, is superseded in the same commit. */
export async function commitAsk(
  w: World,
  of: Case,
  ruling: Extract<Ruling, { do: "ask" }>,
): Promise<Outcome | "conflict" | "used"> {
  const { attested: a, rows, now } = of;
  const { deadline } = ruling;
  const reasons = reasonsOf(of, ruling.why);
  const id = typedId(w, ASK_ID_BYTES);
  const superseded: readonly Change[] =
    rows.openAsk === undefined
      ? []
      : [
          { set: "ask", req: rows.openAsk.req, fields: { state: "superseded", decidedAt: now } },
          { drop: "ceremony", req: rows.openAsk.req },
        ];
  const committed = await w.store.commit({
    log: logRow(w, {
      type: "approval.asked",
      t: now,
      actor: "server",
      record: recordOf(w, of, reasons, deadline),
    }),
    changes: [
      ...superseded,
      ...installationChanges(of),
      { put: "ask", row: askRowOf(of, id, reasons, deadline) },
      { put: "request", row: requestRowOf(of) },
    ],
    once: [{ kind: "nonce", value: a.request.claims.nonce, until: nonceUntil(now) }],
    expect: { epoch: rows.epoch },
  });
  if (committed === "conflict" || committed === "used") return committed;
  return { state: "asked", id, deadline, reasons: reasons.map((reason) => reason.text) };
}
