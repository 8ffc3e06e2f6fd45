import { isoTime, Refusal } from "@countersign/core";
import type { DigitsRuling } from "@countersign/core";
import type { DigitsRow } from "../store/digits-row.ts";
import type { AskRow } from "../store/rows.ts";
import type { Decision } from "../store/store.ts";
import type { World } from "../world.ts";
import { deniedOf } from "./approve.ts";
import { askedOf } from "./asked.ts";
import { logRow } from "./record.ts";

/** Who typed digits that are not those of the question. */
export interface Mistyped {
  readonly row: AskRow;
  readonly known: DigitsRow;
  /** Thumbprint of the key that the question was opened for. */
  readonly jkt: string;
  /** Who acts without a signature, as the log names him. */
  readonly by: string;
}

type Wrong = Extract<DigitsRuling, { do: "count" | "deny" }>;

/** One more failure, or the denial; only if no other try was counted meanwhile. What was typed is nowhere in it. */
function decisionOf(w: World, of: Mistyped, ruling: Wrong): Decision {
  const { row, known, jkt, by } = of;
  const t = w.clock();
  const record = { v: 1, ...askedOf(row), by, opened_for: jkt };
  const { req, failures } = known;
  const expect = { ask: { req: row.req, state: "asked" }, digits: { req, failures } } as const;
  if (ruling.do === "count")
    return {
      log: logRow(w, {
        type: "approval.mismatched",
        t,
        actor: "owner",
        record: { ...record, failures: ruling.failures },
      }),
      changes: [{ put: "digits", row: { ...known, failures: ruling.failures } }],
      expect,
    };
  return {
    log: logRow(w, {
      type: "approval.denied",
      t,
      actor: "owner",
      record: { ...record, mismatched: true },
    }),
    changes: [
      { set: "ask", req, fields: { state: "denied", decidedAt: t } },
      { drop: "ceremony", req },
    ],
    expect,
  };
}

/** When it may ask again, and what to do then. */
async function afterDenial(w: World, row: AskRow): Promise<string> {
  const { againAt, isBlocked } = await deniedOf(w, row);
  const denied = "They were wrong twice, so you have denied the request.";
  if (isBlocked)
    return `${denied} It was denied too often and asks no more, until you let it: in the console, or with countersign owner unblock NAME.`;
  const when = againAt === undefined ? "" : ` at ${isoTime(againAt)}`;
  return `${denied} The agent may ask again${when}. Type only digits of the terminal that shows the code of the request.`;
}

/**
 * Counts a failure in one commit, the second of which denies the request.
 * @returns "conflict" when something else was decided meanwhile: all is judged anew
 * @throws Refusal `digits_mismatched` once that is written
 */
export async function countMistyped(w: World, of: Mistyped, ruling: Wrong): Promise<"conflict"> {
  const committed = await w.store.commit(decisionOf(w, of, ruling));
  if (committed === "conflict" || committed === "used") return "conflict";
  if (ruling.do === "deny")
    throw new Refusal("digits_mismatched", "for the last time", await afterDenial(w, of.row));
  const more = ruling.triesLeft === 1 ? "1 more wrong try" : `${ruling.triesLeft} more wrong tries`;
  throw new Refusal(
    "digits_mismatched",
    undefined,
    `Look at the terminal that shows the code of this request. If it shows another code, deny the request. After ${more} it is denied.`,
  );
}
