import { base64url, fromBase64url, readBundle, Refusal } from "@countersign/core";
import type { Bytes, IssuedAnswer, JsonObject, Seconds } from "@countersign/core";
import type { RequestRow } from "../store/rows.ts";
import type { World } from "../world.ts";
import { bundleOf } from "./bundle.ts";

/** What a credential request ended in, other than a refusal. */
export type Outcome =
  | ({ readonly state: "issued" } & IssuedAnswer)
  | {
      readonly state: "asked";
      readonly id: string;
      readonly deadline: Seconds;
      readonly reasons: readonly string[];
    };

/** The issued forms as they are kept for a lost answer. The proof is not among them: it is computed when asked for. */
export function storeIssued(issued: {
  readonly wit: string;
  readonly wic: readonly Bytes[];
  readonly jti: string;
  readonly n: number;
  readonly expiresAt: Seconds;
}): JsonObject {
  return {
    state: "issued",
    wit: issued.wit,
    wic: issued.wic.map((der) => base64url(der)),
    jti: issued.jti,
    n: issued.n,
    expires_at: issued.expiresAt,
  };
}

/** The stored outcome of a request, made whole again. */
export async function readOutcome(w: World, row: RequestRow): Promise<Outcome> {
  const o = row.outcome;
  if (o["state"] === "asked") {
    const ask = await w.store.ask(row.req);
    if (ask === undefined) throw new Refusal("stale");
    return {
      state: "asked",
      id: ask.id,
      deadline: ask.deadline,
      reasons: ask.reasons.map((reason) => reason.text),
    };
  }
  const { wit, wic, jti, n, expires_at: expiresAt } = o;
  if (
    typeof wit !== "string" ||
    !Array.isArray(wic) ||
    typeof jti !== "string" ||
    typeof n !== "number" ||
    typeof expiresAt !== "number"
  )
    throw new TypeError("a stored outcome has lost its form");
  const credential = await w.store.credentialByJti(jti);
  if (credential === undefined) throw new Refusal("stale");
  return {
    state: "issued",
    wit,
    wic: wic.map((der) => fromBase64url(String(der))),
    jti,
    n,
    expires_at: expiresAt,
    bundle: readBundle(await bundleOf(w, credential)),
  };
}
