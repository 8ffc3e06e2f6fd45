import { LinkRefusal, LINKS, verify } from "@countersign/core";
import type { Crypto, Demand, Presented, Seconds, Trust, Verdict } from "@countersign/core";
import type { Check } from "./check.ts";

/** What a verification found, link by link, and the verdict if it got one. */
export interface Shown {
  readonly checks: readonly Check[];
  readonly verdict?: Verdict;
}

function skippedWhy(id: string, demand: Demand): string {
  if (id === "wic" || id === "forms") return "no certificate was given";
  if (id === "ceiling" && demand.resource === undefined) return "no --resource was given";
  if (id === "witnessed" && demand.proof === "logged") return "no witnesses are configured";
  return `not needed for --proof ${demand.proof ?? "verified"}`;
}

function checksOf(links: Verdict["links"], demand: Demand): readonly Check[] {
  const seen = links.map((link) =>
    link.result === "skipped" ? { ...link, why: skippedWhy(link.id, demand) } : link,
  );
  const unseen = LINKS.slice(links.length).map(({ id, title }): Check => ({
    id,
    title,
    result: "not reached",
  }));
  return [...seen, ...unseen];
}

/** What is said behind the code and the link's name. */
function detailOf(refusal: LinkRefusal): string {
  return refusal.message.split(": ").slice(3).join(": ");
}

/** The lines of a refused walk; the one it stopped at says what exactly was found. */
function withGap(refusal: LinkRefusal, demand: Demand): readonly Check[] {
  const why = detailOf(refusal);
  return checksOf(refusal.links, demand).map((check) =>
    check.id === refusal.link && why !== "" ? { ...check, why } : check,
  );
}

/** Walks core's links and keeps every line, also where one refuses. */
export async function verifyShown(
  c: Crypto,
  presented: Presented,
  trust: Trust,
  demand: Demand,
  now: Seconds,
): Promise<Shown> {
  try {
    const verdict = await verify(c, presented, trust, demand, now);
    return { checks: checksOf(verdict.links, demand), verdict };
  } catch (error) {
    if (!(error instanceof LinkRefusal)) throw error;
    return { checks: withGap(error, demand) };
  }
}
